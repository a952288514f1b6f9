import base64
import io
import json
import socket

import pytest
import requests
from pydicom import dcmread

from cxrnet.errors import PacsError, UsageError
from cxrnet.node.dicomweb import HEADER, PASSWORD, USER, DICOMwebServer, Instance, open_session, server_name
from tests.node.web import multipart, stored, uid, web_server


@pytest.fixture
def web():
    with web_server() as running:
        yield running


@pytest.fixture
def server(web):
    return DICOMwebServer(web.url, environment={}, seconds=5)


@pytest.fixture
def xray(sent, tmp_path):
    path = tmp_path / "xray.dcm"
    sent(SOPInstanceUID="1.2.3").save_as(path, enforce_file_format=True)
    return path


def content_of(dataset):
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_store_sends_the_file_and_believes_a_server_that_names_it(web, server, xray):
    web.say("POST", "/studies", stored("1.2.3"))
    server.send([xray])
    ((_, _, _, _, body),) = web.asked
    start = body.index(b"DICM") - 128
    assert dcmread(io.BytesIO(body[start : body.rindex(b"\r\n--")])) == dcmread(xray)


def test_a_long_file_is_sent_whole(web, server, sent, tmp_path):
    path = tmp_path / "long.dcm"
    sent(SOPInstanceUID="1.2.3", PixelData=bytes(3_000_001)).save_as(path, enforce_file_format=True)
    web.say("POST", "/studies", stored("1.2.3"))
    server.send([path])
    assert len(web.asked[0][4]) > 3_000_000
    web.say("POST", "/studies", b"")
    server.send([path])  # 200 without words is believed


@pytest.mark.parametrize(
    ("status", "content", "problem"),
    [
        (202, b"", "answered 202 without confirming the object"),
        (200, stored("9.9"), "answered 200 without confirming the object"),
        (
            200,
            {"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [0xA700]}}]}},
            "did not store an object, reason 0xA700",
        ),
    ],
)
def test_what_is_not_said_to_be_stored_is_not(web, server, xray, status, content, problem):
    web.say("POST", "/studies", content, status=status)
    with pytest.raises(PacsError, match=problem) as caught:
        server.send([xray])
    assert (caught.value.code, caught.value.is_final) == ("NOT_STORED", False)


@pytest.mark.parametrize(
    ("status", "is_final", "remedy"),
    [
        (400, True, "look into its log"),
        (401, False, "set CXRNET_PACS_AUTHORIZATION"),
        (404, True, "check the URL"),
        (429, False, "look"),
        (503, False, "look"),
    ],
)
def test_a_status_that_is_no_success(web, server, xray, status, is_final, remedy):
    web.say("POST", "/studies", b"", status=status)
    with pytest.raises(PacsError, match=f"answered {status}; {remedy}") as caught:
        server.send([xray])
    assert (caught.value.code, caught.value.is_final) == ("REFUSED", is_final)
    assert len(web.asked) == 1  # the client's own retries send an empty body


def test_a_redirection_is_not_followed(web, server, xray):
    web.say("POST", "/studies", b"", status=307, Location="http://127.0.0.1:9/elsewhere")
    with pytest.raises(PacsError, match="redirects to another address"):
        server.send([xray])


def test_nobody_there_is_unreachable(xray):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(PacsError, match=f"http://127.0.0.1:{port}/dicom-web: no answer") as caught:
        DICOMwebServer(f"http://127.0.0.1:{port}/dicom-web", environment={}).send([xray])
    assert caught.value.code == "UNREACHABLE"


@pytest.mark.parametrize("content", [b"no DICOM at all", b""])
def test_what_is_no_dicom_file_is_not_sent(web, server, tmp_path, content):
    path = tmp_path / "note.txt"
    path.write_bytes(content)
    with pytest.raises(PacsError, match=r"note.txt: not a readable DICOM file"):
        server.send([path])
    assert not web.asked


def test_a_file_that_would_cut_the_upload_is_not_sent(web, server, sent, tmp_path):
    path = tmp_path / "xray.dcm"
    sent(ImageComments="\r\n--0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1--").save_as(path, enforce_file_format=True)
    with pytest.raises(PacsError, match="holds a line that would cut the upload"):
        server.send([path])
    assert not web.asked


def test_studies_come_page_by_page(web, server):
    pages = {"0": [uid("0020000D", "1.1"), uid("0020000D", "1.2")], "2": [uid("0020000D", "1.3")]}

    def page(query):
        offset = next(part.partition("=")[2] for part in query.split("&") if part.startswith("offset="))
        return 200, {"Content-Type": "application/dicom+json"}, json.dumps(pages.get(offset, [])).encode()

    web.answers["GET", "/studies"] = page
    assert server.studies({"StudyDate": "20240101"}, limit=10) == ["1.1", "1.2", "1.3"]
    assert "StudyDate=20240101" in web.asked[0][2]


def test_no_more_studies_than_were_asked_for_and_no_more_pages_than_there_are(web, server):
    web.say("GET", "/studies", [uid("0020000D", f"1.{index}") for index in range(1, 9)])
    assert len(server.studies({}, limit=3)) == 3
    assert len(server.studies({}, limit=10)) == 8  # of a server that knows no offset


def test_a_match_without_a_uid_is_not_understood(web, server):
    web.say("GET", "/studies", [uid("0020000D", "../../etc")])
    with pytest.raises(PacsError, match="sent an invalid UID"):
        server.studies({}, limit=3)


@pytest.mark.parametrize("content", [b"<html>", b"[1, 2]", b'{"a": 1}', b'[{"0020000D": 5}]'])
def test_an_answer_that_is_no_dicom_json_is_not_understood(web, server, content):
    web.say("GET", "/studies", content)
    with pytest.raises(PacsError) as caught:
        server.studies({}, limit=3)
    assert caught.value.code == "NOT_UNDERSTOOD"


def test_instances_are_those_of_the_series_of_a_modality(web, server):
    series = [
        uid("0020000E", "1.1.1") | {"00080060": {"vr": "CS", "Value": ["CR"]}},
        uid("0020000E", "1.1.2") | {"00080060": {"vr": "CS", "Value": ["SR"]}},
    ]
    web.say("GET", "/studies/1.1/series", series)
    web.say("GET", "/studies/1.1/series/1.1.1/instances", [uid("00080018", "1.1.1.1")])
    assert server.instances("1.1", modalities=["CR"]) == [Instance("1.1", "1.1.1", "1.1.1.1")]


def test_fetch_asks_for_the_syntax_in_which_it_is_kept(web, server, sent):
    xray = sent()
    body, kind = multipart(content_of(xray))
    web.say("GET", "/studies/1.1/series/1.2/instances/1.3", body, kind=kind)
    assert server.fetch(Instance("1.1", "1.2", "1.3")) == xray
    assert "transfer-syntax=*" in web.asked[0][3]["Accept"]


@pytest.mark.parametrize("parts", [(), (b"nonsense",)], ids=["none", "nonsense"])
def test_fetch_of_what_is_no_instance_is_not_understood(web, server, parts):
    body, kind = multipart(*parts)
    web.say("GET", "/studies/1.1/series/1.2/instances/1.3", body, kind=kind)
    with pytest.raises(PacsError) as caught:
        server.fetch(Instance("1.1", "1.2", "1.3"))
    assert caught.value.code == "NOT_UNDERSTOOD"
    with pytest.raises(PacsError) as caught:
        server.fetch(Instance("1.2.840.77", "1.2.840.88", "1.2.840.99"))
    assert "1.2.840" not in str(caught.value)


def sent_with(environment, url="https://pacs.example/dicom-web"):
    with open_session(url, environment) as session:
        request = session.prepare_request(requests.Request("GET", url))
    return request.headers.get("Authorization")


@pytest.mark.parametrize("url", ["https://pacs.example/dicom-web", "http://127.0.0.1:8042/dicom-web"])
def test_a_whole_header_is_sent_as_it_is(url):
    assert sent_with({HEADER: "Bearer abc"}, url) == "Bearer abc"


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


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(UsageError, match="the URL holds a password") as caught:
        server_name("https://jane:secret@pacs.example/dicom-web")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["pacs.example", "ftp://pacs.example", "https://", "https://a/b?c=d", "https://a:port/"]
)
def test_what_is_no_root_of_a_server(url):
    with pytest.raises(UsageError, match="is not"):
        server_name(url)


def test_authorities_that_cannot_be_used_are_refused_at_once(tmp_path):
    with pytest.raises(UsageError, match=r"none\.pem: cannot be used for TLS"):
        DICOMwebServer("https://pacs.hospital/dicom-web", authorities=tmp_path / "none.pem")
