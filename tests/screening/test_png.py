import io

import cv2
import numpy as np
import pytest
from PIL import Image

from cxrnet.screening.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (300, 340), (1, 1, 3), (7, 5, 3), (90, 160, 3)])
def test_two_readers_see_the_picture(shape):
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = encode_png(picture)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == ("RGB" if len(shape) == 3 else "L")
        np.testing.assert_array_equal(np.asarray(image), picture)
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found[..., ::-1] if len(shape) == 3 else found, picture)


def test_view_of_a_larger_array_is_written_as_it_looks():
    whole = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode_png(whole[::2, 10:50, ::-1]))) as image:
        np.testing.assert_array_equal(np.asarray(image), whole[::2, 10:50, ::-1])


def test_even_picture_is_small():
    assert len(encode_png(np.full((2000, 2000), 255, np.uint8))) < 40_000
