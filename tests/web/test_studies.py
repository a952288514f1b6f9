import pytest

from cxrnet.web.application import Application
from cxrnet.web.studies import Studies
from tests.node.conftest import sent
from tests.node.test_dicomweb import content_of
from tests.node.web import multipart, uid, web_server
from tests.web.conftest import connected, wait_until_screened

__all__ = ["sent"]

STUDY, SERIES, INSTANCE = "1.2.840.1", "1.2.840.2", "1.2.840.3"


@pytest.fixture
def archive(sent):
    """A DICOMweb server with a study of one radiograph and one CT series."""
    with web_server() as running:
        modality = {"00080060": {"vr": "CS", "Value": ["DX"]}}
        other = {"00080060": {"vr": "CS", "Value": ["CT"]}}
        series = [uid("0020000E", SERIES) | modality, uid("0020000E", "1.2.840.9") | other]
        running.say("GET", f"/studies/{STUDY}/series", series)
        running.say("GET", f"/studies/{STUDY}/series/{SERIES}/instances", [uid("00080018", INSTANCE)])
        body, kind = multipart(content_of(sent(SOPInstanceUID=INSTANCE)))
        running.say("GET", f"/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}", body, kind=kind)
        yield running


@pytest.fixture
def client(service, static, archive):
    with connected(Application(service, static, studies=Studies(archive.url))) as client:
        yield client


def test_radiographs_of_a_study_are_fetched_and_screened(client, archive):
    assert client.get("/api/v1/model").json()["archive"] == archive.url
    answer = client.post("/api/v1/studies", json={"study": STUDY})
    assert answer.status_code == 201
    (image,) = answer.json()["images"]
    assert wait_until_screened(client, image["number"])["status"] == "scored"


@pytest.mark.parametrize(
    ("body", "status"),
    [({"study": "../1"}, 400), ({}, 400), ([STUDY], 400), ({"study": "1.2.77"}, 502), ({"study": STUDY * 999}, 413)],
)
def test_unusable_requests_are_refused(client, body, status):
    answer = client.post("/api/v1/studies", json=body)
    assert answer.status_code == status
    assert "1.2.77" not in answer.text


def test_study_without_radiographs_is_not_found(client, archive):
    archive.say("GET", f"/studies/{STUDY}/series", [])
    assert client.post("/api/v1/studies", json={"study": STUDY}).status_code == 404


def test_service_without_an_archive_says_how_to_name_one(service, static):
    with connected(Application(service, static)) as client:
        assert client.get("/api/v1/model").json()["archive"] is None
        answer = client.post("/api/v1/studies", json={"study": STUDY})
    assert answer.status_code == 404
    assert "--dicomweb" in answer.json()["detail"]
