import os
import threading

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxrnet.errors import ObjectError
from cxrnet.node.objects.source import MAX_ATTRIBUTE_BYTES, read_source
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


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is written here
@pytest.mark.parametrize(
    ("keyword", "value", "problem"),
    [
        ("StudyInstanceUID", None, "Study Instance UID (0020,000d) is missing"),
        ("SOPInstanceUID", None, "SOP Instance UID (0008,0018) is missing"),
        ("StudyInstanceUID", "1.2..3", "Study Instance UID (0020,000d) is not a UID"),
        ("StudyInstanceUID", "../../etc/passwd", "Study Instance UID (0020,000d) is not a UID"),
    ],
)
def test_an_invalid_uid_is_named_and_not_repeated(read, study, keyword, value, problem):
    error = refusal(read, study(**{keyword: value}))
    assert error.code == "NO_UID"
    assert problem in str(error)
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
    dataset.PatientComments = "x" * (MAX_ATTRIBUTE_BYTES + 2)
    error = refusal(read, save(dataset, tmp_path / "chest.dcm"))
    assert error.code == "UNREADABLE"
    assert "Patient Comments (0010,4000) is 1048578 bytes long; at most 1048576 are read" in str(error)


def test_a_deflated_file_is_read_up_to_a_limit(read, tmp_path, monkeypatch):
    dataset = study_of()
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    path = save(dataset, tmp_path / "chest.dcm")
    source = read(path)
    assert source.reference.StudyInstanceUID == "1.2.3.4"
    assert source.patient_study.PatientName == "Doe^Jo"
    monkeypatch.setattr("cxrnet.node.objects.source.MAX_INFLATED_BYTES", 100)
    assert refusal(read, path).code in ("NO_UID", "UNREADABLE")


@pytest.mark.parametrize(
    ("given", "date_time"),
    [
        ({"ContentDate": "20240203", "ContentTime": "101112.5"}, ("20240203", "101112.5")),
        ({"AcquisitionDate": "20240204", "AcquisitionTime": "1011"}, ("20240204", "1011")),
        ({"ContentDate": "20240203"}, ("20240203", "000000")),
        ({}, ("20240102", "030405")),
        ({"StudyDate": None, "AcquisitionDateTime": "20240203101112.5+0100"}, ("20240203", "101112.5")),
    ],
)
def test_date_and_time_are_those_of_the_image(read, study, given, date_time):
    assert read(study(**given)).date_time == date_time


def test_the_reference_holds_nothing_of_the_patient(read, study):
    source = read(study(StudyDate="", StudyTime=""))
    assert source.title == "CR PA, series 2, image 3"
    assert source.date_time[0] > "20240102"  # the clock's, where the file has no date
    reference = source.reference
    assert not any(reference.get(keyword) for keyword in ("PatientName", "PatientID", "PatientBirthDate", "StudyDate"))
    assert (reference.Rows, reference.Columns) == (130, 150)


def test_a_spacing_that_cannot_be_is_left_out(read, tmp_path):
    dataset = study_of(PixelSpacing=[0, 0])
    assert "PixelSpacing" not in read(save(dataset, tmp_path / "a.dcm")).reference
    dataset.PixelSpacing = [0.2, 0.3]
    assert read(save(dataset, tmp_path / "b.dcm")).reference.PixelSpacing == [0.2, 0.3]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["L", "F"], ("L", "F")),
        (["L", "FP"], ("L", "FP")),
        ("", ()),
        (["L"], ()),
        (["L", "R"], ()),
        (["LEFT", "FEET"], ()),
    ],
)
def test_an_orientation_is_two_directions_or_none(read, study, given, kept):
    assert read(study(PatientOrientation=given)).orientation == kept
