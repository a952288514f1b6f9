import cv2
import numpy as np
import pydicom

from cxrnet.screening.panel.colour import REGIONS


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


def test_overlay_colours_each_class_and_names_it_below(cxrnet, organs_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "--out", tmp_path / "out", "--bundle", organs_bundle, "--save", "overlay")
    assert said.code == 0
    labels = cv2.imread(str(tmp_path / "out" / "chest" / "labels.png"), cv2.IMREAD_UNCHANGED)
    overlay = cv2.imread(str(tmp_path / "out" / "chest" / "overlay.png"))[..., ::-1].astype(int)
    grey = cv2.imread(str(chest), cv2.IMREAD_GRAYSCALE)
    assert overlay.shape[1] == labels.shape[1]
    assert overlay.shape[0] > labels.shape[0]
    inner = {index: cv2.erode((labels == index).astype(np.uint8), np.ones((13, 13))) > 0 for index in np.unique(labels)}
    assert len(inner) > 2
    for index, region in inner.items():
        shown = overlay[: len(labels)][region]
        wanted = np.repeat(grey[region][:, None], 3, axis=1)
        if index:
            wanted = 0.65 * wanted + 0.35 * np.array(REGIONS[index - 1])
            assert (overlay[len(labels) :] == REGIONS[index - 1]).all(axis=2).any()
        assert np.abs(shown - wanted).max() <= 1


def test_overlay_of_lungs_has_one_colour(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "--out", tmp_path / "out", "--bundle", small_bundle, "--save", "overlay")
    assert said.code == 0
    key = cv2.imread(str(tmp_path / "out" / "chest" / "overlay.png"))[130:, :, ::-1]
    assert (key == REGIONS[0]).all(axis=2).any()
    assert not (key == REGIONS[1]).all(axis=2).any()


def test_segment_refuses_what_only_screen_saves(cxrnet, small_bundle, chest, tmp_path):
    said = cxrnet("segment", chest, "--out", tmp_path / "out", "--bundle", small_bundle, "--save", "json")
    assert said.code == 2
    assert "--save json" in said.err
