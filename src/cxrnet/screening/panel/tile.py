"""One tile of a panel: the film, and a heat map laid over it inside the lungs."""

from dataclasses import dataclass
from typing import Final, TypeVar

import cv2
import numpy as np

from cxrnet.arrays import Bool, Float32, UInt8
from cxrnet.screening.panel.colour import DIVERGING, FRAME, SEQUENTIAL, colourise, filled
from cxrnet.screening.panel.outline import draw_level, draw_outline

MOST_OPAQUE: Final = 0.5
CLASS_LEVEL: Final = 0.75
DIFFERENCE_LEVEL: Final = 0.5  # of two classes the same line: difference = 2 class map - 1

Size = tuple[int, int]
Image = TypeVar("Image", UInt8, Float32)


@dataclass(frozen=True, kw_only=True)
class Film:
    """A radiograph at the size of a tile, with its lungs.

    Attributes:
        picture: uint8 [height, width, 3], three equal channels.
        lungs: bool [height, width].
    """

    picture: UInt8
    lungs: Bool

    @property
    def size(self) -> Size:
        """Height and width in pixels."""
        return self.lungs.shape[0], self.lungs.shape[1]


def class_opacity(score: float) -> float:
    """Opacity of the map of a class, as in the paper's figures: the score, one half at most."""
    return min(MOST_OPAQUE, score)


def difference_opacity(first: float, second: float) -> float:
    """Opacity of the difference map, as in the paper's figures: how far scores differ, one half at most."""
    return min(MOST_OPAQUE, abs(first - second))


def fitted_size(size: Size, room: Size) -> Size:
    """The largest size with the same proportions that fits into `room`; all are (height, width)."""
    ratio = min(room[0] / size[0], room[1] / size[1])
    return max(1, round(size[0] * ratio)), max(1, round(size[1] * ratio))


def fit_film(radiograph: UInt8, lungs: Bool, room: Size) -> Film:
    """The film and its lungs as large as `room` allows.

    Args:
        radiograph: uint8 [height, width].
        lungs: bool [height, width].
        room: Height and width in pixels.
    """
    size = fitted_size((radiograph.shape[0], radiograph.shape[1]), room)
    share = _resize(_thinned(lungs.view(np.uint8), size) * np.uint8(255), size)
    picture = np.repeat(_resize(radiograph, size)[..., None], 3, axis=2)
    return Film(picture=picture, lungs=share > 127)


def _resize(image: Image, size: Size) -> Image:
    is_shrunk = size[0] < image.shape[0]
    method = cv2.INTER_AREA if is_shrunk else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size[::-1], interpolation=method), dtype=image.dtype)


def _interpolated(image: Float32, size: Size) -> Float32:
    # Four times as fast as by areas, which a smooth map at no more than twice the size does not need.
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR), dtype=image.dtype)


def _thinned(image: Image, size: Size) -> Image:
    # Masks and maps are smoother than the film: twice the pixels of a tile tell all, and soon.
    if image.shape[0] <= 2 * size[0]:
        return image
    twice = (2 * size[1], 2 * size[0])
    return np.asarray(cv2.resize(image, twice, interpolation=cv2.INTER_NEAREST_EXACT), dtype=image.dtype)


def fit_map(heatmap: Float32, size: Size) -> tuple[Float32, Float32]:
    """A heat map at the size of a tile, without NaN.

    Values and the share that has a value are resized apart, then divided: nothing comes in from outside.

    Args:
        heatmap: float32 [height, width], NaN outside the lungs.
        size: Height and width in pixels.

    Returns:
        float32 [height, width] twice: the values, 0 where there are none, and the share that has one.
    """
    thin = _thinned(heatmap, size)
    has_value = np.isfinite(thin)
    values = _interpolated(np.where(has_value, thin, np.float32(0)), size)
    share = _interpolated(has_value.astype(np.float32), size)
    return np.divide(values, share, out=np.zeros_like(values), where=share > 0), share


def film_tile(film: Film, *, thickness: int) -> UInt8:
    """The film with its lungs outlined, uint8 [height, width, 3]."""
    tile = film.picture.copy()
    draw_outline(tile, film.lungs, thickness=thickness)
    return tile


def class_tile(film: Film, heatmap: Float32, *, score: float, thickness: int) -> UInt8:
    """The film under the map of a class with a line at `CLASS_LEVEL`, uint8 [height, width, 3].

    Args:
        film: The radiograph at the size of the tile.
        heatmap: float32 [height, width], 0 to 1, NaN outside the lungs.
        score: Probability of the class; the map and the line fade with it.
        thickness: Pixels of the line.
    """
    opacity = class_opacity(score)
    values, share = fit_map(heatmap, film.size)
    colours = colourise(values, SEQUENTIAL, low=0.0, high=1.0)
    tile = _laid_over(film.picture, colours, share * np.float32(opacity))
    above = values > CLASS_LEVEL
    return draw_level(tile, above, is_dashed=False, opacity=opacity / MOST_OPAQUE, thickness=thickness)


def difference_tile(film: Film, difference: Float32, *, opacity: float, thickness: int) -> UInt8:
    """The film under the difference map with lines at both `DIFFERENCE_LEVEL`, uint8 [height, width, 3].

    Args:
        film: The radiograph at the size of the tile.
        difference: float32 [height, width], -1 to 1, NaN outside the lungs.
        opacity: See `difference_opacity`; the lines fade with it.
        thickness: Pixels of a level line.
    """
    values, share = fit_map(difference, film.size)
    colours = colourise(values, DIVERGING, low=-1.0, high=1.0)
    tile = _laid_over(film.picture, colours, share * np.float32(opacity))
    for beyond, is_dashed in ((values > DIFFERENCE_LEVEL, False), (values < -DIFFERENCE_LEVEL, True)):
        tile = draw_level(tile, beyond, is_dashed=is_dashed, opacity=opacity / MOST_OPAQUE, thickness=thickness)
    return tile


def _laid_over(under: UInt8, over: UInt8, opacity: Float32) -> UInt8:
    return np.asarray(cv2.blendLinear(under, over, 1 - opacity, opacity), dtype=np.uint8)


def in_frame(tile: UInt8, room: Size) -> UInt8:
    """The tile in the middle of a frame of `room`, uint8 [height, width, 3]."""
    frame = filled(room, FRAME)
    top, left = (room[0] - tile.shape[0]) // 2, (room[1] - tile.shape[1]) // 2
    frame[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return frame
