"""The overlay of `cxrnet segment`: the radiograph, the regions that a segmenter found, and a key of their colours."""

from typing import Final

import cv2
import numpy as np

from cxrnet.arrays import UInt8
from cxrnet.screening.panel.canvas import BODY, Canvas
from cxrnet.screening.panel.colour import REGIONS, Colour
from cxrnet.screening.panel.outline import draw_outline
from cxrnet.screening.panel.text import text_width
from cxrnet.screening.panel.tile import shrink
from cxrnet.screening.segmentation import Segmentation, lungs_at

MAX_SIDE: Final = 1024  # pixels of the picture
_OPACITY: Final = 0.35
_ROW: Final = 40
_BOX: Final = 20
_GAP: Final = 12


def draw_overlay(segmentation: Segmentation) -> UInt8:
    """Return the radiograph with each region coloured and outlined, uint8 [height, width, 3], above a key of colours.

    The radiograph's longest side is at most `MAX_SIDE`.
    """
    grey = shrink(segmentation.radiograph, MAX_SIDE)
    height, width = grey.shape
    picture = np.repeat(grey[..., None], 3, axis=2)
    if segmentation.anatomy is None:
        regions = {"lungs": lungs_at(segmentation.probability, height, width)}
    else:
        labels = segmentation.anatomy.labels(height, width)
        regions = {name: labels == index for index, name in enumerate(segmentation.anatomy.classes) if index}
    colours = {name: REGIONS[number % len(REGIONS)] for number, name in enumerate(regions)}
    for name, region in regions.items():
        painted = cv2.addWeighted(picture, 1 - _OPACITY, np.full_like(picture, colours[name]), _OPACITY, 0)
        picture = np.where(region[..., None], painted, picture).astype(np.uint8)
    for name, region in regions.items():
        draw_outline(picture, region, colours[name])
    return np.concatenate([picture, _draw_key(colours, width)])


def _draw_key(colours: dict[str, Colour], width: int) -> UInt8:
    """Return boxes of the colours with their names, uint8 [rows, width, 3], in as many rows as they need."""
    places: list[tuple[str, float, int]] = []
    left, row = float(_GAP), 0
    for name in colours:
        used = _BOX + _GAP + min(text_width(name, BODY), width - _BOX - 3 * _GAP) + 2 * _GAP
        if left > _GAP and left + used > width:
            left, row = float(_GAP), row + 1
        places.append((name, left, row))
        left += used
    canvas = Canvas(_ROW * (row + 1))
    for name, start, line in places:
        canvas.box(start, _ROW * line + (_ROW - _BOX) / 2, _BOX, _BOX, colours[name])
        room = width - start - _BOX - 2 * _GAP
        canvas.text(name, start + _BOX + _GAP, _ROW * line + 29, size=BODY, room=room)
    return canvas.pixels[:, :width]
