from __future__ import annotations

import base64

import pytest
import requests

from cxrnet.errors import UsageError
from cxrnet.node.dicomweb import HEADER, PASSWORD, USER, open_session, server_name


def sent_with(environment, url="https://pacs.example/dicom-web"):
    with open_session(url, environment) as session:
        request = session.prepare_request(requests.Request("GET", url))
    return request.headers.get("Authorization")


def test_a_whole_header_is_sent_as_it_is():
    assert sent_with({HEADER: "Bearer abc"}) == "Bearer abc"


def test_a_name_and_a_password_are_sent_as_basic():
    assert (
        sent_with({USER: "jane", PASSWORD: "pässword"})
        == "Basic " + base64.b64encode("jane:pässword".encode()).decode()
    )


def test_nothing_is_sent_where_nothing_is_set(monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine pacs.example login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sent_with({}) is None


def test_credentials_do_not_go_in_the_open():
    with pytest.raises(UsageError, match=r"pacs.example: credentials would be sent unencrypted"):
        sent_with({USER: "jane"}, "http://pacs.example/dicom-web")


def test_credentials_may_go_in_the_open_on_this_machine():
    assert sent_with({HEADER: "x"}, "http://127.0.0.1:8042/dicom-web") == "x"


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="the URL holds a password") as caught:
        server_name("https://jane:secret@pacs.example/dicom-web")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["pacs.example", "ftp://pacs.example", "https://", "https://a/b?c=d", "https://a/#b"])
def test_what_is_no_root_of_a_server(url):
    with pytest.raises(UsageError, match="is not the root of a DICOMweb server"):
        server_name(url)


def test_a_port_that_is_none():
    with pytest.raises(UsageError, match="is not a URL"):
        server_name("https://a:port/")
