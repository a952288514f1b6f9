import pytest


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--host", "0.0.0.0"), "--allow-host"),
        (("--host", "0.0.0.0", "--allow-host", "cxr.hospital"), "--tls-cert"),
    ],
)
def test_serve_beyond_loopback_needs_a_name_and_a_certificate(cxrnet, words, line):
    ended = cxrnet("serve", *words)
    assert ended.code == 2
    assert line in ended.err


def test_export_web_to_a_folder_needs_the_option(cxrnet, tmp_path):
    ended = cxrnet("export-web", "--out", tmp_path)
    assert ended.code == 2
    assert "--folder" in ended.err


def test_blank_token_is_refused(cxrnet):
    ended = cxrnet("serve", "--token", " ")
    assert ended.code == 2
    assert "--token" in ended.err


@pytest.mark.parametrize("content", [None, b"no certificate"])
def test_certificate_that_cannot_be_used_is_refused(cxrnet, tmp_path, content):
    path = tmp_path / "cert.pem"
    if content is not None:
        path.write_bytes(content)
    ended = cxrnet("serve", "--port", "0", "--tls-cert", path)
    assert ended.code == 2
    assert "cert.pem: cannot be used for TLS" in ended.err


def test_key_without_a_certificate_is_refused(cxrnet, tmp_path):
    assert "--tls-cert: is missing" in cxrnet("serve", "--tls-key", tmp_path / "key.pem").err
