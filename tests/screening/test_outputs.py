import json

import cv2
import numpy as np
import pytest

from cxrnet import Pipeline
from cxrnet.errors import UsageError
from cxrnet.screening.csv_output import cell_text
from cxrnet.screening.heatmap import resize
from cxrnet.screening.outputs import write_finding, write_segmentation
from cxrnet.screening.saves import parse_saves
from cxrnet.screening.segmentation import lungs_at


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def test_finding_is_written_as_record_and_pictures(pipeline, chest, tmp_path):
    write_finding(pipeline.screen(chest), tmp_path / "out", {"json", "png"})
    assert listing(tmp_path / "out") == ["finding.json", "lungs.png", "panel.png"]


def test_lungs_png_has_the_size_of_the_image(pipeline, chest, tmp_path):
    finding = pipeline.screen(chest)
    write_finding(finding, tmp_path / "out", {"png"})
    lungs = cv2.imread(str(tmp_path / "out" / "lungs.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(lungs, lungs_at(finding.lung_probability, 130, 150) * 255)


def test_panel_png_is_1600_wide(pipeline, chest, tmp_path):
    write_finding(pipeline.screen(chest), tmp_path / "out", {"png"})
    assert cv2.imread(str(tmp_path / "out" / "panel.png")).shape[1] == 1600


def test_npz_holds_maps_at_the_size_of_the_prepared_image(pipeline, chest, tmp_path):
    write_finding(pipeline.screen(chest), tmp_path / "out", {"npz"})
    with np.load(tmp_path / "out" / "maps.npz", allow_pickle=False) as maps:
        assert maps["heatmap_covid"].shape == maps["spread_covid"].shape == maps["lung_probability"].shape == (64, 72)
        assert "heatmap_covid_full" not in maps


def test_npz_full_holds_maps_at_the_size_of_the_image(pipeline, chest, tmp_path):
    write_finding(pipeline.screen(chest), tmp_path / "out", {"npz-full"})
    with np.load(tmp_path / "out" / "maps.npz", allow_pickle=False) as maps:
        assert maps["heatmap_covid_full"].shape == (130, 150)


def test_refused_image_gets_a_panel_and_no_heat_map(pipeline, dicom, tmp_path):
    write_finding(pipeline.screen(dicom(Modality="CT")), tmp_path / "out", {"json", "png", "npz"})
    assert listing(tmp_path / "out") == ["finding.json", "lungs.png", "maps.npz", "panel.png"]
    assert json.loads((tmp_path / "out" / "finding.json").read_text())["scores"] is None
    with np.load(tmp_path / "out" / "maps.npz", allow_pickle=False) as maps:
        assert set(maps) == {"lung_probability"}


def test_classes_are_written_by_their_index_and_add_up_to_the_lungs(organs_bundle, chest, tmp_path):
    with Pipeline.load(organs_bundle) as pipeline:
        finding, segmentation = pipeline.screen(chest), pipeline.segment(chest)
    write_finding(finding, tmp_path / "finding", {"png", "npz"})
    write_segmentation(segmentation, tmp_path / "segmentation", {"npz"})
    with np.load(tmp_path / "finding" / "maps.npz", allow_pickle=False) as maps:
        classes, lungs = maps["class_probability"], maps["lung_probability"]
    assert classes.shape == (4, 64, 72)
    np.testing.assert_array_equal(lungs, classes[1] + classes[2])
    wanted = np.argmax(resize(classes, 130, 150), axis=0)
    assert len(np.unique(wanted)) > 2
    for name in ("finding", "segmentation"):
        labels = cv2.imread(str(tmp_path / name / "labels.png"), cv2.IMREAD_UNCHANGED)
        assert (labels == wanted).mean() > 0.999, name
    np.testing.assert_allclose(segmentation.probability, lungs, atol=1e-5)


def test_saves_are_parsed():
    assert parse_saves("json, png,,npz") == {"json", "png", "npz"}


def test_unknown_save_is_refused():
    with pytest.raises(UsageError, match=r"gif.*npz-full"):
        parse_saves("json,gif")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a\x1b[31mb\x7f", r"a\x1b[31mb\x7f"),
        ("a\tb", r"a\tb"),
        ("a\nb", "a b"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u3000é", "a\u3000é"),
    ],
)
def test_a_cell_holds_no_character_that_a_terminal_obeys(text, cell):
    assert cell_text(text, "input") == cell
