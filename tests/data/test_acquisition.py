import numpy as np
import pytest

from cxrnet.data.acquisition import ACQUISITIONS, Acquisition, change
from cxrnet.imaging.preprocess import equalise

VARIED = ACQUISITIONS["varied"]
KINDS = [name for name, field in Acquisition.model_fields.items() if field.default == 0.0]


@pytest.fixture
def image():
    rows, columns = np.mgrid[0:300, 0:340]
    smooth = 90 + 60 * np.sin(rows / 40) + 50 * np.cos(columns / 30)
    return np.clip(smooth + np.random.default_rng(0).normal(0, 1, smooth.shape), 0, 255).astype(np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((300, 340), np.uint8)
    mask[60:240, 50:290] = 255
    return mask


def only(kind):
    return Acquisition.model_validate({kind: 1.0})


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_image_and_keeps_size_and_type(kind, image, mask):
    changed, moved = change(image, mask, only(kind), np.random.default_rng(3))
    assert (changed.shape, changed.dtype, moved.shape, moved.dtype) == (image.shape, np.uint8, mask.shape, np.uint8)
    assert not np.array_equal(changed, image)
    assert np.array_equal(moved, mask) == (kind != "border")


def test_nothing_happens_without_probabilities(image, mask):
    changed, moved = change(image, mask, Acquisition(), np.random.default_rng(0))
    assert changed is image
    assert moved is mask


def test_changes_follow_from_the_seed(image, mask):
    first, again = (change(image, mask, VARIED, np.random.default_rng((1, 2)))[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, change(image, mask, VARIED, np.random.default_rng((1, 3)))[0])


def test_border_moves_the_mask_with_the_image(image, mask):
    framed, moved = change(image, mask, Acquisition(border=1.0, border_width=0.2), np.random.default_rng(5))
    assert moved.sum() < mask.sum()
    assert moved[0].max() == 0
    assert len(np.unique(framed[0])) == 1


def test_clipping_leaves_ranks_below_the_clip(image, mask):
    clipped, _ = change(image, mask, only("clip"), np.random.default_rng(1))
    assert (clipped == 255).mean() > (image == 255).mean()


def test_gamma_keeps_the_equalised_image(image, mask):
    changed, _ = change(image, mask, only("gamma"), np.random.default_rng(2))
    difference = np.abs(equalise(changed).astype(int) - equalise(image))
    assert np.quantile(difference, 0.99) <= 4


def test_noise_is_no_stronger_than_its_limit(image, mask):
    noisy, _ = change(image, mask, Acquisition(noise=1.0, noise_sigma=3.0), np.random.default_rng(2))
    assert 0 < (noisy.astype(float) - image).std() < 3.2
