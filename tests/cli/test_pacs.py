import pytest
from pydicom import dcmread

from tests.node.conftest import sent
from tests.node.test_dicomweb import content_of
from tests.node.web import multipart, stored, uid, web_server

__all__ = ["sent"]


@pytest.fixture
def web(monkeypatch):
    for name in ("CXRNET_PACS_AUTHORIZATION", "CXRNET_PACS_USER", "CXRNET_PACS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with web_server() as running:
        yield running


@pytest.fixture
def study(web, sent):
    """The only instance of the study 1.2.840.1 on the server."""
    xray = sent(SOPInstanceUID="1.2.840.3")
    xray.preamble = b"MZ" + bytes(126)
    web.say("GET", "/studies", [uid("0020000D", "1.2.840.1")])
    web.say("GET", "/studies/1.2.840.1/series", [uid("0020000E", "1.2.840.2")])
    web.say("GET", "/studies/1.2.840.1/series/1.2.840.2/instances", [uid("00080018", "1.2.840.3")])
    body, kind = multipart(content_of(xray))
    web.say("GET", "/studies/1.2.840.1/series/1.2.840.2/instances/1.2.840.3", body, kind=kind)
    return xray


def test_pull_writes_files_whose_names_hold_no_uid(cxrnet, web, study, tmp_path):
    said = cxrnet("pacs", "pull", "--url", web.url, "--study", "1.2.840.1", "--out", tmp_path / "out")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"1 studies: 1 instances fetched, 0 failed; {tmp_path / 'out'}\n"
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert dcmread(path) == study
    assert "1.2.840" not in str(path)


def test_pull_never_keeps_the_preamble_of_another(cxrnet, web, study, tmp_path):
    cxrnet("pacs", "pull", "--url", web.url, "--study", "1.2.840.1", "--out", tmp_path / "out")
    (path,) = (tmp_path / "out").rglob("*.dcm")
    assert path.read_bytes()[:128] == bytes(128)


def test_pull_finds_studies_by_a_query(cxrnet, web, study, tmp_path):
    said = cxrnet("pacs", "pull", "--url", web.url, "--query", "PatientID=P1", "-o", tmp_path / "out")
    assert said.code == 0
    assert "PatientID=P1" in web.asked[0][2]


def test_pull_does_the_rest_when_one_fails(cxrnet, web, study, tmp_path):
    words = ("pacs", "pull", "--url", web.url, "--study", "1.2.840.77", "--study", "1.2.840.1", "-o", tmp_path / "out")
    said = cxrnet(*words)
    assert said.code == 1
    assert said.err.startswith(f"ERROR REFUSED {web.url}: answered 404")
    assert len(said.err.splitlines()) == 1
    assert "2 studies: 1 instances fetched, 1 failed" in said.out


def test_pull_of_a_query_that_the_server_refuses(cxrnet, web, tmp_path):
    web.say("GET", "/studies", b"", status=503)
    said = cxrnet("pacs", "pull", "--url", web.url, "--query", "PatientID=P1", "-o", tmp_path / "out")
    assert said.code == 1
    assert said.err == f"ERROR REFUSED {web.url}: answered 503; look into its log\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ((), "ERROR pull: needs either --study or --query"),
        (("--study", "1.2", "--query", "PatientID=1"), "ERROR pull: needs either --study or --query"),
        (("--study", "../x"), "ERROR --study ../x: is not a UID"),
        (("--query", "Patient=1"), "ERROR --query Patient=1: is not KEYWORD=VALUE"),
        (("--query", "PatientID"), "ERROR --query PatientID: is not KEYWORD=VALUE"),
        (("--study", "1.2", "--ca", "nix.pem"), "ERROR --ca nix.pem: no such file"),
    ],
)
def test_pull_exits_2_for_wrong_usage(cxrnet, web, tmp_path, words, line):
    said = cxrnet("pacs", "pull", "--url", web.url, "-o", tmp_path, *words)
    assert (said.code, len(said.err.splitlines())) == (2, 1)
    assert said.err.startswith(line)


def test_push_stores_files_and_folders(cxrnet, web, sent, tmp_path):
    (tmp_path / "xrays").mkdir()
    for name in ("a.dcm", "b.dcm"):
        sent(SOPInstanceUID="1.2.3").save_as(tmp_path / "xrays" / name, enforce_file_format=True)
    web.say("POST", "/studies", stored("1.2.3"))
    said = cxrnet("pacs", "push", tmp_path / "xrays", tmp_path / "xrays" / "a.dcm", "--url", web.url)
    assert (said.code, said.err) == (0, "")
    assert said.out == f"3 files: 3 stored, 0 failed; {web.url}\n"


def test_push_does_the_rest_when_one_fails(cxrnet, web, sent, tmp_path):
    sent(SOPInstanceUID="1.2.3").save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (tmp_path / "b.dcm").write_bytes(b"no DICOM")
    web.say("POST", "/studies", stored("1.2.3"))
    said = cxrnet("pacs", "push", tmp_path / "b.dcm", tmp_path / "a.dcm", "--url", web.url)
    assert (said.code, said.out) == (1, f"2 files: 1 stored, 1 failed; {web.url}\n")
    assert said.err == "ERROR NOT_DICOM b.dcm: not a readable DICOM file; export it again\n"


def test_push_sends_credentials_from_the_environment(cxrnet, web, sent, tmp_path, monkeypatch):
    monkeypatch.setenv("CXRNET_PACS_AUTHORIZATION", "Bearer abc")
    sent(SOPInstanceUID="1.2.3").save_as(tmp_path / "a.dcm", enforce_file_format=True)
    web.say("POST", "/studies", stored("1.2.3"))
    cxrnet("pacs", "push", tmp_path / "a.dcm", "--url", web.url)
    assert web.asked[0][3]["Authorization"] == "Bearer abc"
