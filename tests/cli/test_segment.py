from __future__ import annotations

import pydicom


def test_segment_writes_lungs_alone(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 0
    assert "1 image: 1 segmented" in said.out
    assert [path.name for path in (tmp_path / "out" / "chest").iterdir()] == ["lungs.png"]


def test_segment_exits_1_when_an_input_fails(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "nix.png", "--out", tmp_path / "out", "--bundle", small_bundle)
    assert said.code == 1
    assert "ERROR NOT_FOUND nix.png" in said.err


def test_segment_writes_a_dicom_segment_for_each_class(cxrnet, organs_bundle, dicom, tmp_path):
    path = dicom(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", Rows=130)
    said = cxrnet("segment", path, "--out", tmp_path / "out", "--bundle", organs_bundle, "--save", "seg")
    assert said.code == 0
    assert sorted(each.name for each in (tmp_path / "out" / "chest").iterdir()) == [
        "labels.png",
        "lungs.png",
        "lungs.seg.dcm",
    ]
    assert len(pydicom.dcmread(tmp_path / "out" / "chest" / "lungs.seg.dcm").SegmentSequence) == 3
