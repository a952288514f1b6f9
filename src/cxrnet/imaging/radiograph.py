"""The radiograph as the rest of the program sees it, and the words for why a file is not one."""

import enum
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from cxrnet.arrays import AnyArray, Bool, Float32
from cxrnet.errors import RadiographError
from cxrnet.imaging.array_input import grey_values

IDENTIFIERS = ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "AccessionNumber")
"""Attributes that identify the patient or the study; read and shown only on request."""

PATIENT_TAGS = ("PatientAge", "PatientSex")
"""Attributes that a model with patient data may take, in addition to the view."""

BURNED_IN = "Burned In Annotation (0028,0301) is YES: text is part of the picture"
"""Warning for a picture that may show a name, which its panel then shows as well."""

_LONGEST_NAME = 255


class Fault(enum.StrEnum):
    """Why an input is not a readable radiograph: the `code` of a `RadiographError`."""

    NOT_FOUND = "NOT_FOUND"
    NOT_A_FILE = "NOT_A_FILE"
    UNREADABLE = "UNREADABLE"
    NO_PIXELS = "NO_PIXELS"
    MULTI_FRAME = "MULTI_FRAME"
    COLOUR = "COLOUR"
    CONSTANT = "CONSTANT"
    TOO_SMALL = "TOO_SMALL"
    TOO_LARGE = "TOO_LARGE"
    DECODER_TIME = "DECODER_TIME"
    DECODER_MEMORY = "DECODER_MEMORY"
    DECODER_DIED = "DECODER_DIED"


ToneCurve = tuple[tuple[float, float], ...]
"""Points (value, shown value), both 0..255 and rising, between which a display is linear."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one file may cost; the defaults hold every radiograph that is made today with room to spare.

    Args:
        pixels: Most pixels in a radiograph (height x width).
        side: Fewest pixels along either side.
        seconds: Wall-clock time to read one file; with what comes before and after, a bad one costs 10 at most.
        memory_bytes: Address space that the decoder may add to what it has after its imports. Needs the
            `resource` module: on Windows only the time is limited.
        files_per_child: Files after which the decoder is replaced, because codecs leak.
        file_bytes: Largest file that is opened.
    """

    pixels: int = 50_000_000
    side: int = 64
    seconds: float = 9.0
    memory_bytes: int = 1536 * 2**20
    files_per_child: int = 200
    file_bytes: int = 512 * 2**20


@dataclass(frozen=True, kw_only=True, eq=False)
class Radiograph:
    """One radiograph, upright, and what was done to get it.

    Holds no names, numbers or dates of a patient but `identifiers`, and those only where they were asked for; of the
    patient otherwise only age and sex.

    Args:
        pixels: float32 [height, width], 0..255, brighter = denser (bone white). 8-bit pictures keep their
            values; everything else is scaled so that its minimum is 0 and its maximum 255. The stored values at
            their full depth: no display setting of the file clips them.
        name: File name as the user knows it.
        sha256: Of the bytes of the file, hexadecimal.
        format: "DICOM", "PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF" or "array".
        spacing_mm: Distance between the centres of neighbouring (rows, columns), or None where not known.
        history: The steps taken, in order, for people.
        warnings: What is odd about the input but did not stop the reading, for people.
        tags: DICOM attributes about the view and the kind of image, by keyword; empty for other formats.
        identifiers: `IDENTIFIERS` by keyword, those that the file has; None where they were not asked for.
        patient: `PATIENT_TAGS` by keyword, for models that take patient data; in no record and no message.
        turned: Degrees clockwise, 0, 90, 180 or 270, by which `pixels` are turned from the rows and columns of a DICOM
            file.
        exif_orientation: 1 to 8, of the file: `pixels` are upright, so that a mask has to be stored likewise.
        tone_curve: How the file wants `pixels` shown; () shows them as they are.
    """

    pixels: Float32
    name: str
    sha256: str
    format: str
    spacing_mm: tuple[float, float] | None = None
    history: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    identifiers: Mapping[str, str] | None = None
    patient: Mapping[str, str] = field(default_factory=dict, repr=False)
    turned: int = 0
    exif_orientation: int = 1
    tone_curve: ToneCurve = ()

    def displayed(self, pixels: Float32) -> Float32:
        """Return `pixels` of this radiograph, float32 0..255 of any size, as its file wants them shown."""
        if not self.tone_curve:
            return pixels
        values, shown = zip(*self.tone_curve, strict=True)
        return np.asarray(np.interp(pixels, values, shown), np.float32)

    def _repr_png_(self) -> bytes:
        """Return what a notebook shows: the image as its file wants it, at most 512 pixels wide or high."""
        import cv2  # a codec, which importing the reader must not load

        shrink = min(1.0, 512 / max(self.pixels.shape))
        small = cv2.resize(self.pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        shown = np.rint(self.displayed(np.asarray(small, np.float32))).clip(0, 255).astype(np.uint8)
        return bytes(cv2.imencode(".png", shown)[1])

    @classmethod
    def from_array(cls, pixels: Any, *, name: str = "array", spacing_mm: tuple[float, float] | None = None) -> Self:
        """A radiograph of an array that the caller has already made upright.

        Args:
            pixels: Integers or floating point [height, width], brighter = denser: a NumPy array, anything that NumPy
                makes an array of (tensors, nested lists), or a grey Pillow image. uint8 keeps its values; everything
                else is scaled to 0..255 from its own minimum and maximum. Masked values become 0 and do not count.
            name: What messages and results call it.
            spacing_mm: Distance between the centres of neighbouring (rows, columns).

        Raises:
            RadiographError: It is no such array, has not two axes, is too small, too large or constant, holds values
                that are not finite, or its spacing is not two positive numbers.
        """
        remedy = "give one grey image [height, width] of integers or floating point"
        name = str(name)
        try:
            values, mask = grey_values(pixels)
        except ValueError as error:
            raise fault(Fault.UNREADABLE, name, str(error).splitlines()[0], remedy) from error
        if values.ndim != 2:
            raise fault(Fault.UNREADABLE, name, f"the array has {values.ndim} axes", remedy)
        check_size(name, values.shape[0], values.shape[1], Limits())
        if mask is not None:
            values = np.where(mask, values[~mask].min() if not mask.all() else 0, values)
        return cls(
            pixels=scale(name, values, background=mask),
            name=name,
            sha256=hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest(),
            format="array",
            spacing_mm=None if spacing_mm is None else _check_spacing(name, spacing_mm),
            history=(
                f"given as an array, {describe_size(values)}, {values.dtype}",
                *scaling_step(values, background=mask),
            ),
        )


def _check_spacing(name: str, spacing_mm: Any) -> tuple[float, float]:
    """Two positive numbers, or a RadiographError."""
    try:
        row, column = (float(each) for each in spacing_mm)
        if not isinstance(spacing_mm, str | bytes | set | dict) and 0 < row < np.inf and 0 < column < np.inf:
            return row, column
    except (TypeError, ValueError):
        pass
    problem = f"spacing_mm is {printable(repr(spacing_mm))}"
    raise fault(Fault.UNREADABLE, name, problem, "give the distances of (rows, columns) in mm, both above 0")


def fault(code: Fault, name: str, problem: str, remedy: str) -> RadiographError:
    """The error for the input `name`: one printable line, `<name>: <problem>; <remedy>`."""
    return RadiographError(code, f"{printable(name)}: {problem}; {remedy}")


@contextmanager
def refusing(name: str, task: str) -> Iterator[None]:
    """Turn what a library raises during `task` into UNREADABLE.

    Only the class of the exception is shown: its text can quote values that identify a patient.
    """
    try:
        yield
    except (RadiographError, MemoryError):
        raise
    except Exception as error:
        problem = f"{task} failed ({type(error).__name__})"
        raise fault(Fault.UNREADABLE, name, problem, "the file is damaged or of an unsupported kind") from error


def printable(text: str) -> str:
    """`text` fit for a terminal, as `escaped`, and not longer than a name."""
    return escaped(text[:_LONGEST_NAME])


def escaped(text: str) -> str:
    """`text` as one line: control characters and what turns the writing direction are escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def describe_size(pixels: AnyArray) -> str:
    """The size of `pixels` [height, width, ...] as people say it, width x height, for example "920 x 978"."""
    return f"{pixels.shape[1]} x {pixels.shape[0]}"


def check_size(name: str, height: int, width: int, limits: Limits) -> None:
    """Refuse an image of more pixels, or a shorter side, than `limits` allow.

    Raises:
        RadiographError: TOO_SMALL or TOO_LARGE.
    """
    size = f"{width} x {height} pixels"
    if min(height, width) < limits.side:
        remedy = f"each side must be at least {limits.side} pixels"
        raise fault(Fault.TOO_SMALL, name, f"the image is {size}", remedy)
    if height * width > limits.pixels:
        raise fault(Fault.TOO_LARGE, name, f"the image is {size}", f"at most {limits.pixels} pixels are read")


def scale(name: str, values: AnyArray, *, background: Bool | None = None) -> Float32:
    """float32 [height, width] in 0..255: uint8 as it is, everything else from its own minimum and maximum.

    Args:
        name: The input, for messages.
        values: Any real type [height, width].
        background: bool [height, width], true where there is no image; becomes 0 and does not count.

    Raises:
        RadiographError: UNREADABLE where a value is not finite, CONSTANT where all are equal.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        remedy = "every pixel must be a finite number"
        raise fault(Fault.UNREADABLE, name, "some pixels are NaN or infinite", remedy)
    low, high = find_range(values, background=background)
    # Halved first: the distance between two float64 values can be larger than the largest float64.
    half = high / 2 - low / 2
    if half == 0:
        remedy = "a radiograph has contrast"
        raise fault(Fault.CONSTANT, name, f"every pixel has the same value, {low:g}", remedy)
    if values.dtype == np.uint8 and background is None:
        return values.astype(np.float32)
    scaled = values.astype(np.float64)
    scaled /= 2  # in place: the largest images take 400 MB at a time here
    scaled -= low / 2
    scaled /= half
    scaled *= 255
    if background is not None:
        scaled[background] = 0
    return np.clip(scaled, 0, 255, out=scaled).astype(np.float32)  # only what rounding puts beyond the ends


def scaling_step(values: AnyArray, *, background: Bool | None = None) -> tuple[str, ...]:
    """The line of history for `scale`, nothing where it leaves the values alone."""
    if values.dtype == np.uint8 and background is None:
        return ()
    low, high = find_range(values, background=background)
    return (f"scaled from {low:g}..{high:g} to 0..255",)


def invert_curve(curve: ToneCurve) -> ToneCurve:
    """The tone curve of the same image with dark and bright exchanged."""
    return tuple((255 - value, 255 - shown) for value, shown in reversed(curve))


def find_range(values: AnyArray, *, background: Bool | None = None) -> tuple[float, float]:
    """The least and the greatest of `values` outside the `background`, (0, 0) where there are none."""
    image = values if background is None else values[~background]
    return (float(image.min()), float(image.max())) if image.size else (0.0, 0.0)
