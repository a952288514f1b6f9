"""Prepared images in memory, and the order in which a training goes through them.

What an epoch shows is a function of (seed, epoch, index) alone: the same with any number of workers, on any number
of machines, and after a resume.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from cxrnet.arrays import Bool, Float64, UInt8
from cxrnet.data.acquisition import Acquisition, change
from cxrnet.data.augment import Augmentation, draw, warp
from cxrnet.data.manifest import Sample
from cxrnet.data.pack import Pack
from cxrnet.imaging.preprocess import EQUALISERS, Equalisation
from cxrnet.model.config import PreparationConfig
from cxrnet.model.segmenter_classes import has_label_maps, swapped_sides
from cxrnet.training.config import Phase

VOID = -1.0
"""In place of a share of lung: the pixel does not count."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet:
    """Images of one size, before histogram equalisation: what an acquisition could have changed."""

    images: UInt8  # uint8 [image, height, width]
    # uint8 of that shape, 255 times the part of each pixel that is lung; or [image, plane, height, width], that of
    # each class but the background; or None
    masks: UInt8 | None = None
    void: Bool | None = None  # bool of the shape of `images`, pixels that do not count, or None
    sides: tuple[int, ...] = ()  # plane of `masks` that each plane of a mirrored image comes from; empty if they stay
    equalisation: Equalisation = "histogram"  # how the networks see them

    @classmethod
    def of(
        cls, pack: Pack, config: PreparationConfig, chosen: Bool | None = None, *, classes: Sequence[str] = ()
    ) -> Self:
        """Return the images of a pack that are chosen, bool [image]; None takes all."""
        places = np.arange(len(pack.images)) if chosen is None else np.flatnonzero(chosen)
        masks = None if pack.masks is None else pack.masks[places]
        sides: tuple[int, ...] = ()
        if masks is not None and has_label_maps(classes):
            masks = np.stack([(masks == index) * np.uint8(255) for index in range(1, len(classes))], axis=1)
            sides = tuple(index - 1 for index in swapped_sides(classes)[1:])
        return cls(
            images=pack.images[places],
            masks=masks,
            void=None if pack.void is None else pack.void[places],
            sides=sides,
            equalisation=config.equalisation,
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def prepared(self) -> UInt8:
        """The images as the networks see them, histogram equalised, uint8 [image, height, width]."""
        return np.stack([self.equalise(image) for image in self.images])

    def equalise(self, image: UInt8) -> UInt8:
        """Return one image as the networks see it, uint8 [height, width]."""
        return EQUALISERS[self.equalisation](image)

    def resized(self, scale: float) -> ImageSet:
        """Return the images with both sides times `scale`, by area; a mask says how much of a pixel is of its class."""
        if scale == 1:
            return self
        height, width = (max(32, round(side * scale)) for side in self.images.shape[1:])

        def shrink(stack: UInt8) -> UInt8:
            planes = stack.reshape(-1, *stack.shape[-2:])
            small = np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_AREA) for one in planes])
            return np.asarray(small.reshape(*stack.shape[:-2], height, width), np.uint8)

        return replace(
            self,
            images=shrink(self.images),
            masks=None if self.masks is None else shrink(self.masks),
            void=None if self.void is None else shrink(self.void.astype(np.uint8) * np.uint8(255)) > 0,
        )


def digest(samples: Sequence[Sample]) -> str:
    """Return the sha256 of what the manifest says of some samples: whether a training is resumed with the same."""
    return hashlib.sha256(json.dumps([dict(sample.values) for sample in samples]).encode()).hexdigest()


def seed_step(*key: int) -> None:
    """Make what PyTorch draws from here on, such as dropout, a function of `key`.

    It is called in every step: Lightning passes over the hooks at the start of an epoch when it resumes.
    """
    torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1))


def use_one_thread(_: int) -> None:
    """Keep OpenCV to one thread in a worker: the threads of its parent do not outlive the fork."""
    cv2.setNumThreads(0)


class EpochOrder(Sampler[tuple[int, int]]):
    """The images of one epoch as (epoch, index), shuffled; every rank of a parallel training gets its share.

    Shares are of equal length: the first images of the epoch come twice where it does not divide. With `draws`, float64
    [image], a `number` of images (as many as there are) is drawn with these probabilities.
    """

    def __init__(
        self,
        images: int,
        *,
        seed: int,
        epoch: int,
        is_shuffled: bool = True,
        rank: int = 0,
        ranks: int = 1,
        draws: Float64 | None = None,
        number: int | None = None,
    ) -> None:
        rng = np.random.default_rng((seed, epoch))
        if draws is not None:
            order = rng.choice(images, number or images, p=draws)
        else:
            order = rng.permutation(images) if is_shuffled else np.arange(images)
        padded = np.resize(order, -(-len(order) // ranks) * ranks)
        self._order = [(epoch, int(index)) for index in padded[rank::ranks]]

    def batch(self, step: int, size: int) -> list[int]:
        """Return the indices of the images in a batch of this rank."""
        return [index for _, index in self._order[step * size : (step + 1) * size]]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._order)

    def __len__(self) -> int:
        """Return the number of images in this rank's share."""
        return len(self._order)


class AugmentedImages(Dataset[tuple[Tensor, Tensor]]):
    """Images with their masks, scaled once, and moved and changed again in every epoch; asked for by (epoch, index)."""

    def __init__(
        self,
        images: ImageSet,
        augmentation: Augmentation,
        phase: Phase,
        *,
        seed: int,
        acquisition: Acquisition | None = None,
    ) -> None:
        self._images = images.resized(phase.scale)
        self._augmentation, self._acquisition, self._phase, self._seed = augmentation, acquisition, phase, seed

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return image float [1, height, width] and masks float [plane, height, width] in [0, 1], `VOID` where void."""
        epoch, index = key
        image, planes = self._images.images[index], self._planes(index)
        if self._augmentation != Augmentation():
            height, width = image.shape
            matrix = draw(self._augmentation, height=height, width=width, seed=self._seed, epoch=epoch, index=index)
            image, planes = warp(image, matrix), np.stack([warp(plane, matrix) for plane in planes])
            if self._images.sides and np.linalg.det(matrix[:, :2]) < 0:
                planes[: len(self._images.sides)] = planes[list(self._images.sides)]
        if self._acquisition is not None:
            draws = (self._seed, epoch, index, 2)
            image, planes = change(image, planes, self._acquisition, np.random.default_rng(draws))
        image = self._images.equalise(image)
        shares = planes / np.float32(255)
        if self._images.void is not None:
            shares = np.where(planes[-1:] > 0, np.float32(VOID), shares[:-1])
        if self._phase.crop is not None:
            rows, columns = crop_at(image.shape, self._phase.crop, (self._seed, epoch, index, 1))
            image, shares = image[rows, columns], shares[:, rows, columns]
        return torch.from_numpy(image[None] / np.float32(255)), torch.from_numpy(shares)

    def _planes(self, index: int) -> UInt8:
        """Return the masks of an image, uint8 [plane, height, width], and where it is void as one more, if any is."""
        assert self._images.masks is not None
        planes: UInt8 = self._images.masks[index].reshape(-1, *self._images.images.shape[1:])
        if self._images.void is None:
            return planes
        return np.concatenate([planes, self._images.void[index][None].astype(np.uint8)])


def crop_at(shape: tuple[int, ...], crop: tuple[int, int], key: tuple[int, ...]) -> tuple[slice, slice]:
    """Return where a crop of at most this height and width lies, drawn from `key`."""
    rng = np.random.default_rng(key)
    sizes = [min(side, wanted) for side, wanted in zip(shape, crop, strict=True)]
    starts = [int(rng.integers(side - size + 1)) for side, size in zip(shape, sizes, strict=True)]
    return slice(starts[0], starts[0] + sizes[0]), slice(starts[1], starts[1] + sizes[1])
