"""DICOM data sets that break off before the pixels because of their structure, not of their pixels.

Readers differ in what they forgive: unknown value representations (`??`), a missing delimiter behind a sequence or a
compressed frame, and bytes behind the data set. The elements are walked one after the other, and these put in order.
"""

import struct

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import STANDARD_VR

_TRANSFER_SYNTAX, _PIXEL_DATA = (0x0002, 0x0010), (0x7FE0, 0x0010)
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_DELIMITER = bytes.fromhex("feffdde000000000")
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset(str(vr).encode() for vr in STANDARD_VR) - _LONG
_MOST_ELEMENTS = 100_000


def repair(content: bytes) -> bytes | None:
    """The file with its structure in order up to the pixel data, or None where that cannot be done.

    Files without file meta information, deflated and big-endian ones are left alone.
    """
    if content[128:132] != b"DICM":
        return None
    data, at, syntax = bytearray(content), 132, ""
    is_between, depth = False, 0  # whether an item of the innermost open sequence has ended; sequences that are open
    for _ in range(_MOST_ELEMENTS):
        if at + 8 > len(data):
            return None
        tag = struct.unpack_from("<HH", data, at)
        if is_between and depth and tag not in (_ITEM, _SEQUENCE_END):
            data[at:at] = _DELIMITER  # of the sequence, left out
            tag = _SEQUENCE_END
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):  # inside a sequence of undefined length: its elements follow
            is_between = tag == _ITEM_END
            depth -= tag == _SEQUENCE_END
            at += 8
            continue
        if tag[0] != 2 and syntax in ("", DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian):
            return None
        start, length = _value_of(data, at, tag, is_implicit=tag[0] != 2 and syntax == ImplicitVRLittleEndian)
        if tag == _TRANSFER_SYNTAX:
            syntax = bytes(data[start : start + length]).rstrip(b"\0 ").decode("ascii", "replace")
        if tag == _PIXEL_DATA:
            is_native = syntax in (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
            end = start + length if length != _UNDEFINED else _end_of_items(data, start)
            return bytes(data[:end]) + (b"" if is_native or length != _UNDEFINED else _DELIMITER)
        depth += length == _UNDEFINED
        at = start if length == _UNDEFINED else start + length
    return None


def _value_of(data: bytearray, at: int, tag: tuple[int, int], *, is_implicit: bool) -> tuple[int, int]:
    """Where the value of the element at `at` begins, and its length; an unknown VR is replaced."""
    if is_implicit:
        return at + 8, struct.unpack_from("<I", data, at + 4)[0]
    vr = bytes(data[at + 4 : at + 6])
    is_known = vr.isalpha() and vr.isupper()
    short = at + 8, struct.unpack_from("<H", data, at + 6)[0]
    if at + 12 > len(data):
        return short
    long = at + 12, struct.unpack_from("<I", data, at + 8)[0]
    if is_known:
        return long if vr in _LONG else short
    is_long = tag == _PIXEL_DATA or not _is_element(data, sum(short))
    data[at + 4 : at + 6] = b"OW" if tag == _PIXEL_DATA else b"UN" if is_long else b"SH"
    return long if is_long else short


def _is_element(data: bytearray, at: int) -> bool:
    """Whether an element with a value representation, or a part of a sequence, begins at `at`."""
    if at + 8 > len(data):
        return False
    return data[at : at + 2] == b"\xfe\xff" or bytes(data[at + 4 : at + 6]) in _SHORT | _LONG


def _end_of_items(data: bytearray, at: int) -> int:
    """Where the fragments of a compressed frame that begin at `at` end."""
    while at + 8 <= len(data) and struct.unpack_from("<HH", data, at) == _ITEM:
        length = struct.unpack_from("<I", data, at + 4)[0]
        if at + 8 + length > len(data):
            break
        at += 8 + length
    return at
