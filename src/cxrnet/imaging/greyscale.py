"""Stored values to grey: Modality LUT, then VOI LUT, then polarity (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2).

pydicom's `apply_modality_lut` and `apply_voi_lut` serve as oracles in the tests but are not called: they wrap
indices around for an 8-bit table longer than 256 entries or a negative first value, refuse Modality LUTs of
10 to 15 bits, and multiply by a slope of 0 without a word.
"""

from typing import Any, NamedTuple

import numpy as np
from pydicom.dataset import Dataset

from cxrnet.arrays import AnyArray, Bool, Float64
from cxrnet.imaging.attributes import code, has_items, label, number, numbers
from cxrnet.imaging.levels import Levels
from cxrnet.imaging.radiograph import Fault, fault, refusing


def apply_modality(values: Float64, dataset: Dataset, name: str, history: list[str]) -> Float64:
    """Stored values to the units of the device (PS3.3 C.11.1).

    Raises:
        RadiographError: UNREADABLE for a slope of 0, values that are not numbers, or a damaged table.
    """
    if has_items(dataset, "ModalityLUTSequence"):
        history.append(f"looked up in {label('ModalityLUTSequence')}")
        return find_table(dataset, "ModalityLUTSequence", values.min(), values.max(), name).look_up(values)
    if numbers(dataset, "RescaleSlope") == () and numbers(dataset, "RescaleIntercept") == ():
        return values
    slope = number(dataset, "RescaleSlope", name, default=1.0)
    intercept = number(dataset, "RescaleIntercept", name, default=0.0)
    if slope == 0:
        raise fault(Fault.UNREADABLE, name, f"{label('RescaleSlope')} is 0", "the slope must not be 0")
    history.append(f"rescaled by slope {slope:g} and intercept {intercept:g} (0028,1053)")
    return values if (slope, intercept) == (1, 0) else values * slope + intercept


def is_inverted(dataset: Dataset, warnings: list[str]) -> bool:
    """Whether small values are to be shown bright, decided by (0028,0004) alone.

    The standard binds Presentation LUT Shape (2050,0020) to it: INVERSE goes with MONOCHROME1 and describes
    the same inversion, not a second one (PS3.3 C.8.11.3.1.2, C.11.6). A shape that contradicts is reported.
    """
    inverted = code(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
    shape = code(dataset, "PresentationLUTShape").upper()
    if shape and shape != ("INVERSE" if inverted else "IDENTITY"):
        warnings.append(f"{label('PresentationLUTShape')} contradicts (0028,0004), which was followed")
    return inverted


def is_uneven(dataset: Dataset) -> bool:
    """Whether a larger stored value may be shown between two smaller ones, or not at all: tables and padding."""
    sequences = ("ModalityLUTSequence", "VOILUTSequence")
    return any(has_items(dataset, one) for one in sequences) or bool(numbers(dataset, "PixelPaddingValue"))


def find_padding(levels: Levels, dataset: Dataset, history: list[str], warnings: list[str]) -> Bool | None:
    """Which stored values are padding, not image: bool as `levels.values`, or None without padding.

    Pixel Padding Value (0028,0120), up to the Range Limit (0028,0121) where given (PS3.3 C.7.5.1.1.2).
    """
    first = numbers(dataset, "PixelPaddingValue")
    if not first:
        return None
    last = numbers(dataset, "PixelPaddingRangeLimit") or first
    low, high = sorted(_with_sign_of_pixels(each[0], dataset) for each in (first, last))
    padding = (levels.values >= low) & (levels.values <= high)
    if not padding.any():
        return None
    if padding.all():
        warnings.append(f"{label('PixelPaddingValue')} covers the whole image and was ignored")
        return None
    history.append(f"took {levels.share(padding):.1%} of the pixels for padding (0028,0120)")
    return padding


def _with_sign_of_pixels(value: float, dataset: Dataset) -> float:
    """A padding value as the stored values have it: files write it signed for unsigned pixels and the reverse."""
    stored, allocated = dataset.get("BitsStored") or 0, dataset.get("BitsAllocated") or 0
    if not 0 < stored <= allocated or allocated > 32:
        return value
    low, high = (
        (-(2 ** (stored - 1)), 2 ** (stored - 1) - 1) if dataset.get("PixelRepresentation") else (0, 2**stored - 1)
    )
    readings = (value + shift for bits in (allocated, stored) for shift in (0, -(2**bits), 2**bits))
    return next((each for each in readings if low <= each <= high), value)


class Table(NamedTuple):
    """A look-up table: its entries, and the value that the first one stands for."""

    entries: AnyArray
    first: int

    @property
    def domain(self) -> tuple[float, float]:
        """The first and the last value that have an entry of their own."""
        return self.first, self.first + len(self.entries) - 1

    def look_up(self, values: Float64) -> Float64:
        """float64 as `values`; beyond the ends of the table the end entries hold."""
        index = np.clip(np.rint(values) - self.first, 0, len(self.entries) - 1).astype(np.intp)
        return np.asarray(self.entries[index], np.float64)


def find_table(dataset: Dataset, keyword: str, low: float, high: float, name: str) -> Table:
    """The first table of a LUT sequence, for an image whose values lie in `low`..`high`.

    The first value mapped is signed or not as the pixels are, and many files write it the other way: of the readings
    the one is taken whose entries cover most of the image's range.
    """
    with refusing(name, f"reading {label(keyword)}"):
        item = dataset[keyword][0]
        entries, first, bits = (int(each) for each in item.LUTDescriptor)
        entries = entries % 2**16 or 2**16
        data = _read_table(item.LUTData, entries, bits, is_little_endian=dataset.original_encoding[1])
    if data is None:
        problem = f"{label('LUTData')} is shorter than {label('LUTDescriptor')} says"
        raise fault(Fault.UNREADABLE, name, problem, "the table is damaged")
    firsts = (first, first - 2**16 if first >= 0 else first + 2**16)
    return Table(data, max(firsts, key=lambda at: min(high, at + entries - 1) - max(low, at)))


def _read_table(data: Any, entries: int, bits: int, *, is_little_endian: bool | None) -> AnyArray | None:
    """`entries` numbers from LUT Data in words (US, OW), or bytes where 8 bits do; None if there are too few."""
    if not isinstance(data, bytes):
        data, is_little_endian = np.asarray(data).astype("<u2").tobytes(), True
    if len(data) >= 2 * entries:
        return np.frombuffer(data, "<u2" if is_little_endian is not False else ">u2", entries)
    return np.frombuffer(data, np.uint8, entries) if len(data) >= entries and bits <= 8 else None
