"""The changes of the audit: the same radiograph as another device, program or person could have stored it.

Every change comes in up to three strengths; `middle` is the one that figures are quoted for. Sizes in pixels are those
of the stored image; shares and sizes are relative to it.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.evaluation.audit import dicom_copies, pixels
from cxrnet.evaluation.audit.geometry import Affine, affine, centred_scale, rotation, warp
from cxrnet.imaging.radiograph import Radiograph

Strength = Literal["weak", "middle", "strong"]
STRENGTHS: tuple[Strength, ...] = ("weak", "middle", "strong")


class Changed(NamedTuple):
    """The changed copy of a radiograph, and the map from the original to it (`cxrnet.evaluation.audit.geometry`)."""

    radiograph: Radiograph
    matrix: Affine


Made = Float32 | Radiograph | tuple[Float32, Affine]
"""Changed pixels that stay in their place, another radiograph, or pixels with the map from the original to them."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change at one strength."""

    kind: str  # name that the strengths share, for example `noise`
    strength: Strength  # `weak`, `middle` or `strong`
    amount: float  # the strength as a number; its unit is in the label
    label: str  # for people
    # from pixels, float32 [height, width] in 0..255, the amount and a random generator to the copy
    function: Callable[[Float32, float, np.random.Generator], Made]

    @property
    def name(self) -> str:
        """Kind and amount, for example `noise-4`; no two changes share it."""
        return f"{self.kind}-{self.amount:g}"

    def apply(self, radiograph: Radiograph, *, seed: int = 0) -> Changed:
        """Return the changed copy; the same for the same radiograph and seed."""
        rng = np.random.default_rng((seed, zlib.crc32(self.name.encode()), zlib.crc32(radiograph.sha256.encode())))
        made = self.function(radiograph.pixels, self.amount, rng)
        pixels, matrix = made if isinstance(made, tuple) else (made, affine())
        return Changed(pixels if isinstance(pixels, Radiograph) else _with_pixels(radiograph, pixels), matrix)


def _with_pixels(radiograph: Radiograph, made: Float32) -> Radiograph:
    """Return the radiograph with other pixels, whole grey values where it had such: an 8-bit copy of 8 bits."""
    is_shallow = bool((radiograph.pixels == np.rint(radiograph.pixels)).all())
    clipped = np.clip(made, 0, pixels.WHITE)
    kept = np.ascontiguousarray(np.rint(clipped) if is_shallow else clipped, dtype=np.float32)
    return replace(radiograph, pixels=kept)


def _by(function: Callable[[Float32, float], Made], *, unit: float = 1) -> Any:
    """Return the function of a change without randomness; its amount is divided by `unit`, 100 for percent."""
    return lambda grey, amount, rng: function(grey, amount / unit)


def _moved(matrix: Callable[[float, int, int], Affine]) -> Any:
    """Return the function of a change that moves the picture in its frame and repeats its edge."""

    def function(grey: Float32, amount: float, rng: np.random.Generator) -> Made:
        made = matrix(amount, *grey.shape)
        return warp(grey, made), made

    return function


def _reframed(value: float | None) -> Any:
    """Return the function that adds a border of `value`, `amount` percent of each side, or cuts it off for None."""

    def function(grey: Float32, amount: float, rng: np.random.Generator) -> Made:
        height, width = grey.shape
        rows, columns = round(amount / 100 * height), round(amount / 100 * width)
        if value is None:
            made, rows, columns = grey[rows : height - rows, columns : width - columns], -rows, -columns
        else:
            made = np.pad(grey, ((rows, rows), (columns, columns)), constant_values=value)
        tall, wide = made.shape
        return made, affine(scale=(width / wide, height / tall), shift=(columns / wide, rows / tall))

    return function


def _with_depth(grey: Float32, bits: float) -> Made:
    """Store with 16 bits, or with fewer levels than 8 bits have."""
    if bits < 8:
        return pixels.reduce_levels(grey, int(bits))
    return Radiograph.from_array(np.rint(grey.astype(np.float64) * 257).astype(np.uint16))


_KINDS: tuple[tuple[str, str, tuple[float, ...], Any], ...] = (
    ("noise", "Gaussian noise, sigma {:g} of 255", (2, 4, 8), pixels.add_noise),
    ("clip-bright", "brightest {:g} % clipped by the window", (10, 20, 40), _by(pixels.clip_bright, unit=100)),
    ("clip-dark", "darkest {:g} % clipped by the window", (10, 20, 40), _by(pixels.clip_dark, unit=100)),
    ("gamma-bright", "gamma {:g}", (0.85, 0.7, 0.5), _by(pixels.apply_gamma)),
    ("gamma-dark", "gamma {:g}", (1.2, 1.4, 2.0), _by(pixels.apply_gamma)),
    ("clahe", "CLAHE, clip limit {:g}", (1, 2, 4), _by(pixels.apply_clahe)),
    ("blur", "Gaussian blur, {:g} pixels", (0.5, 1, 2), _by(pixels.blur)),
    ("resample", "shrunk to {:g} and enlarged", (0.75, 0.5, 0.33), _by(pixels.shrink_and_enlarge)),
    ("jpeg", "JPEG, quality {:g}", (70, 40, 15), _by(pixels.compress_jpeg)),
    ("jpeg2000", "JPEG 2000, {:g} to 1", (10, 20, 40), _by(pixels.compress_jpeg2000)),
    ("bits", "stored with {:g} bits", (16, 7, 6), _by(_with_depth)),
    ("border-black", "black border of {:g} %", (2, 5, 10), _reframed(0.0)),
    ("border-white", "white border of {:g} %", (2, 5, 10), _reframed(pixels.WHITE)),
    ("scale", "scaled to {:g} %", (97, 94, 85), _moved(lambda amount, *_: centred_scale(amount / 100))),
    ("rotate", "rotated by {:g} degrees", (2, 4, 8), _moved(rotation)),
    ("shift", "shifted right by {:g} %", (2, 4, 8), _moved(lambda amount, *_: affine(shift=(amount / 100, 0.0)))),
    ("shift-down", "shifted down by {:g} %", (2, 4, 8), _moved(lambda amount, *_: affine(shift=(0.0, amount / 100)))),
    ("crop", "cropped by {:g} % on every side", (2, 4, 8), _reframed(None)),
    ("marker", "side marker, {:g} % of the height", (6, 10, 15), _by(pixels.add_marker, unit=100)),
    ("text", "burned-in text, {:g} lines", (1, 3, 6), _by(pixels.add_text)),
    ("dicom-window", "DICOM window clipping {:g} %", (2, 10, 30), _by(dicom_copies.with_window, unit=100)),
    ("dicom-voi-lut", "DICOM with a sigmoid VOI LUT, slope {:g}", (3, 6, 12), _by(dicom_copies.with_voi_lut)),
    ("dicom-monochrome1", "DICOM MONOCHROME1, {:g} bits", (16, 12, 8), _by(dicom_copies.as_monochrome1)),
)  # fmt: skip


def _change(kind: str, label: str, amount: float, function: Any, strength: Strength = "middle") -> Change:
    return Change(kind=kind, strength=strength, amount=amount, label=label.format(amount), function=function)


CHANGES: tuple[Change, ...] = (
    *(
        _change(kind, label, amount, function, strength)
        for kind, label, amounts, function in _KINDS
        for strength, amount in zip(STRENGTHS, amounts, strict=True)
    ),
    _change("mirror", "mirrored", 1, _by(lambda grey, _: (grey[:, ::-1], affine(scale=(-1.0, 1.0), shift=(1.0, 0.0))))),
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
