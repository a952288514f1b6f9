"""One tile of a panel: the radiograph, and a heat map laid over it inside the lungs."""

from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np

from cxrnet.arrays import Bool, Float32, UInt8
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.finding import Finding
from cxrnet.screening.panel.colour import DIVERGING, FRAME, SEQUENTIAL, colourise, filled
from cxrnet.screening.panel.outline import draw_level, draw_outline
from cxrnet.screening.segmentation import lungs_at

MAX_OPACITY: Final = 0.5
CLASS_LEVEL: Final = 0.75
DIFFERENCE_LEVEL: Final = 0.5  # of two classes the same line: difference = 2 class map - 1
MAX_SIDE: Final = 600  # pixels of the view; the largest tile, the radiograph of a refusal, has 560

Size = tuple[int, int]
Array = TypeVar("Array", UInt8, Float32)


@dataclass(frozen=True, kw_only=True)
class View:
    """A radiograph for display, with its lungs."""

    pixels: UInt8  # uint8 [height, width], or [height, width, 3] with three equal channels
    lungs: Bool  # bool [height, width]

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.lungs.shape[0], self.lungs.shape[1]


def view_of(finding: Finding) -> View:
    """Return the view from which a panel is drawn, its longest side at most `MAX_SIDE`; its pixels have two axes."""
    assert finding.radiograph is not None
    assert finding.lung_probability is not None
    pixels = shrink(finding.radiograph, MAX_SIDE)
    return View(pixels=pixels, lungs=lungs_at(finding.lung_probability, *pixels.shape))


def shrink(radiograph: Radiograph, longest: int) -> UInt8:
    """Return a radiograph as its file wants it shown, uint8 [height, width], its longest side at most `longest`."""
    factor = min(1.0, longest / max(radiograph.pixels.shape))
    height, width = (max(1, round(side * factor)) for side in radiograph.pixels.shape)
    small = cv2.resize(radiograph.pixels, (width, height), interpolation=cv2.INTER_AREA)
    return np.rint(radiograph.displayed(np.asarray(small, np.float32))).clip(0, 255).astype(np.uint8)


def fitted_size(size: Size, room: Size) -> Size:
    """The largest size with the same proportions that fits into `room`; all are (height, width)."""
    ratio = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def fit_view(view: View, room: Size) -> View:
    """Return the view, with three channels, as large as `room` (height and width in pixels) allows."""
    size = fitted_size(view.size, room)
    share = _fitted(_thinned(view.lungs.view(np.uint8), size) * np.uint8(255), size)
    picture = np.repeat(_fitted(view.pixels, size)[..., None], 3, axis=2)
    return View(pixels=picture, lungs=share > 127)


def _fitted(image: UInt8, size: Size) -> UInt8:
    return _resize(image, size, cv2.INTER_AREA if size[0] < image.shape[0] else cv2.INTER_LINEAR)


def _thinned(image: Array, size: Size) -> Array:
    # Masks and maps are smoother than the radiograph: twice the pixels of a tile show everything, and are fast.
    return (
        image if image.shape[0] <= 2 * size[0] else _resize(image, (2 * size[0], 2 * size[1]), cv2.INTER_NEAREST_EXACT)
    )


def _resize(image: Array, size: Size, method: int) -> Array:
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), dtype=image.dtype)


def fit_map(heatmap: Float32, size: Size) -> tuple[Float32, Float32]:
    """A heat map, NaN outside the lungs, at the size of a tile: its values, 0 where there are none, and their share.

    Both are float32 [height, width]. Values and the share that has a value are resized apart, then divided: nothing
    comes in from outside.
    """
    thin = _thinned(heatmap, size)
    has_value = np.isfinite(thin)
    # Linear: four times as fast as by areas, which a smooth map at no more than twice the size does not need.
    values = _resize(np.where(has_value, thin, np.float32(0)), size, cv2.INTER_LINEAR)
    share = _resize(has_value.astype(np.float32), size, cv2.INTER_LINEAR)
    return np.divide(values, share, out=np.zeros_like(values), where=share > 0), share


def radiograph_tile(view: View) -> UInt8:
    """The radiograph with its lungs outlined, uint8 [height, width, 3]."""
    tile = view.pixels.copy()
    draw_outline(tile, view.lungs)
    return tile


def class_tile(view: View, heatmap: Float32, *, score: float) -> UInt8:
    """The radiograph under the map of a class with a line at `CLASS_LEVEL`, uint8 [height, width, 3].

    The map is 0 to 1, NaN outside the lungs; map and line fade with the score.
    """
    opacity = min(MAX_OPACITY, score)  # as in the paper's figures
    values, share = fit_map(heatmap, view.size)
    colours = colourise(values, SEQUENTIAL, low=0.0, high=1.0)
    tile = _blended(view.pixels, colours, share * np.float32(opacity))
    return draw_level(tile, values > CLASS_LEVEL, is_dashed=False, opacity=opacity / MAX_OPACITY)


def difference_tile(view: View, difference: Float32, *, distance: float) -> UInt8:
    """The radiograph under the difference map with lines at both `DIFFERENCE_LEVEL`, uint8 [height, width, 3].

    The map is -1 to 1, NaN outside the lungs; map and lines fade with the distance of the two scores.
    """
    opacity = min(MAX_OPACITY, distance)  # as in the paper's figures
    values, share = fit_map(difference, view.size)
    colours = colourise(values, DIVERGING, low=-1.0, high=1.0)
    tile = _blended(view.pixels, colours, share * np.float32(opacity))
    for beyond, is_dashed in ((values > DIFFERENCE_LEVEL, False), (values < -DIFFERENCE_LEVEL, True)):
        tile = draw_level(tile, beyond, is_dashed=is_dashed, opacity=opacity / MAX_OPACITY)
    return tile


def _blended(under: UInt8, over: UInt8, opacity: Float32) -> UInt8:
    return np.asarray(cv2.blendLinear(under, over, 1 - opacity, opacity), dtype=np.uint8)


def in_frame(tile: UInt8, room: Size) -> UInt8:
    """The tile in the middle of a frame of `room`, uint8 [height, width, 3]."""
    frame = filled(room, FRAME)
    top, left = (room[0] - tile.shape[0]) // 2, (room[1] - tile.shape[1]) // 2
    frame[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return frame
