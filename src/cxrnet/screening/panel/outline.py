"""Lines on a tile: where the lungs end, and where a map passes a level."""

from typing import Final

import cv2
import numpy as np

from cxrnet.arrays import Bool, Int32, UInt8
from cxrnet.screening.panel.colour import OUTLINE, TEXT, UNDER, Colour

_OUTLINE: Final = 2  # pixels of the light line
_DASH: Final = 7  # pixels drawn, and as many left out
_SPECK: Final = 24  # pixels around; a smaller ring is noise to the eye


def contours_of(mask: Bool) -> list[Int32]:
    """Borders of the true parts of a mask, holes too: int32 [points, 1, 2] each, (x, y), every pixel of the border."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [np.asarray(contour, dtype=np.int32) for contour in found]


def draw_outline(tile: UInt8, region: Bool, colour: Colour = OUTLINE) -> None:
    """Draw the border of a region, bool [height, width], into a tile, uint8 [height, width, 3].

    It is a light line on a dark one, visible on dark and bright ground.
    """
    contours = straightened(contours_of(region))
    cv2.drawContours(tile, contours, -1, UNDER, _OUTLINE + 2, cv2.LINE_AA)
    cv2.drawContours(tile, contours, -1, colour, _OUTLINE, cv2.LINE_AA)


def straightened(contours: list[Int32]) -> list[Int32]:
    """The contours with a fifth of their points, half a pixel off at most: drawn in a quarter of the time."""
    return [np.asarray(cv2.approxPolyDP(contour, 0.5, True), dtype=np.int32) for contour in contours]


def dashes_of(contours: list[Int32]) -> list[Int32]:
    """The contours cut into dashes of even length, with gaps as long."""
    return [contour[start : start + _DASH] for contour in contours for start in range(0, len(contour), 2 * _DASH)]


def draw_level(tile: UInt8, above: Bool, *, is_dashed: bool, opacity: float) -> UInt8:
    """The tile, uint8 [height, width, 3], with the parts of a map beyond a level ringed: white on black.

    `above` is bool [height, width]; `opacity` is that of the lines, 0 to 1.
    """
    contours = [contour for contour in contours_of(above) if len(contour) >= _SPECK]
    pieces = dashes_of(contours) if is_dashed else straightened(contours)
    thickness = 1 + is_dashed  # a dash has less ink to be seen by
    lined = tile.copy()
    for colour, wide in ((UNDER, thickness + 2), (TEXT, thickness)):
        cv2.polylines(lined, pieces, not is_dashed, colour, wide, cv2.LINE_AA)
    return np.asarray(cv2.addWeighted(lined, opacity, tile, 1 - opacity, 0), dtype=np.uint8)
