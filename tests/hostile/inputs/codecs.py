"""Compressed frames that lie about their size, lead decoders astray, or blow up."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from tests.hostile.inputs.material import (
    body_of,
    compressed,
    deflate,
    deflated,
    element,
    jpeg,
    jpeg2000,
    jpeg_ls,
    place_of,
    plain,
    recoded,
)
from tests.hostile.inputs.register import DONE, bad, bad_copies, write

SHARED = Path(__file__).parents[4] / "shared" / "hostile"
JPEGS = {
    "of_65500": (65500, 65500),
    "of_8000": (8000, 8000),
    "of_0": (0, 0),
    "of_half": (65, 75),
}


@bad_copies(JPEGS.items(), "UNREADABLE", "TOO_LARGE")
def jpeg_frame(folder, size):
    frame = bytearray(jpeg())
    at = frame.index(b"\xff\xc0")
    frame[at + 5 : at + 9] = struct.pack(">HH", *size)
    return write(folder, compressed(bytes(frame), JPEGBaseline8Bit))


@bad("UNREADABLE", "COLOUR")
def jpeg_frame_in_colour(folder):
    return write(folder, compressed(jpeg(mode="RGB"), JPEGBaseline8Bit))


@bad("UNREADABLE", DONE)
def jpeg_frame_without_tables(folder):
    frame = jpeg()
    at = frame.index(b"\xff\xc4")
    length = struct.unpack(">H", frame[at + 2 : at + 4])[0]
    return write(folder, compressed(frame[:at] + frame[at + 2 + length :], JPEGBaseline8Bit))


@bad("UNREADABLE")
def jpeg_2000_box_of_length_0(folder):
    frame = b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(16)
    return write(folder, compressed(frame, JPEG2000Lossless))


CODESTREAMS = {
    "huge": (8, struct.pack(">II", 2**31, 2**31)),
    "offset_beyond_its_size": (16, struct.pack(">II", 500, 500)),
    "tiles_of_1": (24, struct.pack(">II", 1, 1)),
    "tiles_of_0": (24, struct.pack(">II", 0, 0)),
    "16384_components": (40, struct.pack(">H", 16384)),
    "38_bits": (42, b"\xa5"),
    "sampling_of_0": (43, b"\0\0"),
}


@bad_copies(CODESTREAMS.items(), "UNREADABLE", "DECODER_TIME", "DECODER_MEMORY", "DECODER_DIED", DONE)
def jpeg_2000(folder, place_and_value):
    at, value = place_and_value
    frame = jpeg2000()
    return write(folder, compressed(frame[:at] + value + frame[at + len(value) :], JPEG2000))


@bad("UNREADABLE")
def jpeg_ls_of_65535(folder):
    frame = bytearray(jpeg_ls())
    at = frame.index(b"\xff\xf7")
    frame[at + 5 : at + 9] = struct.pack(">HH", 65535, 65535)
    return write(folder, compressed(bytes(frame), JPEGLSLossless))


FRAMES = {
    "rle": lambda: recoded(RLELossless),
    "jpeg": lambda: compressed(jpeg(), JPEGBaseline8Bit),
    "jpeg_ls": lambda: compressed(jpeg_ls(), JPEGLSLossless),
    "jpeg_2000": lambda: compressed(jpeg2000(), JPEG2000Lossless),
}
ANY = ("UNREADABLE", "NO_PIXELS", "CONSTANT", "DECODER_TIME", "DECODER_MEMORY", "DECODER_DIED", DONE)


@bad_copies(((f"{name}_{seed}", (name, seed)) for name in FRAMES for seed in range(3)), *ANY)
def flipped(folder, name_and_seed):
    name, seed = name_and_seed
    data = bytearray(FRAMES[name]())
    start = place_of(bytes(data), 0x7FE0, 0x10) + 40
    chance = np.random.default_rng(seed)
    for at in chance.integers(start, len(data), 12):
        data[at] ^= 1 << int(chance.integers(8))
    return write(folder, bytes(data))


def rle(segments: list[bytes], *, count: int | None = None, offsets: list[int] | None = None) -> bytes:
    places = offsets or list(np.cumsum([64, *map(len, segments)])[:-1])
    header = [len(segments) if count is None else count, *places]
    return struct.pack("<16I", *(header + [0] * 16)[:16]) + b"".join(segments)


RUN = b"\x81\0" * 40_000  # runs of 128 zeros: far more than the picture holds
SEGMENTS = {
    "header_of_255_segments": rle([RUN], count=255),
    "header_of_0_segments": rle([RUN], count=0),
    "offsets_beyond_the_frame": rle([RUN, RUN], offsets=[2**31, 2**32 - 1]),
    "offsets_backwards": rle([RUN, RUN], offsets=[5000, 64]),
    "segments_too_long": rle([RUN, RUN]),
    "segments_too_short": rle([b"\x81\0", b"\x81\0"]),
    "header_cut": b"\2\0\0\0\x40\0",
    "of_two_bytes": b"\0\0",
}


@bad_copies(SEGMENTS.items(), "UNREADABLE", "NO_PIXELS")
def rle_frame(folder, frame):
    attributes = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    return write(folder, compressed(frame, RLELossless, **attributes))


@bad("TOO_LARGE")
def rle_bomb_of_20000(folder):
    return write(folder, compressed(rle([b"\x81\0" * 3_125_000]), RLELossless, Rows=20000, Columns=20000))


@bad("CONSTANT", "UNREADABLE", "DECODER_TIME", "DECODER_MEMORY", slow=True)
def rle_bomb_within_the_limit(folder):
    frame = rle([b"\x81\0" * (7000 * 7000 // 128 + 1)])
    return write(folder, compressed(frame, RLELossless, Rows=7000, Columns=7000))


def undeflated() -> bytes:
    data = plain()
    return data[body_of(data) :]


@bad("UNREADABLE", "NO_PIXELS")
def deflated_noise(folder):
    return write(folder, deflated(np.random.default_rng(0).bytes(5000)))


@bad("UNREADABLE", "NO_PIXELS")
def deflated_nothing(folder):
    return write(folder, deflated(b""))


@bad("UNREADABLE", "NO_PIXELS", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def deflated_bomb_of_512_megabytes(folder):
    return write(folder, deflated(deflate(bytes(2**20), 512)))


@bad("UNREADABLE", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def deflated_bomb_of_16_gigabytes(folder):
    return write(folder, deflated(deflate(bytes(2**24), 1024)))


@bad(DONE, "UNREADABLE", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def deflated_bomb_before_the_pixels(folder):
    inside = undeflated()
    at = inside.index(struct.pack("<HH", 0x28, 0x2))
    return write(folder, deflated(deflate(inside[:at] + element(0x19, 0x10, "UN", bytes(400 * 2**20)) + inside[at:])))


ENCAPSULATIONS = {
    "without_fragments": b"\xfe\xff\0\xe0\0\0\0\0",
    "without_offset_table": b"",
    "fragment_of_4_gigabytes": b"\xfe\xff\0\xe0\0\0\0\0\xfe\xff\0\xe0\xf0\xff\xff\xff\xff\xd8",
    "offsets_that_lie": b"\xfe\xff\0\xe0\x08\0\0\0\xff\xff\xff\x7f\0\0\0\0\xfe\xff\0\xe0\2\0\0\0\xff\xd8",
    "other_tags": b"\x08\0\0\0" * 40,
    "many_empty_fragments": b"\xfe\xff\0\xe0\0\0\0\0" * 50_000,
}


@bad_copies(ENCAPSULATIONS.items(), "UNREADABLE", "NO_PIXELS", DONE)
def encapsulated(folder, content):
    data = compressed(jpeg(), JPEGBaseline8Bit)
    at = place_of(data, 0x7FE0, 0x10)
    return write(folder, data[: at + 12] + content + b"\xfe\xff\xdd\xe0\0\0\0\0")


# GDCM 3.2.6 ends its process on these, by an exception that nobody catches: another is there for the next file.
ABORTS = {name: Path(__file__).parents[1] / "found" / f"{name}_abort.dcm" for name in ("jpeg_ls", "jpeg_extended")}


@bad_copies(ABORTS.items(), "DECODER_DIED", "UNREADABLE")
def found_by_fuzzing_abort(folder, path):
    return write(folder, path.read_bytes())


if SHARED.is_dir():

    @bad("UNREADABLE", "DECODER_DIED")
    def found_by_fuzzing_rle_panic(folder):
        return write(folder, (SHARED / "rle_panic.dcm").read_bytes())

    @bad("COLOUR", "UNREADABLE")
    def found_by_fuzzing_j2k_hang(folder):
        return write(folder, (SHARED / "j2k_hang.dcm").read_bytes())
