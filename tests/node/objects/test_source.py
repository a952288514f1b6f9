from __future__ import annotations

import os
import threading
import warnings
import zlib

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrnet.errors import ObjectError
from cxrnet.node.objects.source import LARGEST, read_source
from tests.node.objects.conftest import save, study_of


@pytest.fixture
def read(pipeline):
    return lambda path: read_source(pipeline.screen(path), path)


def refusal(read, path):
    with pytest.raises(ObjectError) as caught:
        read(path)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_a_picture_has_no_study(pipeline, read, tmp_path):
    import cv2

    path = tmp_path / "chest.png"
    cv2.imwrite(str(path), study_of().pixel_array)
    error = refusal(read, path)
    assert error.code == "NOT_DICOM"
    assert str(error) == "chest.png: is PNG; DICOM objects need the DICOM file of the radiograph"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"])
def test_a_uid_that_is_missing_is_named(read, study, keyword):
    error = refusal(read, study(**{keyword: None}))
    assert error.code == "NO_UID"
    assert "Instance UID (" in str(error)
    assert "is missing" in str(error)


def test_what_is_no_uid_is_not_repeated(read, tmp_path):
    dataset = study_of()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset.add_new("StudyInstanceUID", "UI", "../../etc/passwd")
        path = save(dataset, tmp_path / "chest.dcm")
        error = refusal(read, path)
    assert error.code == "NO_UID"
    assert "Study Instance UID (0020,000d) is not a UID" in str(error)
    assert "passwd" not in str(error)


def test_a_file_that_has_changed_since_is_refused(pipeline, study):
    path = study()
    finding = pipeline.screen(path)
    path.write_bytes(path.read_bytes() + b"\0\0")
    assert refusal(lambda _: read_source(finding, path), path).code == "CHANGED"


def test_a_file_that_is_gone_is_refused(pipeline, study):
    path = study()
    finding = pipeline.screen(path)
    path.unlink()
    error = refusal(lambda _: read_source(finding, path), path)
    assert error.code == "NO_FILE"
    assert "No such file" in str(error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_its_place_does_not_hang(pipeline, study):
    path = study()
    finding = pipeline.screen(path)
    path.unlink()
    os.mkfifo(path)
    codes = []
    waiting = threading.Thread(
        target=lambda: codes.append(refusal(lambda _: read_source(finding, path), path).code), daemon=True
    )
    waiting.start()
    waiting.join(timeout=20)
    assert codes == ["CHANGED"]


def test_an_attribute_of_megabytes_is_refused(read, tmp_path):
    dataset = study_of()
    dataset.add_new("PatientComments", "LT", "x")
    dataset["PatientComments"].VR = "UT"
    dataset.PatientComments = "x" * (LARGEST + 2)
    error = refusal(read, save(dataset, tmp_path / "chest.dcm"))
    assert error.code == "UNREADABLE"
    assert "Patient Comments (0010,4000) is 1048578 bytes long; at most 1048576 are read" in str(error)


def test_a_deflated_file_is_read(read, tmp_path):
    dataset = study_of()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    source = read(save(dataset, tmp_path / "chest.dcm"))
    assert source.reference.StudyInstanceUID == "1.2.3.4"
    assert source.patient_study.PatientName == "Doe^Jo"


def test_a_deflated_file_is_inflated_up_to_a_limit(monkeypatch, read, tmp_path):
    taken = []
    whole = zlib.decompressobj

    class Watched:
        def __init__(self, *arguments):
            self.inner = whole(*arguments)

        def decompress(self, data, most=0):
            taken.append(most)
            return self.inner.decompress(data, most)

    monkeypatch.setattr("cxrnet.node.objects.source.zlib.decompressobj", Watched)
    dataset = study_of()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    read(save(dataset, tmp_path / "chest.dcm"))
    assert taken == [32 * 2**20]


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ({"ContentDate": "20240203", "ContentTime": "101112.5"}, ("20240203", "101112.5")),
        ({"AcquisitionDate": "20240204", "AcquisitionTime": "1011"}, ("20240204", "1011")),
        ({"ContentDate": "20240203"}, ("20240203", "000000")),
        ({}, ("20240102", "030405")),
    ],
)
def test_the_moment_is_that_of_the_image(read, study, given, moment):
    assert read(study(**given)).moment == moment


def test_a_film_without_a_date_takes_the_clock(read, study):
    date, time = read(study(StudyDate="", StudyTime="")).moment
    assert len(date) == 8
    assert date > "20240102"
    assert len(time) == 6


def test_the_reference_holds_nothing_of_the_patient(read, study):
    reference = read(study()).reference
    assert not any(reference.get(keyword) for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate"))
    assert (reference.Rows, reference.Columns) == (130, 150)


def test_a_spacing_that_cannot_be_is_left_out(read, tmp_path):
    dataset = study_of(PixelSpacing=[0, 0])
    assert "PixelSpacing" not in read(save(dataset, tmp_path / "a.dcm")).reference
    dataset.PixelSpacing = [0.2, 0.3]
    assert read(save(dataset, tmp_path / "b.dcm")).reference.PixelSpacing == [0.2, 0.3]


@pytest.mark.parametrize(("given", "kept"), [(["L", "F"], ("L", "F")), ("", ()), (["L"], ())])
def test_an_orientation_is_two_directions_or_none(read, study, given, kept):
    assert read(study(PatientOrientation=given)).orientation == kept


def test_films_of_a_study_are_told_apart_without_a_name(read, study):
    assert read(study()).title == "CR PA, series 2, image 3"
