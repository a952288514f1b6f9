"""Compressed frames: their fragments, what their own header says, and the one kind that pydicom cannot decode.

The header is read here, before any codec sees the frame: a frame of another size than the DICOM header says
is how codecs are made to write where they should not, and pydicom 3.0.2 loops for ever on a JP2 box of
length 0.
"""

import struct
from io import BytesIO
from typing import NamedTuple

import numpy as np
from pydicom.uid import UID, RLELossless

from cxrnet.arrays import AnyArray, UInt16

_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  "
_ITEM = b"\xfe\xff\x00\xe0"
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", _JP2_SIGNATURE)
"""How a frame of JPEG, JPEG-LS or JPEG 2000 begins."""

_START_OF_FRAME = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD8)})


class FrameHeader(NamedTuple):
    """Size of a compressed frame in pixels, its components, the bits of the first, whether it is signed, process."""

    height: int
    width: int
    components: int
    bits: int
    is_signed: bool | None = None
    marker: int = 0  # of JPEG and JPEG-LS


def join_frame(encapsulated: bytes, syntax: UID) -> bytes:
    """The first frame in encapsulated Pixel Data (PS3.5 A.4), or no bytes.

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


def read_frame_header(frame: bytes) -> FrameHeader | None:
    """The header of a JPEG, JPEG-LS or JPEG 2000 frame, None if none can be found."""
    if frame.startswith(b"\xff\xd8"):
        return _read_jpeg_header(frame)
    if frame.startswith(_JP2_SIGNATURE):
        frame = frame[_find_codestream(frame) :]
    return _read_jpeg2000_header(frame) if frame.startswith(b"\xff\x4f\xff\x51") else None


def decode_extended(frame: bytes, height: int, width: int) -> UInt16:
    """uint16 [height, width] from a 12-bit JPEG (process 4), by GDCM.

    pydicom's own GDCM plugin declines 12 bits, and no other decoder that may be depended on has them.
    """
    import gdcm  # type: ignore[import-untyped]  # here because it is needed for this one kind of frame

    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(frame)
    fragments = gdcm.SequenceOfFragments.New()
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((width, height, 1))
    image.SetDataElement(element)
    monochrome = gdcm.PhotometricInterpretation.MONOCHROME2
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(monochrome))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    buffer = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM wraps bytes as text
    return np.frombuffer(buffer, np.uint16).reshape(height, width)


def decode_jpeg(frame: bytes) -> AnyArray:
    """uint8 [height, width], or [height, width, 3] in RGB, from a JPEG of 8 bits, by Pillow."""
    from PIL import Image  # here because it is needed for retired transfer syntaxes only

    return np.asarray(Image.open(BytesIO(frame), formats=("JPEG",)))


def _read_jpeg_header(frame: bytes) -> FrameHeader | None:
    """The first SOF segment (ITU-T T.81 B.2.2; JPEG-LS T.87 C.2.2); each turn of the loop moves forward."""
    at = 2
    while at + 10 <= len(frame) and frame[at] == 0xFF:
        marker = frame[at + 1]
        if marker in _START_OF_FRAME:
            height, width = _word(frame, at + 5), _word(frame, at + 7)
            return FrameHeader(height, width, components=frame[at + 9], bits=frame[at + 4], marker=marker)
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + max(_word(frame, at + 2), 2)
    return None


def _find_codestream(frame: bytes) -> int:
    """Where the codestream box of a JP2 file begins (T.800 I.4), the end of `frame` where it has none."""
    at = 0
    while at + 16 <= len(frame):
        length, kind = int.from_bytes(frame[at : at + 4], "big"), frame[at + 4 : at + 8]
        start = at + (16 if length == 1 else 8)
        if length == 1:
            length = int.from_bytes(frame[at + 8 : at + 16], "big")
        if kind == b"jp2c":
            return start
        if length < 8:
            break
        at += length
    return len(frame)


def _read_jpeg2000_header(codestream: bytes) -> FrameHeader | None:
    """The SIZ segment (T.800 A.5.1), which is always the second."""
    if len(codestream) < 43:
        return None
    width, height, left, top = (int.from_bytes(codestream[at : at + 4], "big") for at in (8, 12, 16, 20))
    depth = codestream[42]
    return FrameHeader(height - top, width - left, _word(codestream, 40), (depth & 0x7F) + 1, depth > 0x7F)


def _word(data: bytes, at: int) -> int:
    """The 16-bit big-endian number at `at`."""
    return int.from_bytes(data[at : at + 2], "big")


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
