from pathlib import Path

import pytest

from cxrnet.errors import UsageError
from cxrnet.node.settings import TLS, NodeSettings, is_loopback, parse_peer


@pytest.mark.parametrize("title", ["", " ", "A" * 17, "A\\B", "A\nB", " A", "Ä"])
def test_what_is_no_ae_title_is_refused(title):
    with pytest.raises(UsageError, match="is not an AE title"):
        NodeSettings(title=title)


def test_an_open_address_needs_named_senders():
    with pytest.raises(UsageError, match="everyone who reaches this address could send"):
        NodeSettings(title="A", bind="0.0.0.0")
    NodeSettings(title="CXR NET", bind="0.0.0.0", peers=(parse_peer("10.0.0.0/8"),))
    NodeSettings(title="A" * 16, bind="0.0.0.0", tls=TLS(authorities=Path("ca.pem")))


def test_peer_that_is_no_address():
    with pytest.raises(UsageError, match="--allow-peer modality: is not an address"):
        parse_peer("modality")


@pytest.mark.parametrize(
    ("host", "expected"), [("127.0.0.5", True), ("::1", True), ("localhost", True), ("10.0.0.1", False)]
)
def test_loopback(host, expected):
    assert is_loopback(host) is expected
