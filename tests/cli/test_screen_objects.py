"""`cxrnet screen --save seg,sr,sc,gsps`, as a user calls it."""

import csv
import json

from cxrnet.errors import MissingExtraError
from cxrnet.node.objects import FILES
from tests.node.objects.conftest import save, study, study_of

__all__ = ["study"]

ALL = "json,png,seg,sr,sc,gsps"


def test_objects_lie_next_to_the_pictures_and_go_with_the_next_run(cxrnet, small_bundle, study, tmp_path):
    words = ("screen", study(), "--out", tmp_path / "out", "--bundle", small_bundle)
    said = cxrnet(*words, "--save", ALL)
    assert (said.code, said.err) == (0, "")
    found = {path.name for path in (tmp_path / "out" / "chest").iterdir()}
    assert found == {*FILES, "finding.json", "lungs.png", "panel.png"}
    cxrnet(*words, "--save", "json")
    assert [path.name for path in (tmp_path / "out" / "chest").iterdir()] == ["finding.json"]


def test_a_picture_is_scored_and_the_missing_objects_are_one_line(cxrnet, small_bundle, study, chest, tmp_path):
    out = tmp_path / "out"
    words = ("screen", chest, study(), "--out", out, "--bundle", small_bundle, "--save", ALL)
    said = cxrnet(*words)
    line = "chest.png: is PNG; DICOM objects need the DICOM file of the radiograph"
    assert said.code == 1
    assert said.err.splitlines() == [f"ERROR NOT_DICOM {line}"]
    assert "2 images: 2 scored" in said.out
    rows = list(csv.DictReader((out / "findings.csv").read_text().splitlines()))
    assert [row["status"] for row in rows] == ["scored", "scored"]
    assert [line in row["warnings"] for row in rows] == [True, False]
    picture, xray = (out / row["folder"] for row in rows)
    assert line in json.loads((picture / "finding.json").read_text())["warnings"]
    assert (picture / "panel.png").is_file()
    assert not list(picture.glob("*.dcm"))
    assert len(list(xray.glob("*.dcm"))) == len(FILES)
    again = cxrnet(*words, "--resume")
    assert (again.code, again.err) == (said.code, said.err)


def test_a_missing_extra_is_said_before_anything_is_done(cxrnet, small_bundle, study, tmp_path, monkeypatch):
    def missing():
        raise MissingExtraError("DICOM objects: highdicom is not installed; pip install 'cxrnet[dicom]'")

    monkeypatch.setattr("cxrnet.node.objects.check_installed", missing)
    said = cxrnet("screen", study(), "--out", tmp_path / "out", "--bundle", small_bundle, "--save", "seg")
    assert said.code == 2
    assert said.err == "ERROR DICOM objects: highdicom is not installed; pip install 'cxrnet[dicom]'\n"
    assert not (tmp_path / "out").exists()


def test_an_unknown_kind_names_those_that_there_are_and_segment_knows_one_object(cxrnet, study, tmp_path):
    said = cxrnet("screen", study(), "--out", tmp_path / "out", "--save", "gif")
    assert said.code == 2
    assert "npz-full, seg, sr, sc, gsps" in said.err
    said = cxrnet("segment", study(), "--out", tmp_path / "out", "--save", "sr")
    assert said.code == 2
    assert said.err.startswith("ERROR --save sr: is not known; choose from png, overlay, npz, seg")


def test_no_identifier_leaves_the_objects(cxrnet, small_bundle, tmp_path):
    canaries = {"PatientName": "CANARY^One", "PatientID": "CANARY2", "AccessionNumber": "CANARY3", "StudyID": "CANARY4"}
    path = save(study_of(**canaries, StudyDescription="CANARY5"), tmp_path / "chest.dcm")
    said = cxrnet("screen", path, "--out", tmp_path / "out", "--bundle", small_bundle, "--save", f"{ALL},npz")
    assert "CANARY" not in said.out + said.err
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            assert (b"CANARY" in file.read_bytes()) == (file.suffix == ".dcm"), file.name
