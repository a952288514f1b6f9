"""Correction of what is certain: polarity, and rotation by quarter turns."""

from dataclasses import replace

import numpy as np

from cxrnet.imaging.radiograph import Radiograph, invert_curve


def correct_orientation(radiograph: Radiograph, *, is_inverted: bool, turn: int) -> tuple[Radiograph, tuple[str, ...]]:
    """Return the radiograph upright with bright bones, and the steps taken, which are in its history as well.

    `turn` are the degrees by which it is rotated anticlockwise: 0, 90, 180 or 270. It is rotated back by as much.
    """
    pixels, spacing, curve = radiograph.pixels, radiograph.spacing_mm, radiograph.tone_curve
    steps: tuple[str, ...] = ()
    if is_inverted:
        pixels, curve = 255 - pixels, invert_curve(curve)
        steps = (*steps, "corrected: polarity inverted")
    if turn:
        pixels = np.ascontiguousarray(np.rot90(pixels, -turn // 90))
        steps = (*steps, f"corrected: rotated clockwise by {turn} degrees")
        if spacing is not None and turn % 180:
            spacing = spacing[::-1]
    history, turned = (*radiograph.history, *steps), (radiograph.turned + turn) % 360
    changed = replace(radiograph, pixels=pixels, spacing_mm=spacing, tone_curve=curve, history=history, turned=turned)
    return changed, steps
