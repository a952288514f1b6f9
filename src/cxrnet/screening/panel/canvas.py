"""A strip of a panel to draw on; coordinates and lengths are pixels."""

from typing import Final, Literal

import cv2
import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.screening.panel.colour import BACKGROUND, TEXT, Colour, filled
from cxrnet.screening.panel.text import ellipsise, text_coverage, text_width

WIDTH: Final = 1600
MARGIN: Final = 40

# Sizes of type.
SMALL: Final = 20
BODY: Final = 24
TITLE: Final = 32
HEADLINE: Final = 54

_SHIFT: Final = 4  # OpenCV draws to 1/16 of a pixel

Align = Literal["left", "centre", "right"]


class Canvas:
    """Pixels of a strip as wide as the panel, and the few marks that a panel needs.

    Attributes:
        pixels: uint8 [height, WIDTH, 3], RGB.
    """

    def __init__(self, height: float) -> None:
        self.pixels: UInt8 = filled((round(height), WIDTH), BACKGROUND)

    def paste(self, picture: UInt8, left: float, top: float) -> None:
        """Put a picture of uint8 [height, width, 3] at a place that holds all of it."""
        row, column = round(top), round(left)
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
        room: float = WIDTH,
    ) -> None:
        """Write one line, cut in its middle to `room`; `left` may be its centre or its end."""
        words = ellipsise(words, size, room)
        shift = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * text_width(words, size)
        coverage, column, row = text_coverage(words, size)
        left, top = round(left - shift) + column, round(baseline) + row
        bottom, right = top + coverage.shape[0], left + coverage.shape[1]
        rows = slice(max(top, 0), max(bottom, 0))
        columns = slice(max(left, 0), max(right, 0))
        under = self.pixels[rows, columns]
        seen = coverage[max(-top, 0) :, max(-left, 0) :][: under.shape[0], : under.shape[1], None] / np.float32(255)
        under[:] = under + (np.array(colour, dtype=np.float32) - under) * seen + np.float32(0.5)

    def box(self, left: float, top: float, width: float, height: float, colour: Colour) -> None:
        """Fill a rectangle."""
        row, column = round(top), round(left)
        rows, columns = max(1, round(height)), max(1, round(width))
        self.pixels[row : row + rows, column : column + columns] = colour

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        """Fill a shape given by (x, y) corners."""
        corners = np.array([[_fine(x), _fine(y)] for x, y in points], dtype=np.int32)
        cv2.fillPoly(self.pixels, [corners], colour, lineType=cv2.LINE_AA, shift=_SHIFT)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Fill a disc."""
        cv2.circle(self.pixels, (_fine(x), _fine(y)), _fine(radius), colour, -1, cv2.LINE_AA, _SHIFT)


def _fine(pixels: float) -> int:
    return round(pixels * (1 << _SHIFT))
