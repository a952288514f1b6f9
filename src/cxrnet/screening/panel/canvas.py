"""A strip of a panel to draw on; coordinates are in units of 1/1600 of its width."""

from typing import Final, Literal

import cv2
import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.screening.panel.colour import BACKGROUND, TEXT, Colour, filled
from cxrnet.screening.panel.text import ellipsise, text_coverage, text_width, wrap

UNITS: Final = 1600
MARGIN: Final = 40

# Sizes of type, in units.
SMALL: Final = 20
BODY: Final = 24
TITLE: Final = 32
VERDICT: Final = 54

_SHIFT: Final = 4  # OpenCV draws to 1/16 of a pixel

Align = Literal["left", "centre", "right"]


class Canvas:
    """Pixels of a strip as wide as the panel, and the few marks that a panel needs.

    Args:
        height: Units.
        width: Pixels.

    Attributes:
        pixels: uint8 [height, width, 3], RGB.
        scale: Pixels in a unit.
    """

    def __init__(self, height: float, *, width: int) -> None:
        self.scale = width / UNITS
        self.pixels: UInt8 = filled((self.to_pixels(height), width), BACKGROUND)

    def to_pixels(self, units: float) -> int:
        """A length in whole pixels, at least one."""
        return max(1, round(units * self.scale))

    def paste(self, picture: UInt8, left: float, top: float) -> None:
        """Put a picture of uint8 [height, width, 3] at a place that holds all of it."""
        row, column = round(top * self.scale), round(left * self.scale)
        self.pixels[row : row + picture.shape[0], column : column + picture.shape[1]] = picture

    def text(
        self,
        words: str,
        left: float,
        baseline: float,
        *,
        size: float = SMALL,
        colour: Colour = TEXT,
        align: Align = "left",
        room: float = UNITS,
    ) -> None:
        """Write one line, cut in its middle to `room` units; `left` may be its centre or its end."""
        pixels = size * self.scale
        words = ellipsise(words, pixels, room * self.scale)
        shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * text_width(words, pixels)
        coverage, column, row = text_coverage(words, pixels)
        self._blend(coverage, round(left * self.scale - shift) + column, round(baseline * self.scale) + row, colour)

    def _blend(self, coverage: UInt8, left: int, top: int, colour: Colour) -> None:
        bottom, right = top + coverage.shape[0], left + coverage.shape[1]
        rows = slice(max(top, 0), max(bottom, 0))
        columns = slice(max(left, 0), max(right, 0))
        under = self.pixels[rows, columns]
        seen = coverage[max(-top, 0) :, max(-left, 0) :][: under.shape[0], : under.shape[1], None] / np.float32(255)
        under[:] = under + (np.array(colour, dtype=np.float32) - under) * seen + np.float32(0.5)

    def measure(self, words: str, *, size: float = SMALL) -> float:
        """Width of a line in units."""
        return text_width(words, size * self.scale) / self.scale

    def box(self, left: float, top: float, width: float, height: float, colour: Colour) -> None:
        """Fill a rectangle."""
        row, column = round(top * self.scale), round(left * self.scale)
        rows, columns = self.to_pixels(height), self.to_pixels(width)
        self.pixels[row : row + rows, column : column + columns] = colour

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a shape given by (x, y) corners."""
        corners = np.array([[self._fine(x), self._fine(y)] for x, y in points], dtype=np.int32)
        cv2.fillPoly(self.pixels, [corners], colour, lineType=cv2.LINE_AA, shift=_SHIFT)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a disc."""
        centre = (self._fine(x), self._fine(y))
        cv2.circle(self.pixels, centre, self._fine(radius), colour, -1, cv2.LINE_AA, _SHIFT)

    def _fine(self, units: float) -> int:
        return round(units * self.scale * (1 << _SHIFT))


def lines_of(words: str, *, width: int, size: float, room: float) -> list[str]:
    """The text in lines of at most `room` units on a canvas of `width` pixels."""
    scale = width / UNITS
    return wrap(words, size * scale, room * scale)
