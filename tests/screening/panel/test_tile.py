import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.screening.panel.tile import (
    class_opacity,
    class_tile,
    difference_opacity,
    difference_tile,
    film_tile,
    fit_film,
    fit_map,
    fitted_size,
    in_frame,
)
from tests.plots.material import heatmap, lung_mask, radiograph

ROOM = (320, 362)


@pytest.fixture
def film():
    return fit_film(radiograph(), lung_mask(), ROOM)


def _far_outside(film):
    return ~cv2.dilate(film.lungs.astype(np.uint8), np.ones((15, 15), np.uint8)).astype(bool)


def test_film_outside_the_lungs_is_the_same_under_a_class_map(film):
    tile = class_tile(film, heatmap(), score=0.9, thickness=1)
    outside = _far_outside(film)
    np.testing.assert_array_equal(tile[outside], film_tile(film, thickness=2)[outside])


def test_film_outside_the_lungs_is_the_same_under_the_difference(film):
    tile = difference_tile(film, 2 * heatmap() - 1, opacity=0.5, thickness=1)
    outside = _far_outside(film)
    np.testing.assert_array_equal(tile[outside], film.picture[outside])


def test_film_is_all_that_is_seen_when_the_score_is_0(film):
    np.testing.assert_array_equal(class_tile(film, heatmap(), score=0.0, thickness=1), film.picture)


def test_film_is_all_that_is_seen_when_the_scores_are_equal(film):
    opacity = difference_opacity(0.5, 0.5)
    tile = difference_tile(film, 2 * heatmap() - 1, opacity=opacity, thickness=1)
    np.testing.assert_array_equal(tile, film.picture)


def test_film_is_all_that_is_seen_when_a_map_is_empty(film):
    empty = np.full((120, 136), np.nan, dtype=np.float32)
    np.testing.assert_array_equal(class_tile(film, empty, score=1.0, thickness=1), film.picture)


def test_class_map_is_seen_inside_the_lungs(film):
    tile = class_tile(film, heatmap(), score=0.9, thickness=1).astype(int)
    assert np.ptp(tile[film.lungs], axis=1).mean() > 20


@pytest.mark.parametrize(("score", "opacity"), [(0, 0), (0.2, 0.2), (0.5, 0.5), (1, 0.5)])
def test_class_opacity_follows_the_score_to_one_half(score, opacity):
    assert class_opacity(score) == opacity


@pytest.mark.parametrize(("first", "second", "opacity"), [(1, 0, 0.5), (0, 1, 0.5), (0.5, 0.5, 0)])
def test_difference_opacity_follows_the_distance_of_the_scores(first, second, opacity):
    assert difference_opacity(first, second) == opacity


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


def test_map_has_no_nan(film):
    values, share = fit_map(heatmap(), film.size)
    assert np.isfinite(values).all()
    assert np.isfinite(share).all()


def test_map_is_linear_between_its_values():
    ramp = np.linspace(0, 1, 100, dtype=np.float32)[:, None].repeat(100, axis=1)
    values, _ = fit_map(ramp, (400, 400))
    assert (np.diff(values[4:-4, 0]) > 0).all()


def test_film_keeps_its_mean_when_shrunk():
    large = radiograph(1955, 1841)
    film = fit_film(large, lung_mask(1955, 1841), ROOM)
    assert film.picture.mean() == pytest.approx(large.mean(), abs=0.5)


@pytest.mark.parametrize("size", [(64, 64), (300, 340), (1955, 1841)])
def test_lungs_keep_their_share_of_the_film(size):
    film = fit_film(radiograph(*size), lung_mask(*size), ROOM)
    assert film.lungs.mean() == pytest.approx(lung_mask(*size).mean(), abs=0.01)


def test_frame_holds_the_tile_in_its_middle(film):
    framed = in_frame(film.picture, (400, 500))
    top, left = (400 - film.size[0]) // 2, (500 - film.size[1]) // 2
    np.testing.assert_array_equal(framed[top : top + film.size[0], left : left + film.size[1]], film.picture)
