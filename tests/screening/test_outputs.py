from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from cxrnet.errors import UsageError
from cxrnet.screening.outputs import write_finding
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


def test_saves_are_parsed():
    assert parse_saves("json, png,,npz") == {"json", "png", "npz"}


def test_unknown_save_is_refused():
    with pytest.raises(UsageError, match=r"gif.*npz-full"):
        parse_saves("json,gif")
