import io

import numpy as np
import pytest

from cxrnet.imaging.protocol import receive, receive_pixels, send


def written(message: dict, pixels: np.ndarray | None = None) -> io.BytesIO:
    stream = io.BytesIO()
    send(stream, message, pixels)
    stream.seek(0)
    return stream


def test_message_and_pixels_come_back():
    pixels = np.arange(12, dtype=np.float32).reshape(3, 4)
    stream = written({"shape": [3, 4], "name": "\udc80\n"}, pixels.T.copy().T)
    assert receive(stream) == {"shape": [3, 4], "name": "\udc80\n"}
    np.testing.assert_array_equal(receive_pixels(stream, (3, 4), most=12), pixels)


@pytest.mark.parametrize("content", [b"", b"\0\0", b"\0\0\0\x09{}", b"\xff\xff\xff\xff", b"\0\0\0\x02[]"])
def test_broken_message_ends_the_conversation(content):
    with pytest.raises(EOFError):
        receive(io.BytesIO(content))


def test_missing_pixels_end_the_conversation():
    with pytest.raises(EOFError, match="the pixels end early"):
        receive_pixels(io.BytesIO(bytes(47)), (3, 4), most=12)


def test_more_pixels_than_allowed_are_not_awaited():
    with pytest.raises(EOFError, match="1000000 x 1000000 pixels"):
        receive_pixels(io.BytesIO(), (10**6, 10**6), most=12)
