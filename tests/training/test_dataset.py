from __future__ import annotations

from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from cxrnet.data.augment import AUGMENTATIONS, Augmentation
from cxrnet.data.manifest import read_manifest
from cxrnet.errors import LeakError, UsageError
from cxrnet.imaging.preprocess import prepare
from cxrnet.model.config import PreparationConfig
from cxrnet.training.config import Phase
from cxrnet.training.dataset import VOID, AugmentedImages, EpochOrder, ImageSet, crop_at, digest, read_images
from tests.data.conftest import write_film, write_mask, write_rows
from tests.training.conftest import drawn

SMALL = PreparationConfig(height=64, width=72)


def batches(*, epoch=0, workers=0, seed=0):
    films = AugmentedImages(drawn(6), AUGMENTATIONS["paper"], Phase(epochs=1, crop=(40, 48)), seed=seed)
    order = EpochOrder(6, seed=seed, epoch=epoch)
    return [torch.cat(batch) for batch in DataLoader(films, batch_size=4, sampler=order, num_workers=workers)]


def test_batches_are_the_same_with_any_number_of_workers():
    for alone, helped in zip(batches(), batches(workers=2), strict=True):
        assert torch.equal(alone, helped)


def test_next_epoch_shows_other_films():
    assert not torch.equal(batches()[0], batches(epoch=1)[0])


def test_film_looks_the_same_wherever_it_comes_in_the_epoch():
    films = AugmentedImages(drawn(4), AUGMENTATIONS["paper"], Phase(epochs=1), seed=3)
    first = [films[2, index] for index in range(4)]
    for index in reversed(range(4)):
        assert torch.equal(films[2, index][0], first[index][0])


def test_films_without_augmentation_are_shown_bit_for_bit():
    films = drawn(2)
    image, lungs = AugmentedImages(films, Augmentation(), Phase(epochs=1), seed=0)[5, 1]
    assert image.dtype == lungs.dtype == torch.float32
    np.testing.assert_array_equal(np.rint(image[0].numpy() * 255), films.prepared[1])
    np.testing.assert_array_equal(lungs[0].numpy() * 255, films.masks[1])


@given(films=st.integers(1, 60), ranks=st.integers(1, 5), seed=st.integers(0, 2**32), epoch=st.integers(0, 999))
def test_ranks_share_an_epoch_in_equal_parts(films, ranks, seed, epoch):
    shares = [list(EpochOrder(films, seed=seed, epoch=epoch, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert {len(share) for share in shares} == {-(-films // ranks)}
    counts = Counter(index for _, index in chain(*shares))
    assert set(counts) == set(range(films))
    if films % ranks == 0:
        assert set(counts.values()) == {1}
    assert {at for at, _ in chain(*shares)} == {epoch}


def test_two_ranks_see_together_what_one_sees_in_each_step():
    alone = list(EpochOrder(12, seed=1, epoch=2))
    shares = [list(EpochOrder(12, seed=1, epoch=2, rank=rank, ranks=2)) for rank in range(2)]
    for step in range(3):
        together = set(shares[0][2 * step : 2 * step + 2]) | set(shares[1][2 * step : 2 * step + 2])
        assert together == set(alone[4 * step : 4 * step + 4])


def test_validation_comes_in_its_order():
    assert list(EpochOrder(3, seed=0, epoch=0, is_shuffled=False)) == [(0, 0), (0, 1), (0, 2)]


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    crop=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    key=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_crop_lies_in_the_film_and_is_as_large_as_it_can(shape, crop, key):
    for part, side, wanted in zip(crop_at(shape, crop, key), shape, crop, strict=True):
        assert 0 <= part.start < part.stop <= side
        assert part.stop - part.start == min(side, wanted)
    assert crop_at(shape, crop, key) == crop_at(shape, crop, key)


def test_crops_reach_every_edge():
    starts = {crop_at((10, 10), (8, 8), (0, index))[0].start for index in range(100)}
    assert starts == {0, 1, 2}


@pytest.mark.parametrize(("scale", "size"), [(1.0, (64, 72)), (0.5, (32, 36)), (0.1, (32, 32))])
def test_films_are_scaled_but_not_below_32_pixels(scale, size):
    small = drawn(2).resized(scale)
    assert small.images.shape == small.masks.shape == (2, *size)
    assert small.masks.dtype == np.uint8


def test_scaled_mask_keeps_its_share_of_the_film():
    films = drawn(4)
    shares = films.masks.mean(axis=(1, 2)), films.resized(0.5).masks.mean(axis=(1, 2))
    np.testing.assert_allclose(*shares, atol=0.2)


def test_void_is_marked_wherever_it_is_moved():
    films = drawn(2)
    void = np.zeros(films.masks.shape, bool)
    void[:, 20:30, 20:40] = True
    films = ImageSet(images=films.images, masks=films.masks, void=void)
    still = AugmentedImages(films, Augmentation(), Phase(epochs=1), seed=0)[0, 1][1]
    np.testing.assert_array_equal(still[0].numpy() == VOID, void[1])
    moved = AugmentedImages(films, AUGMENTATIONS["plausible"], Phase(epochs=1, scale=0.5), seed=0)[0, 1][1]
    assert 30 < int((moved == VOID).sum()) < 110
    assert set(np.unique(films.resized(0.5).void)) == {False, True}


@pytest.fixture
def samples(tmp_path):
    """Two rows of a manifest, the second without a mask."""
    write_mask(tmp_path / "0m.png", write_film(tmp_path / "0.png", 0))
    write_film(tmp_path / "1.png", 1)
    rows = [{"image": "0.png", "mask": "0m.png"}, {"image": "1.png", "mask": ""}]
    return read_manifest(write_rows(tmp_path / "films.csv", rows)).samples


def test_films_are_prepared_like_those_of_a_screening(samples, tmp_path):
    import cv2

    read = read_images(samples[:1], SMALL, with_masks=True)
    pixels = cv2.imread(str(tmp_path / "0.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    prepared = prepare(pixels, height=64, width=72, interpolation=SMALL.interpolation, name="0.png")
    np.testing.assert_array_equal(read.prepared[0], prepared)
    assert read.masks.shape == (1, 64, 72)


def test_film_without_a_mask_is_named(samples):
    with pytest.raises(LeakError, match="NO_MASK line 3"):
        read_images(samples, SMALL, with_masks=True)


def test_no_films_are_refused():
    with pytest.raises(UsageError, match="manifest: no images are left"):
        read_images([], SMALL, with_masks=False)


def test_digest_tells_rows_and_their_order_apart(samples):
    assert digest(samples) == digest(list(samples))
    assert len({digest(samples), digest(samples[:1]), digest(samples[::-1])}) == 3
