import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.imaging.codestream import FrameHeader, read_frame_header

SOF = b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", 70, 90) + b"\x01\x01\x11\0"
SIZ = b"\xff\x4f\xff\x51\0\x29\0\0" + struct.pack(">8IH", 95, 77, 5, 7, 64, 64, 0, 0, 1) + b"\x0b\1\1"
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    return struct.pack(">I", 8 + len(content) if length is None else length) + kind + content


def test_jpeg_header_is_found_behind_other_segments():
    frame = b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xdb\0\x03x\xff\x01" + SOF
    assert read_frame_header(frame) == FrameHeader(height=70, width=90, components=1, bits=8, marker=0xC0)


def test_jpeg_ls_header_is_found():
    assert read_frame_header(b"\xff\xd8" + SOF.replace(b"\xff\xc0", b"\xff\xf7"))[:2] == (70, 90)


def test_jpeg_table_of_huffman_codes_is_not_taken_for_a_frame():
    assert read_frame_header(b"\xff\xd8\xff\xc4\0\x0b123456789" + SOF)[:2] == (70, 90)


def test_jpeg_2000_size_is_without_the_offset_of_the_image():
    assert read_frame_header(SIZ) == FrameHeader(height=70, width=90, components=1, bits=12, is_signed=False)


def test_jpeg_2000_sign_is_the_highest_bit_of_the_depth():
    signed = bytearray(SIZ)
    signed[42] |= 0x80
    header = read_frame_header(bytes(signed))
    assert (header.bits, header.is_signed) == (12, True)


def test_jp2_codestream_box_may_run_to_the_end():
    assert read_frame_header(JP2 + box(b"jp2h", b"12345678") + box(b"jp2c", SIZ, length=0))[:2] == (70, 90)


def test_jp2_box_may_have_a_long_length():
    assert read_frame_header(JP2 + struct.pack(">I4sQ", 1, b"jp2c", 16 + len(SIZ)) + SIZ)[:2] == (70, 90)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"GIF89a",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\0\0" * 9,
        b"\xff\xd8\xff\xe0\xff\xff",
        SIZ[:30],
        JP2 + box(b"jp2h", b"12345678", length=0) + box(b"jp2c", SIZ),
        JP2 + box(b"jp2h", b"12345678", length=7) + box(b"jp2c", SIZ),
    ],
)
def test_frame_without_header_has_none(frame):
    assert read_frame_header(frame) is None


@given(st.sampled_from([b"", b"\xff\xd8", b"\xff\xd8\xff", JP2, SIZ[:4]]), st.binary(max_size=200))
def test_any_bytes_are_read_to_an_end(start, rest):
    header = read_frame_header(start + rest)
    assert header is None or np.isfinite(header).all()
