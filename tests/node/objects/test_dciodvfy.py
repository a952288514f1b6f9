"""The objects as dciodvfy sees them, the conformance checker of dicom3tools (Debian: apt-get install dicom3tools)."""

import shutil
import subprocess

import pytest
from pydicom.dataset import Dataset

from cxrnet import Pipeline
from cxrnet.node.objects import FILES, OBJECTS, write_objects
from tests.node.objects.conftest import raw, refused, save, study_of, table

DCIODVFY = shutil.which("dciodvfy")
pytestmark = pytest.mark.skipif(DCIODVFY is None, reason="needs dciodvfy, of the Debian package dicom3tools")


def errors(path):
    done = subprocess.run([DCIODVFY, "-new", str(path)], capture_output=True, text=True, errors="replace", check=False)
    assert "Error" in done.stderr or done.returncode == 0
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


def check(finding, path, folder):
    paths = write_objects(finding, path, OBJECTS, folder).paths
    for each in paths:
        assert errors(each) == [], each.name
    return [each.name for each in paths]


def test_dciodvfy_finds_errors_where_there_are_some(pipeline, study, tmp_path):
    path = study()
    ((report,), _) = write_objects(pipeline.screen(path), path, {"sr"}, tmp_path)
    import pydicom

    dataset = pydicom.dcmread(report)
    del dataset.CompletionFlag
    dataset.save_as(report)
    assert any("CompletionFlag" in line for line in errors(report))


@pytest.mark.parametrize(
    "attributes",
    [
        {"PatientOrientation": "", "BodyPartExamined": "LUNG"},
        {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 100, "WindowWidth": 200},
        {"RescaleSlope": 2, "RescaleIntercept": -5, "PixelSpacing": [0.2, 0.2], "SpecificCharacterSet": "ISO_IR 192"},
        {"PatientName": None, "ReferringPhysicianName": None, "StudyID": None, "AccessionNumber": None},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "SeriesNumber": None, "InstanceNumber": None},
    ],
    ids=["orientation unknown", "inverted", "rescaled", "sparse", "secondary capture"],
)
def test_made_up_studies_are_sound(pipeline, study, tmp_path, attributes):
    path = study(**attributes)
    assert check(pipeline.screen(path), path, tmp_path / "out") == list(FILES)


INVALID = [
    {"StudyDate": b"2020.01.02", "StudyTime": b"10:11:12", "PatientAge": b"62", "PatientWeight": b"80,5"},
    {"SpecificCharacterSet": b"Not Supplied", "PatientName": b"M\xfcller^J\xf6rg"},
    {"PatientSex": b"Male", "PatientID": b"1" * 70, "StudyDescription": b"A\\B\r\n", "PatientName": b"a^b^c^d^e^f "},
    {"ClinicalTrialProtocolID": b"P1", "ResponsiblePerson": b"x ", "PatientIdentityRemoved": b"YES "},
    {
        "ContentDate": b"2020-01-02",
        "ContentTime": b"256199",
        "PixelSpacing": b"0.14285714285714285\\0.1428571428571428",
    },
    {"LossyImageCompression": b"01", "LossyImageCompressionRatio": b"12.345678901234567 "},
]


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, of what is written here
@pytest.mark.parametrize("values", INVALID, ids=lambda values: next(iter(values)))
def test_objects_of_an_invalid_header_are_sound(pipeline, tmp_path, values):
    dataset = raw(
        study_of(OtherPatientIDsSequence=[raw(Dataset(), PatientID=b"X1")], ProcedureCodeSequence=[]), **values
    )
    path = save(dataset, tmp_path / "chest.dcm")
    assert check(pipeline.screen(path), path, tmp_path / "out") == list(FILES)


@pytest.mark.parametrize(
    ("keyword", "bits"),
    [*(("VOILUTSequence", bits) for bits in (8, 10, 12, 16)), ("ModalityLUTSequence", 8), ("ModalityLUTSequence", 16)],
)
def test_a_table_is_sound(pipeline, tmp_path, keyword, bits):
    path = save(study_of(**{keyword: [table(bits)]}), tmp_path / "chest.dcm")
    finding = pipeline.screen(path)
    (state,) = write_objects(finding, path, {"gsps"}, tmp_path / "out").paths
    assert errors(state) == []


@pytest.mark.parametrize("name", ["bad_values", "charset_1", "sequence_un", "voi_lut", "intercept_only"])
def test_objects_of_a_known_fault_are_sound(pipeline, shared, tmp_path, name):
    path = shared / "faults" / "objects" / f"o_{name}.dcm"
    check(pipeline.screen(path), path, tmp_path / "out")


def test_only_the_uid_of_the_radiograph_is_quoted_invalid(pipeline, shared, tmp_path):
    path = shared / "faults" / "objects" / "o_uid_leading_zero.dcm"
    for each in write_objects(pipeline.screen(path), path, OBJECTS, tmp_path / "out").paths:
        assert all("ReferencedSOPInstanceUID" in line and "Leading zeroes" in line for line in errors(each))


def test_a_refused_xray_is_sound(usual, tmp_path):
    path, finding, _ = usual
    assert len(check(refused(finding), path, tmp_path / "out")) == 4


def test_a_turned_xray_is_sound(turned, tmp_path):
    path, finding = turned(90)
    assert check(finding, path, tmp_path / "out") == list(FILES)


@pytest.mark.slow
def test_rg1_is_sound(rg1, tmp_path):
    with Pipeline.load("covid") as own:
        finding = own.screen(rg1)
    assert finding.status == "scored"
    assert check(finding, rg1, tmp_path / "out") == list(FILES)


def test_a_dx_is_sound(pipeline, shared, tmp_path):
    path = shared / "data" / "odd" / "dicom" / "dx_thorax_mono1_small.dcm"
    finding = pipeline.screen(path)  # a gate that lets all pass, for the heat map's sake
    assert finding.status == "scored"
    assert check(finding, path, tmp_path / "out") == list(FILES)


@pytest.mark.slow
def test_a_dx_that_is_refused_is_sound(shared, tmp_path):
    path = shared / "data" / "odd" / "dicom" / "dx_thorax_mono1_small.dcm"
    with Pipeline.load("covid") as own:
        finding = own.screen(path)
    assert finding.status == "refused"
    assert len(check(finding, path, tmp_path / "out")) == 4
