"""The compressed frame of an image of one frame: its fragments, whatever the offset tables say (PS3.5 A.4)."""

import struct

from pydicom.uid import UID, RLELossless

_ITEM = b"\xfe\xff\x00\xe0"
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cjP  ")
"""How a frame of JPEG, JPEG-LS or JPEG 2000 begins."""


def join_frame(encapsulated: bytes, syntax: UID) -> bytes:
    """The first frame in encapsulated Pixel Data, or no bytes.

    Offset tables are not needed for one frame, and files with wrong ones are common: the frame is every fragment up to
    the one with which another begins. A frame of RLE is one fragment.
    """
    first, *fragments = _items(encapsulated) or [b""]
    if first.startswith(_STARTS):  # the table is left out altogether
        fragments.insert(0, first)
    count = 1
    while count < len(fragments) and syntax != RLELossless and not fragments[count].startswith(_STARTS):
        count += 1
    return b"".join(fragments[:count])


def _items(encapsulated: bytes) -> list[bytes]:
    """The values of the items, up to the first that is not whole."""
    found, at = [], 0
    while encapsulated[at : at + 4] == _ITEM and at + 8 <= len(encapsulated):
        (length,) = struct.unpack_from("<I", encapsulated, at + 4)
        if at + 8 + length > len(encapsulated):
            break
        found.append(encapsulated[at + 8 : at + 8 + length])
        at += 8 + length
    return found
