"""Pictures as PNG, by the DEFLATE of ISA-L: five times as fast as zlib's quickest, and no larger."""

import struct
from zlib import crc32

import numpy as np
from isal import isal_zlib

from cxrnet.arrays import UInt8

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _RGB = 0, 2
_UP = 2
_LEVEL = 1


def encode_png(picture: UInt8) -> bytes:
    """Return a grey [height, width] or RGB [height, width, 3] picture of uint8 as PNG (ISO/IEC 15948)."""
    height, width = picture.shape[:2]
    rows = picture.reshape(height, -1)
    filtered = np.empty((height, rows.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP  # each byte less the one above it, 0 above the first row
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", width, height, 8, _RGB if picture.ndim == 3 else _GREY, 0, 0, 0)
    parts = {b"IHDR": header, b"IDAT": isal_zlib.compress(filtered, _LEVEL), b"IEND": b""}
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in parts.items())


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc32(name + content))
