"""Files that are no images, and files that end too early."""

from __future__ import annotations

import gzip
import pickle

import numpy as np
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from tests.hostile.inputs.material import (
    body_of,
    chest,
    compressed,
    deflate,
    deflated,
    encoded,
    jpeg,
    jpeg2000,
    jpeg_ls,
    place_of,
    plain,
    png,
    recoded,
)
from tests.hostile.inputs.register import bad, bad_copies, write

NO_IMAGES = {
    "one_byte": b"\0",
    "random": np.random.default_rng(0).bytes(4096),
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "ds_store": b"\0\0\0\1Bud1\0\0\x10\0" + bytes(500),
    "zip": b"PK\3\4" + bytes(200),
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + bytes(200),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n",
    "svg_with_entities": b'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>',
    "fits": b"SIMPLE  =                    T" + b" " * 2850,
    "dicom_json": b'{"00080060": {"vr": "CS", "Value": ["CR"]}}',
    "program": b"\x7fELF\2\1\1" + bytes(500),
    "pickle": pickle.dumps({"a": [1, 2, 3]}),
    "netpbm": b"P5\n100 100\n255\n" + bytes(10000),
    "zeros": bytes(10_000),
    "preamble_alone": bytes(128) + b"DICM",
    "preamble_and_noise": bytes(128) + b"DICM" + np.random.default_rng(1).bytes(3000),
    "bare_group_and_noise": b"\x08\0\5\0CS\x0a\0ISO_IR 100" + b"\xff" * 200,
}


@bad("UNREADABLE")
def empty_file(folder):
    return write(folder, b"")


@bad_copies(NO_IMAGES.items(), "UNREADABLE", "NO_PIXELS")
def no_image(folder, content):
    return write(folder, content)


@bad("UNREADABLE")
def compressed_as_a_whole(folder):
    return write(folder, gzip.compress(plain()), "xray.dcm.gz")


def cuts() -> dict[str, int]:
    data = plain()
    body, pixels = body_of(data), place_of(data, 0x7FE0, 0x10)
    return {
        "in_the_preamble": 100,
        "before_the_mark": 128,
        "in_the_group_length": 138,
        "in_the_meta_information": (144 + body) // 2,
        "behind_the_meta_information": body,
        "in_the_first_element": body + 3,
        "in_the_header": (body + pixels) // 2,
        "before_the_pixels": pixels,
        "in_the_head_of_the_pixels": pixels + 6,
        "behind_the_head_of_the_pixels": pixels + 12,
        "in_the_pixels": (pixels + len(data)) // 2,
        "before_the_last_byte": len(data) - 1,
    }


@bad_copies(cuts().items(), "UNREADABLE", "NO_PIXELS")
def cut(folder, length):
    return write(folder, plain()[:length])


FRAMES = {
    "rle": lambda: recoded(RLELossless),
    "jpeg_ls": lambda: compressed(jpeg_ls(), JPEGLSLossless),
    "jpeg_2000": lambda: compressed(jpeg2000(), JPEG2000Lossless),
    "jpeg": lambda: compressed(jpeg(), "1.2.840.10008.1.2.4.50"),
    "deflated": lambda: deflated(deflate(plain()[body_of(plain()) :])),
}


@bad_copies(FRAMES.items(), "UNREADABLE", "NO_PIXELS")
def cut_frame(folder, make):
    data = make()
    return write(folder, data[: int(len(data) * 0.6)])


@bad("UNREADABLE", "NO_PIXELS")
def meta_information_alone(folder):
    data = plain()
    return write(folder, data[: body_of(data)])


@bad("NO_PIXELS")
def no_pixel_data(folder):
    return write(folder, encoded(chest(PixelData=None)))


@bad("NO_PIXELS")
def pixel_data_of_length_0(folder):
    return write(folder, encoded(chest(PixelData=b"")))


@bad("NO_PIXELS", "UNREADABLE")
def directory_of_other_files(folder):
    dataset = chest(PixelData=None)
    dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    record = chest(PixelData=None)
    del record.file_meta
    record.ReferencedFileID = ["..", "..", "etc", "passwd"]
    dataset.DirectoryRecordSequence = [record]
    return write(folder, encoded(dataset), "DICOMDIR")


@bad("UNREADABLE")
def picture_with_the_name_of_another(folder):
    return write(folder, png()[:300], "xray.jpg")
