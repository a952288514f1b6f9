"""PNG, JPEG, TIFF, WebP, BMP and GIF files that are damaged, too large, or not one grey picture."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.hostile.inputs.material import chunk, grey, jpeg, png, png_of
from tests.hostile.inputs.register import DONE, bad, bad_copies, write


def saved(kind: str, picture: np.ndarray | Image.Image | None = None, **options: object) -> bytes:
    buffer = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(grey() if picture is None else picture)
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def rows(width: int, height: int) -> bytes:
    """The data of a PNG of zeros, made without holding it."""
    deflater = zlib.compressobj(9)
    line = bytes(width + 1)
    return chunk(b"IDAT", b"".join(deflater.compress(line) for _ in range(height)) + deflater.flush())


PNGS = {
    "cut": lambda: png()[:2000],
    "cut_in_the_header": lambda: png()[:20],
    "with_a_wrong_checksum": lambda: png()[:40] + b"\xff\xff\xff\xff" + png()[44:],
    "of_0": lambda: png_of(0, 0, rows(1, 1)),
    "of_2147483647": lambda: png_of(2**31 - 1, 2**31 - 1, rows(1, 1)),
    "of_30000": lambda: png_of(30_000, 30_000, rows(100, 100)),
    "without_data": lambda: png_of(200, 200),
    "with_too_little_data": lambda: png_of(200, 200, rows(200, 100)),
    "of_1": lambda: saved("PNG", grey()[:1, :1]),
    "of_63_rows": lambda: saved("PNG", grey()[:63]),
    "palette_without_one": lambda: png_of(200, 200, rows(200, 200), colour=3),
    "unknown_depth": lambda: png_of(200, 200, rows(200, 200), depth=7),
    "of_one_grey": lambda: png_of(200, 200, rows(200, 200)),
    "noise_in_the_data": lambda: png_of(200, 200, chunk(b"IDAT", np.random.default_rng(0).bytes(9000))),
    "in_colour": lambda: saved("PNG", np.random.default_rng(0).integers(0, 256, (130, 150, 3), np.uint8)),
    "in_deep_colour_cut": lambda: png_of(200, 200, rows(100, 100), depth=16, colour=2),
    "moving": lambda: saved("PNG", save_all=True, append_images=[Image.fromarray(255 - grey())], duration=9, loop=0),
}


@bad_copies(PNGS.items(), "UNREADABLE", "TOO_SMALL", "TOO_LARGE", "CONSTANT", "COLOUR", "MULTI_FRAME")
def png_picture(folder, make):
    return write(folder, make(), "xray.png")


@bad("TOO_LARGE")
def png_bomb_of_13000(folder):
    return write(folder, png_of(13_000, 13_000, rows(13_000, 2000)), "xray.png")


@bad("CONSTANT", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def png_bomb_within_the_limit(folder):
    return write(folder, png_of(7000, 7000, rows(7000, 7000)), "xray.png")


@bad("CONSTANT", "UNREADABLE", "DECODER_MEMORY", "DECODER_TIME", slow=True)
def png_with_more_data_than_rows(folder):
    return write(folder, png_of(200, 200, rows(20_000, 20_000)), "xray.png")


def bomb() -> bytes:
    return zlib.compress(bytes(200 * 2**20), 9)


@bad_copies({"text": b"zTXt", "profile": b"iCCP"}.items(), "UNREADABLE", "CONSTANT", DONE, slow=True)
def png_bomb_in_the(folder, kind):
    xray = png()
    name = b"Comment" if kind == b"zTXt" else b"icc"
    return write(folder, xray[:33] + chunk(kind, name + b"\0\0" + bomb()) + xray[33:], "xray.png")


@bad("CONSTANT", DONE, "UNREADABLE", slow=True)
def png_of_100000_chunks(folder):
    xray = png()
    return write(folder, xray[:33] + chunk(b"tEXt", b"Comment\0ZZ") * 100_000 + xray[33:], "xray.png")


def jpeg_of(height: int, width: int) -> bytes:
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


JPEGS = {
    "cut": lambda: jpeg()[:600],
    "cut_in_the_header": lambda: jpeg()[:100],
    "of_65500": lambda: jpeg_of(65500, 65500),
    "of_0": lambda: jpeg_of(0, 150),
    "start_alone": lambda: b"\xff\xd8\xff\xe0",
    "of_noise": lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + np.random.default_rng(0).bytes(4000),
    "in_four_colours": lambda: saved(
        "JPEG", Image.fromarray(np.random.default_rng(0).integers(0, 256, (130, 150, 4), np.uint8), "CMYK")
    ),
}


@bad_copies(JPEGS.items(), "UNREADABLE", "TOO_LARGE", "COLOUR", "TOO_SMALL")
def jpeg_picture(folder, make):
    return write(folder, make(), "xray.jpg")


@bad("UNREADABLE", "CONSTANT", DONE, "DECODER_TIME", slow=True)
def jpeg_of_a_thousand_scans(folder):
    xray = saved("JPEG", Image.fromarray(np.tile(grey(), (8, 8))), progressive=True)
    at = xray.rindex(b"\xff\xda")
    return write(folder, xray[:at] + xray[at:-2] * 1000 + xray[-2:], "xray.jpg")


@bad(DONE)
def jpeg_with_a_damaged_orientation(folder):
    xray = jpeg()
    exif = b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\xff\xff\xff\xff\x63\0\0\0"
    return write(folder, xray[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + xray[2:], "xray.jpg")


def tiff_of(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
    head = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return head + b"".join(struct.pack("<HHII", *one) for one in entries) + struct.pack("<I", following)


PICTURE = ((256, 3, 1, 200), (257, 3, 1, 200), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1))
TIFFS = {
    "cut": lambda: saved("TIFF")[:3000],
    "header_alone": lambda: b"II*\0\x08\0\0\0",
    "directory_beyond_the_file": lambda: b"II*\0\xf0\xff\xff\xff",
    "directories_in_a_circle": lambda: tiff_of(*PICTURE, (273, 4, 1, 8), (279, 4, 1, 40_000), following=8) + bytes(99),
    "strips_beyond_the_file": lambda: tiff_of(*PICTURE, (273, 4, 1, 2**31), (279, 4, 1, 40_000)),
    "strip_of_4_gigabytes": lambda: tiff_of(*PICTURE, (273, 4, 1, 100), (279, 4, 1, 2**32 - 1)) + bytes(99),
    "four_billion_values": lambda: tiff_of(*PICTURE, (273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)),
    "of_65535": lambda: tiff_of((256, 4, 1, 65535), (257, 4, 1, 65535), *PICTURE[2:], (273, 4, 1, 8)),
    "not_numbers": lambda: saved("TIFF", np.full((130, 150), np.nan, np.float32)),
    "infinite": lambda: saved("TIFF", np.full((130, 150), np.inf, np.float32)),
    "of_several_pages": lambda: saved("TIFF", save_all=True, append_images=[Image.fromarray(grey())] * 3),
    "big_and_empty": lambda: b"II+\0\x08\0\0\0" + bytes(8),
}


@bad_copies(TIFFS.items(), "UNREADABLE", "TOO_LARGE", "MULTI_FRAME")
def tiff_picture(folder, make):
    return write(folder, make(), "xray.tif")


OTHERS = {
    "webp_cut": (lambda: saved("WEBP")[:800], "xray.webp"),
    "webp_of_nothing": (lambda: b"RIFF\xff\xff\xff\xffWEBP", "xray.webp"),
    "webp_moving": (
        lambda: saved("WEBP", save_all=True, append_images=[Image.fromarray(255 - grey())]), "xray.webp",
    ),
    "bmp_of_2147483647": (lambda: saved("BMP")[:18] + b"\xff\xff\xff\x7f" * 2 + saved("BMP")[26:], "xray.bmp"),
    "bmp_cut": (lambda: saved("BMP")[:2000], "xray.bmp"),
    "bmp_head_of_4_gigabytes": (lambda: saved("BMP")[:14] + b"\xff" * 4 + saved("BMP")[18:], "xray.bmp"),
    "gif_moving": (lambda: saved("GIF", save_all=True, append_images=[Image.fromarray(255 - grey())]), "xray.gif"),
    "gif_cut": (lambda: saved("GIF")[:500], "xray.gif"),
    "gif_of_65535": (lambda: saved("GIF")[:6] + b"\xff" * 4 + saved("GIF")[10:], "xray.gif"),
}  # fmt: skip


@bad_copies(OTHERS.items(), "UNREADABLE", "TOO_LARGE", "MULTI_FRAME", DONE)
def other(folder, make_and_name):
    make, name = make_and_name
    return write(folder, make(), name)
