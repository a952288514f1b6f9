import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrnet.imaging.radiograph import Radiograph
from cxrnet.node.objects.geometry import MAX_POINTS, as_stored, outlines, parts_by_side
from cxrnet.screening.correction import correct_orientation


def lungs(*boxes, height=60, width=80):
    mask = np.zeros((height, width), dtype=bool)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_what_was_corrected_goes_back_to_where_it_is_stored(turn):
    stored = np.arange(70 * 90, dtype=np.float32).reshape(70, 90)
    upright, _ = correct_orientation(Radiograph.from_array(stored), is_inverted=False, turn=turn)
    assert upright.turned == turn
    back = as_stored(upright.pixels, upright.turned)
    np.testing.assert_allclose(back, Radiograph.from_array(stored).pixels)


def test_lungs_are_separated_by_the_middle_between_them():
    parts = parts_by_side(lungs((10, 50, 20, 38), (10, 50, 44, 78)))  # off the middle of the picture
    assert set(parts) == {"left", "right"}
    assert parts["left"].sum() == 40 * 18
    assert parts["right"].sum() == 40 * 34


def test_lungs_that_touch_are_not_separated():
    assert set(parts_by_side(lungs((10, 50, 10, 70)))) == {"both"}


def test_one_lung_has_the_side_of_the_picture_that_it_is_on():
    assert set(parts_by_side(lungs((10, 50, 50, 75)))) == {"right"}


def test_specks_have_no_border():
    parts = parts_by_side(lungs((10, 50, 10, 35), (10, 50, 45, 70), (2, 4, 2, 3), height=200, width=200))
    assert sum(part.sum() for part in parts.values()) == 40 * 25 * 2


def test_no_lungs_have_no_parts():
    assert parts_by_side(lungs()) == {}


def test_a_line_runs_through_the_middles_of_the_outermost_pixels():
    (line,) = outlines(lungs((10, 20, 30, 40)))
    assert line.min(axis=0).tolist() == [30.5, 10.5]
    assert line.max(axis=0).tolist() == [39.5, 19.5]


@settings(max_examples=25)
@given(st.lists(st.tuples(*[st.integers(0, 60)] * 4), min_size=1, max_size=6))
def test_lines_are_closed_and_hold_what_they_surround(boxes):
    mask = lungs(*((min(a, b), max(a, b) + 3, min(c, d), max(c, d) + 3) for a, b, c, d in boxes), height=70, width=70)
    drawn = np.zeros(mask.shape, dtype=np.uint8)
    lines = list(outlines(mask))
    for line in lines:
        assert (line[0] == line[-1]).all()
    cv2.fillPoly(drawn, [np.rint(line - 0.5).astype(np.int32) for line in lines], 1)
    cv2.polylines(drawn, [np.rint(line - 0.5).astype(np.int32) for line in lines], False, 1)
    assert (drawn.astype(bool) != mask).mean() < 0.05


def test_a_ragged_border_fits_into_an_attribute():
    ragged = np.zeros((600, 600), dtype=bool)
    ragged[50:550, 50:550] = True
    ragged[::2, 50:550:4] = False
    ragged[300:550] = True
    assert all(len(line) <= MAX_POINTS for line in outlines(ragged))
