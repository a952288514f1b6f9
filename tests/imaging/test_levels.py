import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cxrnet.imaging.levels import find_levels

SHORT = st.sampled_from(["u1", "i1", "<u2", ">u2", "<i2", ">i2"])
PICTURES = arrays.arrays(SHORT, st.just((3, 4)))


@given(stored=PICTURES, counted=st.booleans())
def test_levels_make_the_picture_again(stored, counted):
    levels = find_levels(stored, counted=counted)
    assert np.array_equal(levels.picture(levels.values.astype(np.float32)), stored.astype(np.float32))


def test_tall_picture_is_made_to_its_last_row():
    stored = np.arange(150 * 5, dtype=np.int16).reshape(150, 5) - 300
    levels = find_levels(stored, counted=False)
    assert np.array_equal(levels.picture(levels.values.astype(np.float32)), stored.astype(np.float32))


@given(stored=PICTURES)
def test_counted_levels_are_those_that_occur(stored):
    levels = find_levels(stored, counted=True)
    values, counts = np.unique(stored, return_counts=True)
    assert levels.values[0].tolist() == values.tolist()
    assert levels.counts is not None
    assert levels.counts[0].tolist() == counts.tolist()


@given(stored=PICTURES)
def test_levels_that_are_not_counted_begin_and_end_as_the_picture_does(stored):
    values = find_levels(stored, counted=False).values[0]
    assert (values[0], values[-1]) == (stored.min(), stored.max())
    assert np.all(np.diff(values) == 1)


@pytest.mark.parametrize("kind", ["<f4", "<f8", "<i4", "<u4"])
@pytest.mark.parametrize("counted", [False, True])
def test_picture_of_many_values_is_its_own_levels(kind, counted):
    stored = np.array([[1, 7], [7, 70000]], kind)
    levels = find_levels(stored, counted=counted)
    assert np.array_equal(levels.values, stored)
    assert levels.picture(levels.values.astype(np.float32)).tolist() == stored.tolist()
    assert levels.share(levels.values == 7) == 0.5


def test_share_counts_pixels_and_not_levels():
    levels = find_levels(np.array([[5, 5, 5, 9]], np.int16), counted=True)
    assert levels.share(levels.values == 5) == 0.75
