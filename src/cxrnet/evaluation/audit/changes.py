"""The changes of the audit: the same radiograph as another device, program or person could have stored it.

Every change comes in up to three strengths; `middle` is the one that figures are quoted for. Sizes in pixels are those
of the stored image; shares and sizes are relative to it.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.evaluation.audit import dicom_copies, pixels
from cxrnet.evaluation.audit.geometry import Affine, affine, centred_scale, identity, rotation, warp
from cxrnet.imaging.radiograph import Radiograph

Strength = Literal["weak", "middle", "strong"]
STRENGTHS: tuple[Strength, ...] = ("weak", "middle", "strong")


class Changed(NamedTuple):
    """The changed copy of a radiograph, and the map from the original to it (`cxrnet.evaluation.audit.geometry`)."""

    radiograph: Radiograph
    matrix: Affine


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change at one strength.

    Attributes:
        kind: Name that the strengths share, for example `noise`.
        strength: `weak`, `middle` or `strong`.
        amount: The strength as a number; its unit is in the label.
        label: For people.
        function: From a radiograph, the amount and a random generator to the changed copy.
    """

    kind: str
    strength: Strength
    amount: float
    label: str
    function: Callable[[Radiograph, float, np.random.Generator], Changed]

    @property
    def name(self) -> str:
        """Kind and amount, for example `noise-4`; no two changes share it."""
        return f"{self.kind}-{self.amount:g}"

    def apply(self, radiograph: Radiograph, *, seed: int = 0) -> Changed:
        """Return the changed copy; the same for the same radiograph and seed."""
        rng = np.random.default_rng((seed, zlib.crc32(self.name.encode()), zlib.crc32(radiograph.sha256.encode())))
        return self.function(radiograph, self.amount, rng)


def _grey(change: Callable[..., Float32], *, is_random: bool = False) -> Any:
    """Return the function of a change of grey values that moves nothing."""

    def function(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
        made = change(radiograph.pixels, amount, rng) if is_random else change(radiograph.pixels, amount)
        return Changed(_with_pixels(radiograph, made), identity())

    return function


def _moved(matrix: Callable[[float, int, int], Affine]) -> Any:
    """Return the function of a change that moves the picture in its frame and repeats its edge."""

    def function(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
        made = matrix(amount, *radiograph.pixels.shape)
        return Changed(_with_pixels(radiograph, warp(radiograph.pixels, made)), made)

    return function


def _copied(copy: Callable[..., Radiograph]) -> Any:
    """Return the function of a change that is another DICOM file with the same picture."""

    def function(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
        return Changed(copy(radiograph.pixels, amount if amount < 1 else int(amount)), identity())

    return function


def _bordered(value: float) -> Any:
    """Return the function that adds a border of `value` outside the picture, `amount` of its sides wide."""

    def function(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
        height, width = radiograph.pixels.shape
        rows, columns = round(amount / 100 * height), round(amount / 100 * width)
        made = np.pad(radiograph.pixels, ((rows, rows), (columns, columns)), constant_values=value)
        return Changed(_with_pixels(radiograph, made), _reframed(height, width, rows, columns))

    return function


def _cropped(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
    """Cut `amount` percent off every side."""
    height, width = radiograph.pixels.shape
    rows, columns = round(amount / 100 * height), round(amount / 100 * width)
    made = radiograph.pixels[rows : height - rows, columns : width - columns]
    return Changed(_with_pixels(radiograph, made), _reframed(height, width, -rows, -columns))


def _mirrored(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
    matrix = affine(scale=(-1.0, 1.0), shift=(1.0, 0.0))
    return Changed(_with_pixels(radiograph, radiograph.pixels[:, ::-1]), matrix)


def _stored_deeper(radiograph: Radiograph, amount: float, rng: np.random.Generator) -> Changed:
    """Store with 16 bits, or with fewer levels than 8 bits have."""
    if amount < 8:
        return Changed(_with_pixels(radiograph, pixels.reduce_levels(radiograph.pixels, int(amount))), identity())
    deep = np.rint(radiograph.pixels.astype(np.float64) * 257).astype(np.uint16)
    return Changed(Radiograph.from_array(deep, name=radiograph.name), identity())


def _reframed(height: int, width: int, rows: int, columns: int) -> Affine:
    """Return the map of an image that gets so many rows and columns more on every side; fewer where negative."""
    tall, wide = height + 2 * rows, width + 2 * columns
    return affine(scale=(width / wide, height / tall), shift=(columns / wide, rows / tall))


def _with_pixels(radiograph: Radiograph, made: Float32) -> Radiograph:
    """Return the radiograph with other pixels, whole grey values where it had such: an 8-bit copy of 8 bits."""
    is_shallow = bool((radiograph.pixels == np.rint(radiograph.pixels)).all())
    clipped = np.clip(made, 0, pixels.WHITE)
    kept = np.ascontiguousarray(np.rint(clipped) if is_shallow else clipped, dtype=np.float32)
    return replace(radiograph, pixels=kept)


def _change(kind: str, label: str, amount: float, function: Any, strength: Strength = "middle") -> Change:
    return Change(kind=kind, strength=strength, amount=amount, label=label.format(amount), function=function)


def _shift(amount: float, height: int, width: int, *, axis: int = 0) -> Affine:
    return affine(shift=(amount / 100, 0.0) if axis == 0 else (0.0, amount / 100))


def _percent(change: Callable[[Float32, float], Float32 | Radiograph]) -> Any:
    return lambda grey, amount: change(grey, amount / 100)


_KINDS: tuple[tuple[str, str, tuple[float, ...], Any], ...] = (
    ("noise", "Gaussian noise, sigma {:g} of 255", (2, 4, 8), _grey(pixels.add_noise, is_random=True)),
    ("clip-bright", "brightest {:g} % clipped by the window", (10, 20, 40), _grey(_percent(pixels.clip_bright))),
    ("clip-dark", "darkest {:g} % clipped by the window", (10, 20, 40), _grey(_percent(pixels.clip_dark))),
    ("gamma-bright", "gamma {:g}", (0.85, 0.7, 0.5), _grey(pixels.apply_gamma)),
    ("gamma-dark", "gamma {:g}", (1.2, 1.4, 2.0), _grey(pixels.apply_gamma)),
    ("clahe", "CLAHE, clip limit {:g}", (1, 2, 4), _grey(pixels.apply_clahe)),
    ("blur", "Gaussian blur, {:g} pixels", (0.5, 1, 2), _grey(pixels.blur)),
    ("resample", "shrunk to {:g} and enlarged", (0.75, 0.5, 0.33), _grey(pixels.resample)),
    ("jpeg", "JPEG, quality {:g}", (70, 40, 15), _grey(lambda grey, amount: pixels.compress_jpeg(grey, int(amount)))),
    ("jpeg2000", "JPEG 2000, {:g} to 1", (10, 20, 40), _grey(pixels.compress_jpeg2000)),
    ("bits", "stored with {:g} bits", (16, 7, 6), _stored_deeper),
    ("border-black", "black border of {:g} %", (2, 5, 10), _bordered(0.0)),
    ("border-white", "white border of {:g} %", (2, 5, 10), _bordered(pixels.WHITE)),
    ("scale", "scaled to {:g} %", (97, 94, 85), _moved(lambda amount, *_: centred_scale(amount / 100))),
    ("rotate", "rotated by {:g} degrees", (2, 4, 8), _moved(rotation)),
    ("shift", "shifted right by {:g} %", (2, 4, 8), _moved(_shift)),
    ("shift-down", "shifted down by {:g} %", (2, 4, 8), _moved(partial(_shift, axis=1))),
    ("crop", "cropped by {:g} % on every side", (2, 4, 8), _cropped),
    ("marker", "side marker, {:g} % of the height", (6, 10, 15), _grey(_percent(pixels.add_marker))),
    ("text", "burned-in text, {:g} lines", (1, 3, 6), _grey(lambda grey, amount: pixels.add_text(grey, int(amount)))),
    ("dicom-window", "DICOM window clipping {:g} %", (2, 10, 30), _copied(_percent(dicom_copies.with_window))),
    ("dicom-voi-lut", "DICOM with a sigmoid VOI LUT, slope {:g}", (3, 6, 12), _copied(dicom_copies.with_voi_lut)),
    ("dicom-monochrome1", "DICOM MONOCHROME1, {:g} bits", (16, 12, 8), _copied(dicom_copies.as_monochrome1)),
)  # fmt: skip

CHANGES: tuple[Change, ...] = (
    *(
        _change(kind, label, amount, function, strength)
        for kind, label, amounts, function in _KINDS
        for strength, amount in zip(STRENGTHS, amounts, strict=True)
    ),
    _change("mirror", "mirrored", 1, _mirrored),
)
"""All changes; mirroring has one strength only."""

_BACK = _change("rotate", "rotated by {:g} degrees", -4, _moved(rotation))
_NAMES = (
    "noise-4", "clip-bright-20", "clip-bright-40", "jpeg-40", "blur-1", "clahe-2", "border-black-5", "border-white-5",
    "scale-94", "rotate-4", "crop-4", "shift-4", "shift-down-4", "marker-10", "mirror-1", "gamma-bright-0.7",
    "gamma-dark-1.4",
)  # fmt: skip
REFERENCE: tuple[Change, ...] = (*(change for change in CHANGES if change.name in _NAMES), _BACK)
"""Eighteen changes whose mean is one figure to compare models by."""


MIDDLE: tuple[Change, ...] = tuple(change for change in CHANGES if change.strength == "middle")
"""Every kind at its middle strength."""

SETS: Mapping[str, tuple[Change, ...]] = {
    "all": (*CHANGES, _BACK),
    "middle": MIDDLE,
    "reference": REFERENCE,
}
"""Sets of changes that can be asked for."""
