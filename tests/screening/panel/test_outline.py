import cv2
import numpy as np
import pytest

from cxrnet.screening.panel.outline import contours_of, dashes_of, draw_level, draw_outline, straightened
from tests.plots.material import lightness


def _square():
    mask = np.zeros((60, 60), dtype=bool)
    mask[15:45, 15:45] = True
    return mask


def _tile(grey=100):
    return np.full((60, 60, 3), grey, dtype=np.uint8)


def test_contour_of_a_square_is_its_border():
    (contour,) = contours_of(_square())
    assert len(contour) == 4 * 29


def test_straightened_contour_of_a_disc_stays_within_half_a_pixel():
    rows, columns = np.mgrid[:80, :80]
    (contour,) = contours_of((rows - 40) ** 2 + (columns - 40) ** 2 < 30**2)
    (straight,) = straightened([contour])
    assert len(straight) < len(contour) / 2
    polygon = straight.astype(np.float32)
    far = [abs(cv2.pointPolygonTest(polygon, tuple(map(float, point[0])), True)) for point in contour]
    assert max(far) <= 0.5


def test_contours_include_the_holes():
    mask = _square()
    mask[25:35, 25:35] = False
    assert len(contours_of(mask)) == 2


@pytest.mark.parametrize("grey", [0, 255])
def test_outline_is_seen_on_dark_and_on_light_xray(grey):
    tile = _tile(grey)
    draw_outline(tile, _square())
    assert np.ptp(lightness(tile)) > 60


def test_outline_of_no_lungs_draws_nothing():
    tile = _tile()
    draw_outline(tile, np.zeros((60, 60), dtype=bool))
    np.testing.assert_array_equal(tile, _tile())


def test_dashes_leave_gaps():
    contours = contours_of(_square())
    assert sum(len(dash) for dash in dashes_of(contours)) < 0.6 * len(contours[0])


def test_level_is_left_as_it_was_when_opacity_is_0():
    tile = draw_level(_tile(), _square(), is_dashed=False, opacity=0.0)
    np.testing.assert_array_equal(tile, _tile())


def test_level_does_not_touch_what_is_far_from_it():
    tile = draw_level(_tile(), _square(), is_dashed=False, opacity=1.0)
    np.testing.assert_array_equal(tile[20:40, 20:40], _tile()[20:40, 20:40])


def test_dashed_level_has_less_ink_than_a_solid_one():
    ink = [
        (draw_level(_tile(), _square(), is_dashed=is_dashed, opacity=1.0) != 100).sum() for is_dashed in (True, False)
    ]
    assert ink[0] < ink[1]


def test_level_leaves_specks_out():
    speck = np.zeros((60, 60), dtype=bool)
    speck[30:33, 30:33] = True
    tile = draw_level(_tile(), speck, is_dashed=False, opacity=1.0)
    np.testing.assert_array_equal(tile, _tile())
