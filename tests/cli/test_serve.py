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
