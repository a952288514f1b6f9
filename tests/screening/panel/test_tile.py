import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet import Radiograph
from cxrnet.screening.panel.tile import (
    View,
    class_tile,
    difference_tile,
    fit_map,
    fit_view,
    fitted_size,
    in_frame,
    radiograph_tile,
    shrink,
)
from tests.plots.material import lung_mask, radiograph
from tests.screening.panel.material import heatmap

ROOM = (320, 362)


def blank(height, width):
    return Radiograph(pixels=np.zeros((height, width), np.float32), name="blank", sha256="", format="array")


def fitted(height=120, width=136):
    view = View(pixels=radiograph(height, width), lungs=lung_mask(height, width))
    return fit_view(view, ROOM)


@pytest.fixture
def view():
    return fitted()


def _far_outside(view):
    return ~cv2.dilate(view.lungs.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)


def test_radiograph_outside_the_lungs_is_the_same_under_a_class_map(view):
    tile = class_tile(view, heatmap(), score=0.9)
    outside = _far_outside(view)
    np.testing.assert_array_equal(tile[outside], radiograph_tile(view)[outside])


def test_radiograph_outside_the_lungs_is_the_same_under_the_difference(view):
    tile = difference_tile(view, 2 * heatmap() - 1, distance=0.5)
    outside = _far_outside(view)
    np.testing.assert_array_equal(tile[outside], view.pixels[outside])


def test_radiograph_is_all_that_is_seen_when_the_score_is_0(view):
    np.testing.assert_array_equal(class_tile(view, heatmap(), score=0.0), view.pixels)


def test_radiograph_is_all_that_is_seen_when_a_map_is_empty(view):
    empty = np.full((120, 136), np.nan, dtype=np.float32)
    np.testing.assert_array_equal(class_tile(view, empty, score=1.0), view.pixels)


def test_class_map_is_seen_inside_the_lungs(view):
    tile = class_tile(view, heatmap(), score=0.9).astype(int)
    assert np.ptp(tile[view.lungs], axis=1).mean() > 20


@given(st.integers(64, 4000), st.floats(0.2, 5))
def test_fitted_size_keeps_proportions_and_fits(height, aspect):
    width = max(64, round(height / aspect))
    fitted = fitted_size((height, width), ROOM)
    assert fitted[0] <= ROOM[0]
    assert fitted[1] <= ROOM[1]
    assert fitted[0] == pytest.approx(height * fitted[1] / width, abs=0.5 * height / width + 0.5)


@pytest.mark.parametrize("size", [(64, 64), (300, 340), (1955, 1841)])
def test_map_takes_nothing_from_outside(size):
    flat = np.where(lung_mask(*size), np.float32(0.7), np.float32(np.nan))
    values, share = fit_map(flat, (320, 300))
    np.testing.assert_allclose(values[share > 0], 0.7, atol=1e-4)


def test_map_is_linear_between_its_values():
    ramp = np.linspace(0, 1, 100, dtype=np.float32)[:, None].repeat(100, axis=1)
    values, _ = fit_map(ramp, (400, 400))
    assert (np.diff(values[4:-4, 0]) > 0).all()


def test_radiograph_keeps_its_mean_when_shrunk():
    large = radiograph(1955, 1841)
    assert fitted(1955, 1841).pixels.mean() == pytest.approx(large.mean(), abs=0.5)


@pytest.mark.parametrize("size", [(64, 64), (300, 340), (1955, 1841)])
def test_lungs_keep_their_share_of_the_radiograph(size):
    assert fitted(*size).lungs.mean() == pytest.approx(lung_mask(*size).mean(), abs=0.01)


def test_frame_holds_the_tile_in_its_middle(view):
    framed = in_frame(view.pixels, (400, 500))
    top, left = (400 - view.size[0]) // 2, (500 - view.size[1]) // 2
    np.testing.assert_array_equal(framed[top : top + view.size[0], left : left + view.size[1]], view.pixels)


@pytest.mark.parametrize("shape", [(1955, 1841), (64, 4000), (30, 30)])
def test_view_has_a_longest_side_of_at_most_600(shape):
    view = shrink(blank(*shape), 600)
    assert max(view.shape) <= 600
    assert view.dtype == np.uint8


def test_view_keeps_the_proportions():
    assert shrink(blank(1600, 1200), 800).shape == (800, 600)
