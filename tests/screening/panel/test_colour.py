import numpy as np
import pytest

from cxrnet.screening.panel.colour import (
    BACKGROUND,
    DIVERGING,
    FOLD,
    QUIET,
    SEQUENTIAL,
    TEXT,
    WARNING,
    colourise,
)
from tests.plots.material import lightness


@pytest.mark.parametrize("scale", [SEQUENTIAL, DIVERGING], ids=["sequential", "diverging"])
def test_scale_rises_in_lightness(scale):
    light = lightness(scale)
    assert (np.diff(light[::8]) > 0).all()
    assert light[-1] - light[0] > 65


def test_diverging_scale_is_grey_in_the_middle():
    assert np.ptp(DIVERGING[127].astype(int)) < 8


def test_diverging_scale_is_blue_below_and_amber_above():
    low, high = DIVERGING[32].astype(int), DIVERGING[223].astype(int)
    assert low[2] > low[0]
    assert high[0] > high[2]


@pytest.mark.parametrize(("value", "step"), [(-1, 0), (0, 128), (1, 255)])
def test_colourise_gives_a_value_its_colour(value, step):
    colours = colourise(np.full((2, 2), value, dtype=np.float32), DIVERGING, low=-1, high=1)
    np.testing.assert_array_equal(colours[0, 0], DIVERGING[step])


@pytest.mark.parametrize(("value", "step"), [(-0.5, 0), (1.5, 255)])
def test_colourise_takes_the_end_when_beyond_it(value, step):
    colours = colourise(np.full((2, 2), value, dtype=np.float32), SEQUENTIAL, low=0, high=1)
    np.testing.assert_array_equal(colours[0, 0], SEQUENTIAL[step])


@pytest.mark.parametrize("colour", [TEXT, QUIET, WARNING, FOLD])
def test_colour_stands_out_from_the_background_on_a_grey_screen(colour):
    light = lightness(np.array([colour, BACKGROUND], dtype=np.uint8))
    assert light[0] - light[1] > 55
