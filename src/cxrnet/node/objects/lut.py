"""How the grey values of the file are shown: its Modality and VOI LUT, as a presentation state holds them.

highdicom would copy windows and slopes, but no Modality LUT Sequence, and fails for a file with a window and a table.
What counts here is what the reader applied (`cxrnet.imaging.greyscale`): the first table, or else the first window.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.valuerep import DSfloat

from cxrnet.imaging.attributes import code, numbers

SHOWN = (
    "ModalityLUTSequence", "RescaleIntercept", "RescaleSlope", "RescaleType", "VOILUTSequence", "WindowCenter",
    "WindowWidth", "VOILUTFunction",
)  # fmt: skip


def shown(header: Dataset) -> Dataset:
    """Modality LUT and Softcopy VOI LUT (PS3.3 C.11.1, C.11.8), as far as the file has them."""
    grey = Dataset()
    if header.get("ModalityLUTSequence"):
        table = _table(header, "ModalityLUTSequence")
        table.ModalityLUTType = code(header.ModalityLUTSequence[0], "ModalityLUTType").strip("?") or "US"
        grey.ModalityLUTSequence = Sequence([table])
    elif slope := numbers(header, "RescaleSlope"):
        grey.RescaleIntercept = _decimal((numbers(header, "RescaleIntercept") or (0.0,))[0])
        grey.RescaleSlope = _decimal(slope[0])
        grey.RescaleType = code(header, "RescaleType").strip("?") or "US"
    item = Dataset()
    if header.get("VOILUTSequence"):
        item.VOILUTSequence = Sequence([_table(header, "VOILUTSequence")])
    elif (centres := numbers(header, "WindowCenter")) and (widths := numbers(header, "WindowWidth")):
        item.WindowCenter, item.WindowWidth = _decimal(centres[0]), _decimal(widths[0])
        function = code(header, "VOILUTFunction").upper().strip("?")
        if function:
            item.VOILUTFunction = function
    if len(item):
        grey.SoftcopyVOILUTSequence = Sequence([item])
    return grey


def _table(header: Dataset, keyword: str) -> Dataset:
    """The first table of a sequence, written anew: its representation may be ambiguous, its bytes in another order."""
    found = header[keyword][0]
    entries, first, bits = (int(each) for each in found.LUTDescriptor)
    is_signed = first < 0
    data = found.LUTData
    if not isinstance(data, bytes):
        data = np.asarray(data).astype("<u2").tobytes()
    elif header.original_encoding[1] is False and bits > 8:
        data = np.frombuffer(data, ">u2").astype("<u2").tobytes()
    if is_signed and entries > 0x7FFF:  # the representation is for all three, the number of entries is never negative
        entries -= 0x10000
    table = Dataset()
    table.add_new("LUTDescriptor", "SS" if is_signed else "US", [entries, first, bits])
    table.add_new("LUTData", "OW", data)
    return table


def _decimal(value: float) -> DSfloat:
    """A number in the 16 characters of a Decimal String."""
    return DSfloat(value, auto_format=True)
