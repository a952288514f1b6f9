"""What parent and child say to each other: a length, a JSON object of that length, then raw pixels.

No pickle: a child that a hostile file has taken over can send nothing but text and numbers.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from cxrnet.arrays import Float32

_LENGTH = struct.Struct(">I")
_LONGEST_MESSAGE = 2**20


def send(stream: BinaryIO, message: dict[str, Any], pixels: Float32 | None = None) -> None:
    """Write one message; its `shape` goes with float32 [height, width] `pixels`."""
    encoded = json.dumps(message).encode("ascii")
    stream.write(_LENGTH.pack(len(encoded)) + encoded)
    if pixels is not None:
        stream.write(np.ascontiguousarray(pixels, np.float32).data.cast("B"))
    stream.flush()


def receive(stream: BinaryIO) -> dict[str, Any]:
    """Read one message.

    Raises:
        EOFError: The other side is gone, or does not speak this protocol.
    """
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    if length > _LONGEST_MESSAGE:
        raise EOFError(f"a message of {length} bytes")
    message = json.loads(_read_exactly(stream, length))
    if not isinstance(message, dict):
        raise EOFError("a message that is not an object")
    return message


def receive_pixels(stream: BinaryIO, shape: Sequence[int], *, most: int) -> Float32:
    """Read the float32 [height, width] pixels that follow a message.

    Raises:
        EOFError: The other side is gone, or announces more than `most` pixels.
    """
    height, width = shape
    if not 0 < height * width <= most:
        raise EOFError(f"{height} x {width} pixels")
    pixels = np.empty((height, width), np.float32)
    view, at = pixels.data.cast("B"), 0
    while at < len(view):
        count = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not count:
            raise EOFError("the pixels end early")
        at += count
    return pixels


def _read_exactly(stream: BinaryIO, count: int) -> bytes:
    """`count` bytes, however many pieces they come in."""
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            raise EOFError("the stream ends early")
        data += piece
    return data
