import cv2
import numpy as np

from cxrnet.bench.sample_image import SIZE, drawing, many_images


def test_drawing_is_the_same_every_time():
    assert np.array_equal(drawing(60, 70), drawing(60, 70))


def test_images_differ_and_are_gone_afterwards():
    with many_images(drawing(200, 220).astype(np.float32), 3) as paths:
        images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths]
    assert all(image.shape == SIZE for image in images)
    assert not np.array_equal(images[0], images[1])
    assert not any(path.exists() for path in paths)
