import io
import json
import os
import re
import shlex
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pydicom
import pytest

from cxrnet.errors import UsageError
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web import service as service_module
from cxrnet.web.application import Application
from cxrnet.web.intake import UploadLimits
from cxrnet.web.service import Service
from tests.web.conftest import connected, wait_until_screened

LIMITS = UploadLimits(free_bytes=0)
FILED = {"StudyInstanceUID": "2.25.1", "SeriesInstanceUID": "2.25.2"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "how-to" / "web.md"


def upload(client, content):
    answer = client.post("/api/v1/images", content=content)
    assert answer.status_code == 201
    return answer.json()["number"]


def test_image_is_taken_screened_and_answered(client, dicom, pipeline):
    path = dicom()
    number = upload(client, path.read_bytes())
    entry = wait_until_screened(client, number)
    finding = pipeline.screen(path)
    record = client.get(f"/api/v1/images/{number}/finding.json").json()
    assert (record["status"], entry["status"]) == (finding.status, finding.status)
    assert record["scores"] == (dict(finding.scores) or None)
    assert record["input"] == f"job {number}"


def test_pixels_are_the_greys_at_full_depth(client, dicom, pipeline):
    path = dicom()
    number = upload(client, path.read_bytes())
    wait_until_screened(client, number)
    answer = client.get(f"/api/v1/images/{number}/pixels")
    layout = json.loads(answer.headers["X-Image"])
    pixels = np.frombuffer(answer.content, "<u2").reshape(layout["height"], layout["width"])
    assert np.abs(pixels / 257.0 - pipeline.read(path).pixels).max() <= 0.5 / 257 + 1e-4


def test_maps_are_the_arrays_of_the_program(client, dicom, pipeline):
    path = dicom()
    number = upload(client, path.read_bytes())
    wait_until_screened(client, number)
    with np.load(io.BytesIO(client.get(f"/api/v1/images/{number}/maps.npz").content)) as maps:
        assert np.allclose(maps["lung_probability"], pipeline.screen(path).lung_probability)


def test_unreadable_file_fails_in_words(client):
    number = upload(client, b"no image at all")
    assert wait_until_screened(client, number)["status"] == "failed"
    record = client.get(f"/api/v1/images/{number}/finding.json").json()
    assert record["reasons"][0]["code"] == "UNREADABLE"
    assert record["reasons"][0]["text"].startswith(f"job {number}: ")
    assert client.get(f"/api/v1/images/{number}/pixels").status_code == 404


def test_deleted_image_is_gone_from_the_disk(client, dicom, tmp_path):
    number = upload(client, dicom().read_bytes())
    wait_until_screened(client, number)
    assert client.delete(f"/api/v1/images/{number}").status_code == 204
    assert client.get(f"/api/v1/images/{number}").status_code == 404
    assert client.delete(f"/api/v1/images/{number}").status_code == 404
    assert not list((tmp_path / "spool" / "results").iterdir())


def test_too_large_upload_is_refused_and_leaves_nothing(client, service, tmp_path):
    def chunks():
        for _ in range(40):
            yield bytes(2**16)

    assert client.post("/api/v1/images", content=bytes(2**20 + 1)).status_code == 413
    assert client.post("/api/v1/images", content=chunks()).status_code == 413
    assert client.post("/api/v1/images", content=b"").status_code == 400
    assert not list((tmp_path / "spool" / "incoming").iterdir())
    assert service.entries() == []


@pytest.mark.parametrize(
    ("limits", "status"),
    [
        (UploadLimits(free_bytes=0, per_minute=1), 429),
        (UploadLimits(free_bytes=2**62), 507),
        (UploadLimits(free_bytes=0, waiting=0), 503),
    ],
)
def test_caps_on_rate_room_and_queue(pipeline, static, tmp_path, limits, status):
    with (
        Service(tmp_path / "spool", pipeline, limits=limits) as service,
        connected(Application(service, static)) as client,
    ):
        assert status in [client.post("/api/v1/images", content=b"x").status_code for _ in range(2)]


def test_what_waits_is_screened_after_a_restart(pipeline, static, tmp_path, dicom):
    spool = tmp_path / "spool"
    with Service(spool, pipeline, jobs=0, limits=LIMITS) as service:
        number = service.take([dicom().read_bytes()]).number
    with Service(spool, pipeline, limits=LIMITS) as service, connected(Application(service, static)) as client:
        entry = wait_until_screened(client, number)
    with Service(spool, pipeline, limits=LIMITS) as service:
        again = service.entries()
    assert [(one.number, one.status, one.score) for one in again] == [(number, entry["status"], entry["score"])]


def test_events_tell_of_all_images_and_end_with_the_service(service, static):
    service.take([b"no image"])
    service.stopping.set()
    with connected(Application(service, static)) as client, client.stream("GET", "/api/v1/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert list(answer.iter_lines()) == []


def test_description_names_every_route(client):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"/images", "/images/{number}", "/images/{number}/finding.json", "/events", "/model"} <= paths.keys()
    page = client.get("/api/v1/docs").text
    assert all(path in page for path in paths)


def test_page_is_informed_that_a_service_answers(client):
    assert 'data-source="service"' in client.get("/").text


def test_curl_examples_of_the_documentation_work(client, dicom, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    (tmp_path / "chest.dcm").write_bytes(dicom().read_bytes())
    examples = re.findall(r"^    (curl .*)$", DOCUMENT.read_text(), flags=re.MULTILINE)
    assert len(examples) >= 5
    for example in examples:
        words = shlex.split(example.replace("http://127.0.0.1:8000", str(client.base_url).rstrip("/")))
        subprocess.run([*words, "--fail"], cwd=tmp_path, check=True, capture_output=True)
        if "--data-binary" in words:
            wait_until_screened(client, 1)
    assert (tmp_path / "maps.npz").stat().st_size > 0


def test_dicom_objects_are_made_when_asked_for(client, dicom, tmp_path):
    number = upload(client, dicom(**FILED).read_bytes())
    names = wait_until_screened(client, number)["objects"]
    (results,) = (tmp_path / "spool" / "results").iterdir()
    assert "lungs.seg.dcm" in names
    assert not list(results.glob("*.dcm"))
    answer = client.get(f"/api/v1/images/{number}/objects/lungs.seg.dcm")
    made = pydicom.dcmread(io.BytesIO(answer.content))
    assert made.Modality == "SEG"


def test_dicom_object_of_a_picture_does_not_exist(client, dicom):
    number = upload(client, b"no image at all")
    assert wait_until_screened(client, number)["objects"] == []
    assert client.get(f"/api/v1/images/{number}/objects/lungs.seg.dcm").status_code == 404


def test_dicom_object_is_refused_when_its_header_lacks_what_it_refers_to(client, dicom):
    number = upload(client, dicom().read_bytes())
    wait_until_screened(client, number)
    assert client.get(f"/api/v1/images/{number}/objects/lungs.seg.dcm").status_code == 422


def test_dicom_object_is_refused_when_another_model_screened_the_image(client, service, dicom, tmp_path):
    number = upload(client, dicom(**FILED).read_bytes())
    wait_until_screened(client, number)
    client.get(f"/api/v1/images/{number}/maps.npz")  # once they are there, all files are
    (record,) = (tmp_path / "spool" / "results").glob("*/finding.json")
    record.write_text(record.read_text().replace('"version": "', '"version": "0'))
    assert client.get(f"/api/v1/images/{number}/objects/lungs.seg.dcm").status_code == 409


@pytest.fixture
def writing(monkeypatch):
    """Event that the service waits for before it writes the files of a finding."""
    allowed, write = threading.Event(), service_module.write_results

    def write_later(*arguments, **options):
        assert allowed.wait(60)
        return write(*arguments, **options)

    monkeypatch.setattr(service_module, "write_results", write_later)
    yield allowed
    allowed.set()


def test_finding_is_answered_before_its_files_are_written(writing, client, dicom, pipeline):
    path = dicom()
    number = upload(client, path.read_bytes())
    record = client.get(f"/api/v1/images/{number}/finding.json?wait=60").json()
    entry = client.get(f"/api/v1/images/{number}").json()
    assert record["scores"] == dict(pipeline.screen(path).scores)
    assert (entry["status"], entry["score"]) == ("scored", next(iter(record["scores"].values())))
    assert "lungs.seg.dcm" in entry["objects"]
    threading.Timer(0.3, writing.set).start()
    assert client.get(f"/api/v1/images/{number}/pixels").status_code == 200
    assert client.get(f"/api/v1/images/{number}").json() == entry


def test_image_is_screened_again_when_the_service_ended_before_its_files_were_written(
    writing, pipeline, static, tmp_path, dicom
):
    with Service(tmp_path / "spool", pipeline, limits=LIMITS) as first, connected(Application(first, static)) as client:
        number = upload(client, dicom().read_bytes())
        record = client.get(f"/api/v1/images/{number}/finding.json?wait=60").json()
        shutil.copytree(tmp_path / "spool", tmp_path / "killed")  # what a kill at this moment leaves
        writing.set()
    with (
        Service(tmp_path / "killed", pipeline, limits=LIMITS) as again,
        connected(Application(again, static)) as client,
    ):
        wait_until_screened(client, number)
        found = client.get(f"/api/v1/images/{number}/finding.json").json()
        assert client.get(f"/api/v1/images/{number}/maps.npz").status_code == 200
    assert found | {"timing_ms": None} == record | {"timing_ms": None}


def test_image_that_is_deleted_while_its_files_are_written_leaves_none(writing, client, service, dicom, tmp_path):
    number = upload(client, dicom().read_bytes())
    client.get(f"/api/v1/images/{number}/finding.json?wait=60")
    assert service.delete(number)
    writing.set()
    service.stopping.set()
    for thread in service._threads:
        thread.join(60)
    assert not [*(tmp_path / "spool" / "results").iterdir(), *(tmp_path / "spool" / "incoming").iterdir()]


@pytest.mark.parametrize(("number", "wait", "status"), [(7, "1", 404), (1, "soon", 400), (1, "61", 400), (1, "0", 409)])
def test_waiting_for_a_finding_ends(pipeline, static, tmp_path, number, wait, status):
    with Service(tmp_path / "spool", pipeline, jobs=0, limits=LIMITS) as idle:
        idle.take([b"no image"])
        with connected(Application(idle, static)) as client:
            assert client.get(f"/api/v1/images/{number}/finding.json?wait={wait}").status_code == status


def test_both_models_screen_each_image_and_have_it_after_a_restart(pipeline, organs_bundle, static, tmp_path, dicom):
    path = dicom()
    with Pipeline.load(organs_bundle) as other:
        expected = other.screen(path)
        for is_first in (True, False):
            with (
                Service(tmp_path / "spool", pipeline, other=other, limits=LIMITS) as service,
                connected(Application(service, static)) as client,
            ):
                if is_first:
                    upload(client, path.read_bytes())
                record = client.get("/api/v1/images/1/other/finding.json?wait=60").json()
                with np.load(io.BytesIO(client.get("/api/v1/images/1/other/maps.npz").content)) as maps:
                    lungs = maps["lung_probability"]
                assert client.get("/api/v1/model").json()["other"]["name"] == "organs"
            assert record["model"] == expected.model
            assert record["scores"] == dict(expected.scores)
            np.testing.assert_array_equal(lungs, expected.lung_probability)


def test_unreadable_file_has_a_finding_of_both_models(pipeline, organs_bundle, static, tmp_path):
    with (
        Pipeline.load(organs_bundle) as other,
        Service(tmp_path / "spool", pipeline, other=other, limits=LIMITS) as service,
        connected(Application(service, static)) as client,
    ):
        number = upload(client, b"no image at all")
        record = client.get(f"/api/v1/images/{number}/other/finding.json?wait=60").json()
        assert (record["status"], record["model"]["name"]) == ("failed", "organs")


def test_image_of_one_model_says_that_the_second_has_no_finding(client, dicom):
    number = upload(client, dicom().read_bytes())
    wait_until_screened(client, number)
    for name in ("finding.json?wait=60", "maps.npz"):
        answer = client.get(f"/api/v1/images/{number}/other/{name}")
        assert answer.status_code == 404
        assert "--compare-with" in answer.json()["detail"]


def test_model_is_not_compared_with_itself(pipeline, tmp_path):
    with pytest.raises(UsageError, match=r"^--compare-with small: is the model of --bundle itself; choose another"):
        Service(tmp_path / "spool", pipeline, other=pipeline)


def test_images_of_another_model_are_listed_with_their_own_scores(client, service, static, dicom, tmp_path, pipeline):
    number = upload(client, dicom().read_bytes())
    entry = wait_until_screened(client, number)
    client.get(f"/api/v1/images/{number}/maps.npz")
    (record,) = (tmp_path / "spool" / "results").glob("*/finding.json")
    record.write_text(record.read_text().replace('"covid"', '"viral"'))
    service._found.clear()
    assert client.get(f"/api/v1/images/{number}").json()["score"] == entry["score"]


def test_screening_starts_before_the_upload_is_synced(client, dicom, pipeline, monkeypatch):
    screen, sync, started = pipeline.screen, os.fsync, threading.Semaphore(0)

    def screen_and_tell(*arguments, **options):
        started.release()
        return screen(*arguments, **options)

    def sync_later(handle):
        if not uploaded:
            uploaded.append(started.acquire(timeout=60))
        sync(handle)

    uploaded = []
    monkeypatch.setattr(pipeline, "screen", screen_and_tell)
    monkeypatch.setattr(os, "fsync", sync_later)
    number = upload(client, dicom().read_bytes())
    record = client.get(f"/api/v1/images/{number}/finding.json?wait=60").json()
    assert (record["status"], record["input"]) == ("scored", f"job {number}")
    assert uploaded == [True]
    assert not started.acquire(blocking=False)  # it was not screened again
