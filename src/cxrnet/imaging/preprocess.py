"""A radiograph to the network's input: resized and histogram equalised."""

from typing import Literal

import cv2
import numpy as np

from cxrnet.arrays import Float32, UInt8, UInt16
from cxrnet.imaging.radiograph import Fault, fault

Interpolation = Literal["bilinear", "area"]
Equalisation = Literal["histogram", "rank"]
Depth = Literal["8-bit", "full"]

_STEPS = 257  # of 65,535 in one grey of 255: whole greys stay whole


def prepare(
    pixels: Float32,
    *,
    height: int = 300,
    width: int = 340,
    interpolation: Interpolation = "bilinear",
    equalisation: Equalisation = "histogram",
    depth: Depth = "8-bit",
    name: str = "radiograph",
) -> UInt8:
    """The prepared image, uint8 [height, width], 0..255, histogram equalised.

    Args:
        pixels: float32 [any height, any width], 0..255: `Radiograph.pixels`.
        height: Of the result, in pixels.
        width: Of the result, in pixels. The aspect ratio is not kept.
        interpolation: "bilinear" as the published program does: half-pixel centres, replicated edges, no
            smoothing before shrinking. "area" averages along an axis that shrinks.
        equalisation: "histogram" as the published program does, or "rank": see `equalise` and `equalise_ranks`.
        depth: "8-bit" rounds to 256 greys before equalising, as the published program does. "full" equalises 65,536:
            a radiograph that fills a small part of its range keeps its greys. The same for whole greys.
        name: What messages call the input.

    Raises:
        RadiographError: UNREADABLE where `pixels` are of another type, shape or range, CONSTANT where nothing
            but one grey is left.
    """
    _check(pixels, name)
    resized = np.abs(resize(pixels, height, width, interpolation))
    # "full" is 16 bits and not single precision, in which averages of equal values differ. rint rounds half to even.
    is_full = depth == "full"
    image = np.rint(resized * _STEPS).astype(np.uint16) if is_full else np.rint(resized).astype(np.uint8)
    if image.min() == image.max():
        problem = f"every pixel of the prepared image is {resized.flat[0]:g}"
        raise fault(Fault.CONSTANT, name, problem, "a radiograph has contrast")
    return EQUALISERS[equalisation](image)


def equalise(image: UInt8 | UInt16) -> UInt8:
    """`image` with its histogram equalised, uint8 [height, width].

    The first grey that occurs becomes 0, the others 255 / (pixels - its count) x (cumulative count - its
    count), rounded half to even, in float32. A constant image of 8 bits comes back unchanged.
    """
    if image.dtype == np.uint8:
        return np.asarray(cv2.equalizeHist(image), np.uint8)
    counts = np.bincount(image.ravel(), minlength=2**16)
    first = counts[image.min()]
    scale = np.float32(255) / np.float32(image.size - first)
    table = np.rint((np.cumsum(counts) - first).astype(np.float32) * scale)
    return np.asarray(table.clip(0, 255).astype(np.uint8)[image])


def equalise_ranks(image: UInt8 | UInt16) -> UInt8:
    """`image` with each grey replaced by its rank among the pixels, uint8 [height, width], 0..255.

    Unlike `equalise`, pixels of one grey get the middle of their ranks, so that a clipped area keeps the mean of what
    it was. Uniform rows and columns at the edges, such as a frame, become 0 and do not count; nor does the lowest
    grey, which is mostly collimation.
    """
    rows, columns = inside_border(image)
    counts = np.bincount(image[rows, columns].ravel(), minlength=int(np.iinfo(image.dtype).max) + 1)
    lowest = int(counts.argmax() if not counts.any() else np.flatnonzero(counts)[0])
    counts[lowest] = 0
    table = 255 * (np.cumsum(counts) - counts / 2) / max(int(counts.sum()), 1)
    table[: lowest + 1] = 0
    equalised = np.zeros(image.shape, np.uint8)
    equalised[rows, columns] = np.rint(table).astype(np.uint8)[image[rows, columns]]
    return equalised


def inside_border(image: UInt8 | UInt16) -> tuple[slice, slice]:
    """The rows and columns of `image` inside a uniform border of up to a quarter of each side."""
    tolerance = np.iinfo(image.dtype).max // 128

    def width(lines: UInt8 | UInt16) -> int:
        reach = np.ptp(lines[: len(lines) // 4], axis=1) > tolerance
        return int(reach.argmax()) if reach.any() else len(reach)

    top, bottom = width(image), width(image[::-1])
    inner = image[top : len(image) - bottom].T
    left, right = width(inner), width(inner[::-1])
    return slice(top, len(image) - bottom), slice(left, len(inner) - right)


EQUALISERS = {"histogram": equalise, "rank": equalise_ranks}
"""The ways of equalising by their name in a bundle's config."""


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
