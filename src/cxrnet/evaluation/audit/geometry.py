"""Affine maps between an image and its changed copy, and images drawn through them.

A map is float64 [2, 3] in relative coordinates: x and y run from 0 at the left or upper edge to 1 at the other, so that
it holds for arrays of any size.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from cxrnet.arrays import AnyArray, Float32, Float64

Affine = Float64


def affine(*, scale: Sequence[float] = (1.0, 1.0), shift: Sequence[float] = (0.0, 0.0)) -> Affine:
    """Return the map that scales (x, y) about the upper left corner, then shifts, both relative to the image.

    Without arguments it leaves every point where it is.
    """
    return np.array([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]]])


def centred_scale(factor: float) -> Affine:
    """Return the map that scales about the centre."""
    return affine(scale=(factor, factor), shift=((1 - factor) / 2, (1 - factor) / 2))


def rotation(degrees: float, height: int, width: int) -> Affine:
    """Return the map that rotates an image [height, width] clockwise about its centre, in pixels that are square."""
    angle = np.deg2rad(degrees)
    size = np.array([width, height])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = turn * size[None, :] / size[:, None]
    return np.column_stack([linear, 0.5 - linear @ [0.5, 0.5]])


def warp(
    image: AnyArray,
    matrix: Affine,
    *,
    is_nearest: bool = False,
    fill: float | None = None,
) -> AnyArray:
    """Return `image`, [height, width], drawn through a map from it to the result.

    Pixels are bilinear means, or single values of the image if `is_nearest`. `fill` is the value of what lies outside
    the image; None repeats its edge.
    """
    height, width = image.shape
    size = np.array([width, height])
    linear = matrix[:, :2] * size[:, None] / size[None, :]
    offset = linear @ [0.5, 0.5] + matrix[:, 2] * size - 0.5  # OpenCV counts from the centre of the first pixel
    return cv2.warpAffine(
        image,
        np.column_stack([linear, offset]),
        (width, height),
        flags=cv2.INTER_NEAREST if is_nearest else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE if fill is None else cv2.BORDER_CONSTANT,
        borderValue=0.0 if fill is None else fill,
    )


def map_back(changed: Float32, matrix: Affine) -> Float32:
    """Return a map found in the changed copy, float32 [height, width], in the frame of the image.

    It is NaN where the copy does not show the image; `matrix` leads from the image to the copy.
    """
    if np.array_equal(matrix, affine()):
        return changed
    inverse = np.asarray(cv2.invertAffineTransform(matrix), np.float64)
    back: Float32 = warp(changed, inverse, is_nearest=True, fill=float("nan"))
    return back
