"""Compressed frames in fragments, with offset tables of every kind."""

import struct

import cv2
import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from cxrnet.imaging.codestream import join_frame
from cxrnet.imaging.frame import read_frame
from cxrnet.imaging.radiograph import Limits

from .conftest import dicom_of

GREY = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
JPEG = cv2.imencode(".jpg", GREY, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
JPEG += b"\0" * (len(JPEG) % 2)
END = bytes.fromhex("feffdde000000000")


def item(value):
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(value)) + value


def pieces(count):
    """Return the frame in so many fragments of even length."""
    size = len(JPEG) // count // 2 * 2
    return [JPEG[at * size : (at + 1) * size if at < count - 1 else None] for at in range(count)]


def offsets(*numbers):
    return struct.pack(f"<{len(numbers)}I", *numbers)


@pytest.mark.parametrize("fragments", [1, 2, 5])
@pytest.mark.parametrize(
    "table",
    [b"", offsets(0), offsets(8), offsets(12345), offsets(0, 0), offsets(0, 400), b"\0\0\0", None],
    ids=["empty", "right", "shifted", "beyond", "zeros", "every-fragment", "odd", "absent"],
)
def test_frame_is_joined_whatever_the_offset_table_says(table, fragments):
    dataset = dicom_of(GREY)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    first = b"" if table is None else item(table)
    for end in (END, b""):
        dataset.PixelData = first + b"".join(item(each) for each in pieces(fragments)) + end
        stored = read_frame(dataset, "xray", Limits(), [])
        np.testing.assert_allclose(stored.astype(int), GREY, atol=2)


def test_fragments_of_a_further_frame_are_left_out():
    other = cv2.imencode(".jpg", 255 - GREY)[1].tobytes()
    assert join_frame(item(b"") + item(JPEG) + item(other) + END, JPEGBaseline8Bit) == JPEG


def test_frame_of_rle_is_one_fragment():
    assert join_frame(item(b"") + item(b"first") + item(b"second") + END, RLELossless) == b"first"


@pytest.mark.parametrize("content", [b"", item(b""), END, b"noise", item(JPEG)[:-3]])
def test_nothing_whole_is_no_frame(content):
    assert join_frame(content, JPEGBaseline8Bit) == b""


@pytest.mark.parametrize("stored", [8, 12, 16])
def test_baseline_jpeg_has_8_bits_whatever_the_header_says(stored):
    dataset = dicom_of(GREY.astype(np.uint16), bits=stored)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = item(b"") + item(JPEG) + END
    np.testing.assert_allclose(read_frame(dataset, "xray", Limits(), []).astype(int), GREY, atol=2)
