from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from cxrnet.data.augment import AUGMENTATIONS, Augmentation
from cxrnet.data.pack import Pack
from cxrnet.training import dataset
from cxrnet.training.config import Phase
from cxrnet.training.dataset import VOID, AugmentedImages, EpochOrder, ImageSet, crop_at, digest
from tests.data.conftest import sample
from tests.material import CLASSES, label_map
from tests.training.conftest import TINY, drawn


def batches(*, epoch=0, workers=0, seed=0):
    xrays = AugmentedImages(drawn(6), AUGMENTATIONS["paper"], Phase(epochs=1, crop=(40, 48)), seed=seed)
    order = EpochOrder(6, seed=seed, epoch=epoch)
    return [torch.cat(batch) for batch in DataLoader(xrays, batch_size=4, sampler=order, num_workers=workers)]


def test_batches_are_the_same_with_any_number_of_workers():
    for alone, helped in zip(batches(), batches(workers=2), strict=True):
        assert torch.equal(alone, helped)


def test_xray_looks_the_same_wherever_it_comes_in_the_epoch():
    xrays = AugmentedImages(drawn(4), AUGMENTATIONS["paper"], Phase(epochs=1), seed=3)
    first = [xrays[2, index] for index in range(4)]
    for index in reversed(range(4)):
        assert torch.equal(xrays[2, index][0], first[index][0])


def test_xrays_without_augmentation_are_shown_bit_for_bit():
    xrays = drawn(2)
    image, lungs = AugmentedImages(xrays, Augmentation(), Phase(epochs=1), seed=0)[5, 1]
    assert image.dtype == lungs.dtype == torch.float32
    np.testing.assert_array_equal(np.rint(image[0].numpy() * 255), xrays.prepared[1])
    np.testing.assert_array_equal(lungs[0].numpy() * 255, xrays.masks[1])


@given(xrays=st.integers(1, 60), ranks=st.integers(1, 5), seed=st.integers(0, 2**32), epoch=st.integers(0, 999))
def test_ranks_share_an_epoch_in_equal_parts(xrays, ranks, seed, epoch):
    shares = [list(EpochOrder(xrays, seed=seed, epoch=epoch, rank=rank, ranks=ranks)) for rank in range(ranks)]
    assert {len(share) for share in shares} == {-(-xrays // ranks)}
    counts = Counter(index for _, index in chain(*shares))
    assert set(counts) == set(range(xrays))
    if xrays % ranks == 0:
        assert set(counts.values()) == {1}
    assert {at for at, _ in chain(*shares)} == {epoch}


def test_two_ranks_see_together_what_one_sees_in_each_step():
    alone = list(EpochOrder(12, seed=1, epoch=2))
    shares = [list(EpochOrder(12, seed=1, epoch=2, rank=rank, ranks=2)) for rank in range(2)]
    for step in range(3):
        together = set(shares[0][2 * step : 2 * step + 2]) | set(shares[1][2 * step : 2 * step + 2])
        assert together == set(alone[4 * step : 4 * step + 4])


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    crop=st.tuples(st.integers(1, 120), st.integers(1, 120)),
    key=st.tuples(st.integers(0, 9), st.integers(0, 9)),
)
def test_crop_lies_in_the_xray_and_is_as_large_as_it_can(shape, crop, key):
    for part, side, wanted in zip(crop_at(shape, crop, key), shape, crop, strict=True):
        assert 0 <= part.start < part.stop <= side
        assert part.stop - part.start == min(side, wanted)
    assert crop_at(shape, crop, key) == crop_at(shape, crop, key)


def test_crops_reach_every_edge():
    starts = {crop_at((10, 10), (8, 8), (0, index))[0].start for index in range(100)}
    assert starts == {0, 1, 2}


@pytest.mark.parametrize(("scale", "size"), [(1.0, (64, 72)), (0.5, (32, 36)), (0.1, (32, 32))])
def test_xrays_are_scaled_but_not_below_32_pixels(scale, size):
    small = drawn(2).resized(scale)
    assert small.images.shape == small.masks.shape == (2, *size)
    assert small.masks.dtype == np.uint8


def test_void_is_marked_wherever_it_is_moved():
    xrays = drawn(2)
    void = np.zeros(xrays.masks.shape, bool)
    void[:, 20:30, 20:40] = True
    xrays = ImageSet(images=xrays.images, masks=xrays.masks, void=void)
    still = AugmentedImages(xrays, Augmentation(), Phase(epochs=1), seed=0)[0, 1][1]
    np.testing.assert_array_equal(still[0].numpy() == VOID, void[1])
    moved = AugmentedImages(xrays, AUGMENTATIONS["plausible"], Phase(epochs=1, scale=0.5), seed=0)[0, 1][1]
    assert 30 < int((moved == VOID).sum()) < 110
    assert set(np.unique(xrays.resized(0.5).void)) == {False, True}


def of_classes(number):
    """Return so many made-up radiographs with their label maps, as a pack holds them, and the maps."""
    xrays = drawn(number)
    maps = np.stack([label_map(mask > 0) for mask in xrays.masks])
    return ImageSet.of(Pack(images=xrays.images, masks=maps), TINY.preparation, classes=CLASSES), maps


def test_label_maps_have_a_plane_for_each_class_and_are_scaled_plane_by_plane():
    images, maps = of_classes(2)
    np.testing.assert_array_equal(images.masks, np.stack([(maps == index) * 255 for index in (1, 2, 3)], axis=1))
    small = images.resized(0.5).masks
    heart = ImageSet(images=images.images, masks=images.masks[:, 2]).resized(0.5)
    np.testing.assert_array_equal(small[:, 2], heart.masks)
    assert small.sum(axis=1).max() <= 257  # a pixel of several classes is divided among them


@pytest.mark.parametrize(("mirror", "is_swapped"), [("sides", True), ("upside_down", True), ("both", False)])
def test_lungs_of_a_mirrored_image_change_sides(monkeypatch, mirror, is_swapped):
    images, _ = of_classes(1)
    signs = {"sides": (-1, 1), "upside_down": (1, -1), "both": (-1, -1)}[mirror]
    height, width = images.images.shape[1:]
    shift = [width - 1 if signs[0] < 0 else 0, height - 1 if signs[1] < 0 else 0]
    monkeypatch.setattr(dataset, "draw", lambda *_, **__: np.column_stack([np.diag(signs).astype(float), shift]))
    _, planes = AugmentedImages(images, AUGMENTATIONS["paper"], Phase(epochs=1), seed=0)[0, 0]
    flipped = np.flip(images.masks[0] / 255, [axis for axis, sign in ((2, signs[0]), (1, signs[1])) if sign < 0])
    np.testing.assert_array_equal(planes, flipped[[1, 0, 2] if is_swapped else [0, 1, 2]])


def test_digest_tells_rows_and_their_order_apart():
    samples = [sample(number, values={"image": f"{number}.png"}) for number in range(2)]
    assert digest(samples) == digest(tuple(samples))
    assert len({digest(samples), digest(samples[:1]), digest(samples[::-1])}) == 3
