"""Where things lie in the file: what was found in an upright picture, at the rows and columns as they are stored."""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from cxrnet.arrays import AnyArray, Bool, Float32
from cxrnet.screening.panel.outline import contours_of

MIN_PART_FRACTION: Final = 0.002
"""Share of the mask below which a part of it is left without a border."""

MAX_POINTS: Final = 4000
"""Points in one line: 8 bytes each, and Graphic Data (0070,0022) holds 65,534."""

_BESIDE = 0.8  # share of a part on one side of the middle that puts it there
_SECOND = 0.2  # size of the second largest part, against the largest, from which they are two lungs


def as_stored(image: AnyArray, turned: int) -> AnyArray:
    """An image [height, width] that was rotated clockwise by `turned` degrees, rotated back."""
    return np.ascontiguousarray(np.rot90(image, turned // 90))


def parts_by_side(lungs: Bool) -> dict[str, Bool]:
    """The parts of an upright lung mask, bool [height, width] each, by `left` and `right` of the picture.

    These are not the patient's sides; `both` is what cannot be assigned, as lungs that touch. Sides without a part, and
    specks, are left out.
    """
    count, labels, facts, centres = cv2.connectedComponentsWithStats(lungs.astype(np.uint8), connectivity=8)
    areas = facts[1:, cv2.CC_STAT_AREA]
    if count < 2:
        return {}
    largest = np.argsort(areas)[::-1]
    middle = lungs.shape[1] / 2
    if count > 2 and areas[largest[1]] >= _SECOND * areas[largest[0]]:
        middle = float(centres[1:][largest[:2], 0].mean())
    sides: dict[str, Bool] = {}
    for part in largest[areas[largest] >= MIN_PART_FRACTION * areas.sum()]:
        here = labels == part + 1
        before = float((np.nonzero(here)[1] < middle).mean())
        side = "left" if before >= _BESIDE else "right" if before <= 1 - _BESIDE else "both"
        sides[side] = sides[side] | here if side in sides else here
    return sides


def outlines(mask: Bool) -> Iterator[Float32]:
    """Closed lines around the true parts of a mask and its holes: float32 [points, 2], (column, row).

    They are in pixels from the corner of the picture: the middle of the first pixel is (0.5, 0.5), as Graphic
    Annotation Units PIXEL has it (PS3.3 C.10.5.1.2). The last point is the first one again.
    """
    for contour in contours_of(mask):
        tolerance, line = 0.5, cv2.approxPolyDP(contour, 0.5, closed=True)
        while len(line) >= MAX_POINTS:
            tolerance *= 2
            line = cv2.approxPolyDP(contour, tolerance, closed=True)
        points = line[:, 0].astype(np.float32) + np.float32(0.5)
        if len(points) > 2:
            yield np.concatenate([points, points[:1]])
