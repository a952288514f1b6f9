"""Geometric augmentation of an image and its mask together (paper 2.1.2.3, 2.2.2.2).

Rotation, shift, shear, scale and mirroring become one affine map, so that an image is resampled once; what comes into
view from outside is filled by reflection. The map is drawn from (seed, epoch, index): it is the same whatever the
number of workers, and after a resume.
"""

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from cxrnet.arrays import Float64, UInt8
from cxrnet.model.record import Frozen

Degrees = Annotated[float, Field(ge=0, le=180)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Augmentation(Frozen):
    """How far an image may be moved; each amount is drawn evenly between minus and plus its value.

    Attributes:
        rotation_degrees: About the centre.
        shift: Part of the height and of the width.
        shear_degrees: Along the rows.
        zoom: Part of the size: 0.1 scales by 0.9 to 1.1, on both axes alike.
        mirrors_sides: Whether left and right are exchanged in half of the draws.
        mirrors_upside_down: Whether top and bottom are exchanged in half of the draws.
    """

    rotation_degrees: Degrees = 0.0
    shift: Fraction = 0.0
    shear_degrees: Annotated[float, Field(ge=0, lt=80)] = 0.0
    zoom: Fraction = 0.0
    mirrors_sides: bool = False
    mirrors_upside_down: bool = False


AUGMENTATIONS = {
    "none": Augmentation(),
    "paper": Augmentation(
        rotation_degrees=90, shift=0.1, shear_degrees=15, zoom=0.1, mirrors_sides=True, mirrors_upside_down=True
    ),
    "plausible": Augmentation(rotation_degrees=8, shift=0.05, shear_degrees=4, zoom=0.1, mirrors_sides=True),
}
"""Presets by name: `paper` is that of the published weights; `plausible` keeps an image that a clinic could make."""


def draw(augmentation: Augmentation, *, height: int, width: int, seed: int, epoch: int, index: int) -> Float64:
    """Return a random affine map [2, 3] from pixels (x, y) of the result to pixels (x, y) of the source."""
    chance = np.random.default_rng((seed, epoch, index))
    angle, shear = np.deg2rad(chance.uniform(-1, 1, 2) * (augmentation.rotation_degrees, augmentation.shear_degrees))
    scale = 1 + chance.uniform(-1, 1) * augmentation.zoom
    shift = chance.uniform(-1, 1, 2) * augmentation.shift * (width, height)
    sides, upside_down = chance.random(2) < 0.5
    mirror = np.diag(
        [
            -1 if sides and augmentation.mirrors_sides else 1,
            -1 if upside_down and augmentation.mirrors_upside_down else 1,
        ]
    )
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = rotation @ np.array([[1, np.tan(shear)], [0, 1]]) @ mirror / scale
    centre = np.array([width - 1, height - 1]) / 2
    return np.column_stack([linear, centre - linear @ (centre + shift)])


def warp(image: UInt8, matrix: Float64) -> UInt8:
    """Return `image`, uint8 [height, width], seen through an affine map: bilinear, reflected beyond its edges."""
    height, width = image.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(warped, np.uint8)
