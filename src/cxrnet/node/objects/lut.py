"""How the grey values of the file are shown: its Modality and VOI LUT, as a presentation state holds them.

highdicom would copy windows and slopes, but no Modality LUT Sequence, and fails for a file with a window and a table.
What counts here is what the reader applied (`cxrnet.imaging.greyscale`): the first table, or else the first window.
"""

from contextlib import suppress
from typing import Final

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import DSfloat

from cxrnet.errors import RadiographError
from cxrnet.imaging.attributes import code, numbers
from cxrnet.imaging.greyscale import find_table

SHOWN = (
    "ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "RescaleType", "VOILUTSequence", "WindowCenter",
    "WindowWidth", "VOILUTFunction", "PixelRepresentation",
)  # fmt: skip

FUNCTIONS: Final = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def shown(header: Dataset) -> Dataset:
    """Modality LUT and Softcopy VOI LUT (PS3.3 C.11.1, C.11.8), as far as the file has them."""
    grey, voi, factor = Dataset(), Dataset(), 1.0
    is_signed = numbers(header, "PixelRepresentation") == (1.0,)
    slope, intercept = numbers(header, "RescaleSlope") or (), numbers(header, "RescaleIntercept") or ()
    if header.get("ModalityLUTSequence"):
        unit = code(header.ModalityLUTSequence[0], "ModalityLUTType").strip("?") or "US"
        is_free = unit == "US" and not header.get("VOILUTSequence")
        table, bits, factor = _table(header, "ModalityLUTSequence", is_signed=is_signed, is_scaled=is_free)
        table.ModalityLUTType = unit
        grey.ModalityLUTSequence = Sequence([table])
        is_signed = False
        if 8 < bits < 16 and factor == 1:  # without a window a viewer shows the range of the 16 bits that are declared
            voi.WindowCenter, voi.WindowWidth = decimal(2.0 ** (bits - 1)), decimal(2.0**bits)
    elif slope or intercept:
        grey.RescaleIntercept = decimal((intercept or (0.0,))[0])
        grey.RescaleSlope = decimal((slope or (1.0,))[0])
        grey.RescaleType = code(header, "RescaleType").strip("?") or "US"
        is_signed = is_signed or grey.RescaleIntercept < 0 or grey.RescaleSlope < 0
    if header.get("VOILUTSequence"):
        voi = Dataset()
        with suppress(RadiographError):  # the reader ignored a damaged table too, and said so
            voi.VOILUTSequence = Sequence([_table(header, "VOILUTSequence", is_signed=is_signed, is_scaled=True)[0]])
    elif window := _window(header, factor):
        voi = window
    if len(voi):
        grey.SoftcopyVOILUTSequence = Sequence([voi])
    return grey


def decimal(value: float) -> DSfloat:
    """A number in the 16 characters of a Decimal String."""
    return DSfloat(value, auto_format=True)


def _window(header: Dataset, factor: float = 1.0) -> Dataset | None:
    """The first window for values times `factor`, None if it cannot be applied (PS3.3 C.11.2.1.2)."""
    centres, widths = numbers(header, "WindowCenter"), numbers(header, "WindowWidth")
    function = code(header, "VOILUTFunction").upper()
    if not centres or not widths or function not in ("", *FUNCTIONS):
        return None
    if widths[0] < (1 if function in ("", "LINEAR") else 1e-9):
        return None
    centre, width = centres[0], widths[0]
    if factor != 1:  # otherwise as the file has them, to the last digit
        # A linear window of N values is N - 1 wide.
        shift, step = (0.5, 1.0) if function in ("", "LINEAR") else (0.0, 0.0)
        centre, width = (centre - shift) * factor + shift, (width - step) * factor + step
    window = Dataset()
    window.WindowCenter, window.WindowWidth = decimal(centre), decimal(width)
    if function:
        window.VOILUTFunction = function
    return window


def _table(header: Dataset, keyword: str, *, is_signed: bool, is_scaled: bool = False) -> tuple[Dataset, int, float]:
    """The first table of a sequence, rewritten; its bits; and what its output was multiplied with.

    It is rewritten because its representation may be ambiguous and its bytes swapped. A presentation state has tables
    of 8 or of 16 bits (PS3.3 C.11.1.1.1, C.11.8), so that one of 12 is declared as 16. `is_signed` says that its input
    can be negative, `is_scaled` that its output has no unit, so that one of 10 to 15 bits can be stretched to 16.
    """
    low, high = (-(2**15), 2**15 - 1) if is_signed else (0, 2**16 - 1)
    found = find_table(header, keyword, low, high, "")
    values, first = found.entries, found.first
    bits = min(int(header[keyword][0].LUTDescriptor[2]), 16)
    factor = 1.0
    if bits <= 8 and values.max() < 256:
        values = np.append(values, values[-1:][: len(values) % 2])  # padded to whole words
        data, written = values.astype(np.uint8).tobytes(), 8
    else:
        largest = 2**bits - 1
        if is_scaled and 8 < bits < 16 and values.max() <= largest:
            factor = 0xFFFF / largest
            values = np.rint(values * factor)
        data, written = values.astype("<u2").tobytes(), 16
    entries = len(values)
    table = Dataset()
    is_negative = first < 0
    count = entries - 0x10000 if is_negative and entries > 0x7FFF else entries % 0x10000
    table.add_new("LUTDescriptor", "SS" if is_negative else "US", [count, first, written])
    table.add_new("LUTData", "OW", data)
    return table, bits, factor
