"""Prepared films in memory, and the order in which a training goes through them.

What an epoch shows is a function of (seed, epoch, index) alone: the same with any number of workers, on any number
of machines, and after a resume.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from cxrnet.arrays import Float64, UInt8
from cxrnet.data.acquisition import Acquisition, change
from cxrnet.data.augment import Augmentation, draw, warp
from cxrnet.data.manifest import Sample
from cxrnet.data.masks import read_many, read_mask, resize_mask
from cxrnet.errors import UsageError
from cxrnet.imaging.decoding import Decoder
from cxrnet.imaging.preprocess import EQUALISERS, Equalisation, prepare, resize
from cxrnet.model.config import PreparationConfig
from cxrnet.training.config import Phase


@dataclass(frozen=True, kw_only=True, eq=False)
class Films:
    """Images of one size, before histogram equalisation: what an acquisition could have changed.

    Attributes:
        images: uint8 [image, height, width].
        masks: uint8 of that shape, 255 times the part of each pixel that is lung, or None.
    """

    images: UInt8
    masks: UInt8 | None = None
    equalisation: Equalisation = "histogram"

    def __len__(self) -> int:
        """Return the number of films."""
        return len(self.images)

    @property
    def prepared(self) -> UInt8:
        """The images as the networks see them, histogram equalised, uint8 [image, height, width]."""
        return np.stack([self.equalise(image) for image in self.images])

    def equalise(self, image: UInt8) -> UInt8:
        """Return one image as the networks see it, uint8 [height, width]."""
        return EQUALISERS[self.equalisation](image)

    def resized(self, scale: float) -> Films:
        """Return the films with both sides times `scale`, by area; a mask says how much of a pixel is lung."""
        if scale == 1:
            return self
        height, width = (max(32, round(side * scale)) for side in self.images.shape[1:])
        small = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in self.images]
        if self.masks is None:
            return replace(self, images=np.stack(small))
        masks = [cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA) for mask in self.masks]
        return replace(self, images=np.stack(small), masks=np.stack(masks))


def read_films(samples: Sequence[Sample], how: PreparationConfig, *, with_masks: bool) -> Films:
    """Return the images of some samples at the size of the networks.

    Raises:
        RadiographError: A film or a mask cannot be read.
        UsageError: There are none, or one has no mask.
    """
    if not samples:
        raise UsageError("manifest: no films are left to train on; look at --where, the split column and the labels")
    images = np.empty((len(samples), how.height, how.width), np.uint8)
    masks = np.empty_like(images) if with_masks else None

    def read(decoder: Decoder, sample: Sample) -> tuple[UInt8, UInt8 | None]:
        film = decoder.read(sample.image)
        size = how.height, how.width
        prepare(film.pixels, height=how.height, width=how.width, interpolation=how.interpolation, name=film.name)
        image = np.rint(resize(film.pixels, *size, how.interpolation)).astype(np.uint8)
        if not with_masks:
            return image, None
        if sample.mask is None:
            raise UsageError(f"manifest: line {sample.line} has no mask; leave it out with --where, or give one")
        return image, resize_mask(read_mask(decoder, sample.mask), *size)

    for index, (image, mask) in enumerate(read_many(read, samples)):
        images[index] = image
        if masks is not None and mask is not None:
            masks[index] = mask
    return Films(images=images, masks=masks, equalisation=how.equalisation)


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
    """The films of one epoch as (epoch, index), shuffled; every rank of a parallel training gets its share.

    Shares are of equal length: the first films of the epoch come twice where it does not divide.

    Args:
        films: Number of films.
        seed: Of the training.
        epoch: Number of the epoch.
        is_shuffled: Whether they come in another order in every epoch.
        rank: Number of this process.
        ranks: Number of processes.
        draws: Films are drawn with these probabilities, float64 [film], in place of each once.
        number: Of draws; as many as films if not given.
    """

    def __init__(
        self,
        films: int,
        *,
        seed: int,
        epoch: int,
        is_shuffled: bool = True,
        rank: int = 0,
        ranks: int = 1,
        draws: Float64 | None = None,
        number: int | None = None,
    ) -> None:
        chance = np.random.default_rng((seed, epoch))
        if draws is not None:
            order = chance.choice(films, number or films, p=draws)
        else:
            order = chance.permutation(films) if is_shuffled else np.arange(films)
        padded = np.resize(order, -(-len(order) // ranks) * ranks)
        self._order = [(epoch, int(index)) for index in padded[rank::ranks]]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (epoch, index)."""
        return iter(self._order)

    def __len__(self) -> int:
        """Return the number of films in this rank's share."""
        return len(self._order)


class MovedFilms(Dataset[tuple[Tensor, Tensor]]):
    """Films with their masks, moved anew in every epoch; asked for by (epoch, index).

    Args:
        films: Images with masks.
        augmentation: How they are moved.
        acquisition: How their acquisition is changed.
        phase: Scale (the films are scaled here, once) and crop.
        seed: Of the training.
    """

    def __init__(
        self,
        films: Films,
        augmentation: Augmentation,
        phase: Phase,
        *,
        seed: int,
        acquisition: Acquisition | None = None,
    ) -> None:
        self._films = films.resized(phase.scale)
        self._augmentation, self._acquisition, self._phase, self._seed = augmentation, acquisition, phase, seed

    def __len__(self) -> int:
        """Return the number of films."""
        return len(self._films)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return image float [1, height, width] in [0, 1] and lungs float [1, height, width] in [0, 1]."""
        epoch, index = key
        assert self._films.masks is not None
        image, mask = self._films.images[index], self._films.masks[index]
        if self._augmentation != Augmentation():
            height, width = image.shape
            matrix = draw(self._augmentation, height=height, width=width, seed=self._seed, epoch=epoch, index=index)
            image, mask = warp(image, matrix), warp(mask, matrix)
        if self._acquisition is not None:
            image, mask = change(image, mask, self._acquisition, np.random.default_rng((self._seed, epoch, index, 2)))
        image = self._films.equalise(image)
        if self._phase.crop is not None:
            rows, columns = crop_at(image.shape, self._phase.crop, (self._seed, epoch, index, 1))
            image, mask = image[rows, columns], mask[rows, columns]
        return torch.from_numpy(image[None] / np.float32(255)), torch.from_numpy(mask[None] / np.float32(255))


def crop_at(shape: tuple[int, ...], crop: tuple[int, int], key: tuple[int, ...]) -> tuple[slice, slice]:
    """Return where a crop of at most this height and width lies, drawn from `key`."""
    chance = np.random.default_rng(key)
    sizes = [min(side, wanted) for side, wanted in zip(shape, crop, strict=True)]
    starts = [int(chance.integers(side - size + 1)) for side, size in zip(shape, sizes, strict=True)]
    return slice(starts[0], starts[0] + sizes[0]), slice(starts[1], starts[1] + sizes[1])
