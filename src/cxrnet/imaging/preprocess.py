"""A radiograph to the network's input: resized, rounded to 8 bits, histogram equalised."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from cxrnet.arrays import Float32, UInt8
from cxrnet.imaging.radiograph import Fault, fault

Interpolation = Literal["bilinear", "area"]


def prepare(
    pixels: Float32,
    *,
    height: int = 300,
    width: int = 340,
    interpolation: Interpolation = "bilinear",
    name: str = "radiograph",
) -> UInt8:
    """The prepared image, uint8 [height, width], 0..255, histogram equalised.

    Args:
        pixels: float32 [any height, any width], 0..255: `Radiograph.pixels`.
        height: Of the result, in pixels.
        width: Of the result, in pixels. The aspect ratio is not kept.
        interpolation: "bilinear" as the published program does: half-pixel centres, replicated edges, no
            smoothing before shrinking. "area" averages along an axis that shrinks.
        name: What messages call the input.

    Raises:
        RadiographError: UNREADABLE where `pixels` are of another type, shape or range, CONSTANT where nothing
            but one grey is left.
    """
    _check(pixels, name)
    resized = resize(pixels, height, width, interpolation)
    image = np.rint(np.abs(resized)).astype(np.uint8)  # rint rounds half to even
    if image.min() == image.max():
        problem = f"every pixel of the prepared image is {image.flat[0]}"
        raise fault(Fault.CONSTANT, name, problem, "a radiograph has contrast")
    return equalise(image)


def equalise(image: UInt8) -> UInt8:
    """`image` with its histogram equalised, uint8 [height, width].

    The first grey that occurs becomes 0, the others 255 / (pixels - its count) x (cumulative count - its
    count), rounded half to even, in float32. A constant image comes back unchanged.
    """
    return np.asarray(cv2.equalizeHist(image), np.uint8)


def _check(pixels: Float32, name: str) -> None:
    """The one value range of this stage: anything else is a mistake upstream, which scaling would hide."""
    if pixels.ndim != 2 or pixels.dtype != np.float32 or pixels.size == 0:
        problem = f"pixels are {pixels.dtype} with shape {list(pixels.shape)}"
        raise fault(Fault.UNREADABLE, name, problem, "float32 [height, width] is accepted")
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 255):  # false for NaN too
        problem = f"pixels range over {low:g}..{high:g}"
        raise fault(Fault.UNREADABLE, name, problem, "0..255 is accepted, see Radiograph.from_array")


def resize(pixels: Float32, height: int, width: int, interpolation: Interpolation) -> Float32:
    """`pixels`, float32 [any height, any width], at another size, float32 [height, width]; as `prepare` does it."""
    if interpolation == "bilinear":
        resized = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_LINEAR)
    else:  # one axis at a time: OpenCV's area is linear on both axes when one of them grows
        shrunk = min(width, pixels.shape[1]), min(height, pixels.shape[0])
        resized = cv2.resize(pixels, shrunk, interpolation=cv2.INTER_AREA)
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
