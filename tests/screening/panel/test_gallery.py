import numpy as np
import pytest

from cxrnet.screening.panel.colour import DIVERGING, SEQUENTIAL
from cxrnet.screening.panel.gallery import TILE, draw_gallery, tile_height
from cxrnet.screening.panel.tile import view_of
from tests.screening.panel.material import heatmap, scored

BAR = round(TILE)


def gallery(finding):
    return draw_gallery(finding, view_of(finding))


def _bars(gallery, scale):
    expected = scale[np.linspace(0, 255, BAR).astype(np.uint8)]
    starts = [round(40 + column * (TILE + 24)) for column in range(4)]
    return sum(bool((gallery[:, left : left + BAR] == expected).all(axis=(1, 2)).any()) for left in starts)


def test_gallery_has_a_class_scale_for_each_of_two_classes():
    assert _bars(gallery(scored()), SEQUENTIAL) == 2


def test_gallery_has_one_difference_scale():
    assert _bars(gallery(scored()), DIVERGING) == 1


def test_gallery_has_no_difference_scale_for_three_classes():
    assert _bars(gallery(scored(scores=dict.fromkeys("abc", 1 / 3))), DIVERGING) == 0


@pytest.mark.parametrize("gain", [0.0, 0.1, 1.0])
def test_scale_does_not_depend_on_the_values(gain):
    maps = {name: heatmap() * np.float32(gain) for name in ("covid", "non-covid")}
    assert _bars(gallery(scored(heatmaps=maps)), SEQUENTIAL) == 2


def test_gallery_wraps_above_four_tiles():
    three = scored(scores=dict.fromkeys("abc", 1 / 3))
    four = scored(scores=dict.fromkeys("abcd", 1 / 4))
    heights = [gallery(finding).shape[0] for finding in (three, four)]
    assert heights[1] > 1.7 * heights[0]


def test_tile_has_the_proportions_of_the_radiograph():
    assert tile_height((1955, 1841)) == pytest.approx(TILE * 1955 / 1841)


@pytest.mark.parametrize(("size", "proportion"), [((100, 500), 0.7), ((500, 100), 1.3)])
def test_tile_is_limited_when_the_radiograph_is_odd(size, proportion):
    assert tile_height(size) == pytest.approx(TILE * proportion)
