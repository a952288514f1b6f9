import cv2
import numpy as np
import pytest

from cxrnet.data.duplicates import SIMILARITY, detail, near_pairs


def texture(seed):
    """Return a picture with detail of its own, uint8 [300, 340]."""
    noise = np.random.default_rng(seed).normal(size=(60, 68)).astype(np.float32)
    return cv2.normalize(cv2.resize(noise, (340, 300)), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def jpeg(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0)


def written_on(image):
    return cv2.rectangle(image.copy(), (0, 0), (60, 25), 255, -1)


COPIES = {
    "compressed": jpeg,
    "smaller": lambda image: cv2.resize(image, (224, 224), interpolation=cv2.INTER_AREA),
    "darker": lambda image: (255 * (image / 255) ** 1.8).astype(np.uint8),
    "written on": written_on,
}


def vectors(images):
    return np.stack([detail(image.astype(np.float32)) for image in images])


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_copy_is_found(copy):
    pairs = near_pairs(vectors([texture(1), texture(2), copy(texture(1))]))
    assert [pair[:2] for pair in pairs] == [(0, 2)]


def test_detail_of_a_plain_picture_is_like_nothing():
    plain = detail(np.full((80, 90), 7, np.float32))
    assert near_pairs(np.stack([plain, plain])) == []


def test_pairs_are_found_across_blocks(monkeypatch):
    monkeypatch.setattr("cxrnet.data.duplicates._BLOCK", 2)
    images = [texture(seed) for seed in range(5)]
    pairs = near_pairs(vectors([*images, *images]))
    assert sorted(pair[:2] for pair in pairs) == [(seed, seed + 5) for seed in range(5)]


def test_real_xrays_and_their_copies_are_distinguished(shared):
    images = [cv2.imread(str(path), 0) for path in sorted((shared / "data/classification/images").iterdir())[:300:3]]
    assert near_pairs(vectors(images)) == []
    for copy in COPIES.values():
        found = np.sum(vectors(images) * vectors([copy(image) for image in images]), axis=1)
        assert found.min() > SIMILARITY
