"""Stored values to grey: Modality LUT, then VOI LUT, then polarity (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2).

pydicom's `apply_modality_lut` and `apply_voi_lut` serve as oracles in the tests but are not called: they wrap
indices around for an 8-bit table longer than 256 entries or a negative first value, refuse Modality LUTs of
10 to 15 bits, and multiply by a slope of 0 without a word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from cxrnet.arrays import AnyArray, Bool, Float64
from cxrnet.imaging.attributes import code, has_items, label, number, numbers
from cxrnet.imaging.levels import Levels
from cxrnet.imaging.radiograph import Fault, fault, refusing


def apply_modality(values: Float64, dataset: Dataset, name: str, history: list[str]) -> Float64:
    """Stored values to the units of the device (PS3.3 C.11.1).

    Args:
        values: float64 [height, width], stored values.
        dataset: The header.
        name: The input, for messages.
        history: Receives the step that was taken.

    Raises:
        RadiographError: UNREADABLE for a slope of 0, values that are not numbers, or a damaged table.
    """
    if has_items(dataset, "ModalityLUTSequence"):
        history.append(f"looked up in {label('ModalityLUTSequence')}")
        return _look_up(values, dataset, "ModalityLUTSequence", name)
    if numbers(dataset, "RescaleSlope") == () and numbers(dataset, "RescaleIntercept") == ():
        return values
    slope = number(dataset, "RescaleSlope", name, default=1.0)
    intercept = number(dataset, "RescaleIntercept", name, default=0.0)
    if slope == 0:
        raise fault(Fault.UNREADABLE, name, f"{label('RescaleSlope')} is 0", "the slope must not be 0")
    history.append(f"rescaled by slope {slope:g} and intercept {intercept:g} (0028,1053)")
    return values if (slope, intercept) == (1, 0) else values * slope + intercept


def apply_voi(values: Float64, dataset: Dataset, name: str, history: list[str], warnings: list[str]) -> Float64:
    """The values of interest, by the first table or else the first window of the file (PS3.3 C.11.2).

    Args:
        values: float64 [height, width], after the Modality LUT.
        dataset: The header.
        name: The input, for messages.
        history: Receives the step that was taken.
        warnings: Receives what is odd.

    Raises:
        RadiographError: UNREADABLE for a window without width, an unknown function, or a damaged table.
    """
    if has_items(dataset, "VOILUTSequence"):
        history.append(f"looked up in {label('VOILUTSequence')}")
        if len(dataset.VOILUTSequence) > 1:
            warnings.append(f"{label('VOILUTSequence')} has several tables; the first was used")
        return _look_up(values, dataset, "VOILUTSequence", name)
    centres, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if centres is None or widths is None:
        keyword = "WindowCenter" if centres is None else "WindowWidth"
        raise fault(Fault.UNREADABLE, name, f"{label(keyword)} is not a number", "remove or correct the window")
    if not centres or not widths:
        if centres or widths:
            warnings.append(f"{label('WindowCenter')} and Window Width do not come together and were ignored")
        return values
    if len(centres) > 1 or len(widths) > 1:
        warnings.append(f"{label('WindowCenter')} has several windows; the first was used")
    function = (code(dataset, "VOILUTFunction") or "LINEAR").upper()
    history.append(f"windowed {centres[0]:g}/{widths[0]:g} {function} (0028,1050)")
    return _window(values, centres[0], widths[0], function, name)


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


def find_padding(levels: Levels, dataset: Dataset, history: list[str]) -> Bool | None:
    """Which stored values are padding, not image: bool as `levels.values`, or None where there is none.

    Pixel Padding Value (0028,0120), up to the Range Limit (0028,0121) where given (PS3.3 C.7.5.1.1.2).
    """
    first = numbers(dataset, "PixelPaddingValue")
    if not first:
        return None
    last = numbers(dataset, "PixelPaddingRangeLimit") or first
    low, high = min(first[0], last[0]), max(first[0], last[0])
    padding = (levels.values >= low) & (levels.values <= high)
    if not padding.any():
        return None
    history.append(f"took {levels.share(padding):.1%} of the pixels for padding (0028,0120)")
    return padding


def _window(values: Float64, centre: float, width: float, function: str, name: str) -> Float64:
    """Values up to a factor and an offset as PS3.3 C.11.2.1.2 and C.11.2.1.3 show them.

    The linear functions are a clip here: the scaling to 0..255 that follows supplies factor and offset.
    """
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        remedy = "LINEAR, LINEAR_EXACT and SIGMOID are accepted"
        raise fault(Fault.UNREADABLE, name, f"{label('VOILUTFunction')} is not known", remedy)
    least = 1 if function == "LINEAR" else 0
    if width < least or width <= 0:
        remedy = "it must be at least 1" if least else "it must be greater than 0"
        problem = f"{label('WindowWidth')} is {width:g} for {function}"
        raise fault(Fault.UNREADABLE, name, problem, remedy)
    if function == "SIGMOID":
        exponent = np.clip(-4 * (values - centre) / width, -700, 700)  # exp overflows beyond
        return np.asarray(1 / (1 + np.exp(exponent)))
    if function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    if width == 0:
        return (values > centre).astype(np.float64)
    return np.clip(values, centre - width / 2, centre + width / 2)


def _look_up(values: Float64, dataset: Dataset, keyword: str, name: str) -> Float64:
    """float64 [height, width] from the first table of a LUT sequence; beyond its ends the end values hold."""
    with refusing(name, f"reading {label(keyword)}"):
        item = dataset[keyword][0]
        entries, first, _ = (int(each) for each in item.LUTDescriptor)
        table = _read_table(item.LUTData, entries or 2**16, is_little_endian=dataset.original_encoding[1])
        if table is None:
            remedy = "the table is damaged"
            problem = f"{label('LUTData')} is shorter than {label('LUTDescriptor')} says"
            raise fault(Fault.UNREADABLE, name, problem, remedy)
    index = np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.intp)
    return np.asarray(table[index], np.float64)


def _read_table(data: Any, entries: int, *, is_little_endian: bool | None) -> AnyArray | None:
    """`entries` numbers from LUT Data in words (US, OW) or packed bytes, None where there are too few."""
    if not isinstance(data, bytes):
        data, is_little_endian = np.asarray(data).astype("<u2").tobytes(), True
    if len(data) >= 2 * entries:
        return np.frombuffer(data, "<u2" if is_little_endian is not False else ">u2", entries)
    return np.frombuffer(data, np.uint8, entries) if len(data) >= entries else None
