"""Colours of the pictures: the theme, and two scales that stay in order on a grey screen.

Lightness rises from end to end in both scales, so that a grey print and colour-blind eyes keep the order of
the values; a rainbow (`jet`, which the paper used) is light in its middle and dark at both ends.
"""

from typing import Final

import cv2
import numpy as np

from cxrnet.arrays import Float32, UInt8

Colour = tuple[int, int, int]

BACKGROUND: Final[Colour] = (17, 19, 23)
FRAME: Final[Colour] = (6, 7, 9)
SURFACE: Final[Colour] = (40, 44, 51)
RULE: Final[Colour] = (92, 98, 107)
TEXT: Final[Colour] = (238, 240, 242)
QUIET: Final[Colour] = (178, 184, 192)
WARNING: Final[Colour] = (255, 196, 84)
FOLD: Final[Colour] = (112, 184, 255)
OUTLINE: Final[Colour] = (150, 238, 255)
HEART: Final[Colour] = (255, 120, 120)
UNDER: Final[Colour] = (0, 0, 0)
REGIONS: Final[tuple[Colour, ...]] = (
    (86, 180, 233), (230, 159, 0), (213, 94, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (0, 114, 178),
)  # fmt: skip
"""Colours of regions that colour-blind eyes tell apart (Okabe and Ito 2008); the eighth has the first again."""

# Dark blue, mid grey, light amber: hues for colour-blind eyes, ends that differ in grey too.
_DIVERGING_STOPS: Final = (
    (0.0, (6, 24, 110)),
    (0.25, (44, 82, 178)),
    (0.5, (122, 122, 124)),
    (0.75, (232, 150, 48)),
    (1.0, (255, 230, 120)),
)


def _diverging_scale() -> UInt8:
    places = [place for place, _ in _DIVERGING_STOPS]
    steps = np.linspace(0.0, 1.0, 256)
    channels = [np.interp(steps, places, [stop[channel] for _, stop in _DIVERGING_STOPS]) for channel in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def filled(size: tuple[int, int], colour: Colour) -> UInt8:
    """One colour all over, uint8 [height, width, 3]; by rows, which is ten times as fast as by pixels."""
    pixels = np.empty((*size, 3), dtype=np.uint8)
    pixels[:] = np.full((size[1], 3), colour, dtype=np.uint8)
    return pixels


_STEPS: Final = np.arange(256, dtype=np.uint8)[:, None]
SEQUENTIAL: Final[UInt8] = np.array(cv2.applyColorMap(_STEPS, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1], np.uint8, order="C")
"""Colours of a class map from 0 to 1, uint8 [256, 3], RGB: dark violet to yellow (viridis)."""

DIVERGING: Final[UInt8] = _diverging_scale()
"""Colours of a difference map from -1 to 1, as above: dark blue against, grey for neither, light amber for."""


def colourise(values: Float32, scale: UInt8, *, low: float, high: float) -> UInt8:
    """Colours of values, float32 [height, width] without NaN, on a fixed scale: uint8 [height, width, 3], RGB.

    The scale, uint8 [256, 3], goes from `low` to `high`; what lies beyond an end takes the colour of that end.
    """
    gain = 255.0 / (high - low)
    steps = np.clip((values - low) * gain + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.applyColorMap(steps, scale[:, None]), dtype=np.uint8)
