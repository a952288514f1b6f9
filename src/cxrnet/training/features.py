"""What Module 2 sees of augmented images, made once and kept on disk: lung masks, scattering coefficients.

They do not depend on the weights, and the folds of a cross-validation share them. Each image is there as it is
(variant 0) and in some augmented copies, image and lung mask moved alike (paper 2.2.2.2).
"""

import hashlib
import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor
from torch.nn import functional

from cxrnet.arrays import UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.acquisition import change
from cxrnet.data.augment import draw, warp
from cxrnet.errors import TrainingError
from cxrnet.export.fused_scattering import FusedScattering
from cxrnet.export.onnx import export_module
from cxrnet.imaging.preprocess import EQUALISERS
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import ScatteringConfig, Standardisation
from cxrnet.model.runtime import Runtime
from cxrnet.nn.network import classifier_input, lung_mask, scattered_size
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.run import is_first_process

BATCH = 16
MARGIN = 6
BOX_JITTER = 0.015
ARRAY, RECORD = "features.f16", "features.json"

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The features of all images, mapped from disk."""

    # float16 [variant, image, channel, rows, columns]: scattering coefficients, then the pooled lung mask, then the
    # pooled image in [0, 1]. Half precision: 5e-4 of a value
    values: NDArray[np.float16]
    originals: int = 1  # variants that are the image as it is: 1, or 2 with its mirror image. They come first

    def __len__(self) -> int:
        return int(self.values.shape[1])

    @property
    def variants(self) -> int:
        """Changed copies of each image, without the image as it is."""
        return int(self.values.shape[0]) - self.originals

    def at(self, variant: int, index: int) -> Tensor:
        """Return float32 [channel, rows, columns]."""
        return torch.from_numpy(self.values[variant, index].astype(np.float32))


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureSource:
    """What features are made of."""

    images: UInt8  # uint8 [image, height, width], before histogram equalisation
    lungs: UInt8  # uint8 of that shape, their lung probabilities times 255
    normalisation: Standardisation  # mean and standard deviation of the training images
    config: ClassifierTraining  # the training: scattering, lung mask, augmentation, variants and seed are taken from it

    @property
    def originals(self) -> int:
        """How many variants are the image as it is; their logits are averaged."""
        return 2 if self.config.classifier.mirror_average else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features."""
        classifier, size = self.config.classifier, self.images.shape[1:]
        rows, columns = (side // 2**classifier.scattering.J for side in scattered_size(classifier, *size))
        variants = self.config.variants + self.originals
        return (variants, len(self.images), self.channels + 2, rows, columns)

    @property
    def channels(self) -> int:
        """Channels of the features, without the pooled planes."""
        return self.config.classifier.scattering.channels

    def digest(self) -> str:
        """Return the sha256 of all that the features depend on."""
        config, classifier = self.config, self.config.classifier
        sha = hashlib.sha256(self.images.tobytes())
        sha.update(self.lungs.tobytes())
        parts = (self.normalisation, classifier.scattering, config.lung_mask, config.augmentation, config.acquisition)
        rest = (config.seed, config.lungs, classifier.input_stride, config.preparation.equalisation)
        later: list[object] = ["mirror_average"] if classifier.mirror_average else []  # earlier caches stay valid
        if classifier.alignment is not None:
            later.append(classifier.alignment.model_dump(mode="json"))
        sha.update(json.dumps([*(one.model_dump(mode="json") for one in parts), *rest, *later]).encode())
        return sha.hexdigest()

    def batches(self) -> Iterator[bytes]:
        """Yield the features, batch by batch in the order of the file."""
        config, classifier = self.config, self.config.classifier
        scattering = self.transform()
        for variant in range(self.shape[0]):
            for start in range(0, len(self.images), BATCH):
                batch = range(start, min(start + BATCH, len(self.images)))
                pairs = [self._augmented(variant, index) for index in batch]
                image = torch.from_numpy(np.stack([pair[0] for pair in pairs])).float()
                probability = torch.from_numpy(np.stack([pair[1] for pair in pairs])).float() / 255
                lungs = None
                if config.lungs == "blacked-out":
                    lungs = probability
                    image, probability = black_out(image, probability)
                with torch.inference_mode():
                    mask = lung_mask(probability, image, config.lung_mask)
                    jitter = None if variant < self.originals else self._jitter(variant, batch)
                    given = classifier_input(image, mask, classifier, self.normalisation, lungs=lungs, jitter=jitter)
                    coefficients = scattering(given.image.contiguous())
                    planes = torch.stack([given.lungs, given.greys], dim=1)
                    yield torch.cat([coefficients, planes], dim=1).half().numpy().tobytes()

    def transform(self) -> Callable[[Tensor], Tensor]:
        """Return the function from standardised images, float [image, height, width], to features [image, ...]."""
        classifier = self.config.classifier
        return fast_scattering(classifier.scattering, *scattered_size(classifier, *self.images.shape[1:]))

    def _jitter(self, variant: int, batch: range) -> Tensor:
        """How far the sides of the box around the lungs are off, as they are in masks of changed images."""
        draws = [np.random.default_rng((self.config.seed, variant, index, 3)).normal(size=(2, 2)) for index in batch]
        return torch.from_numpy(np.stack(draws)).float() * BOX_JITTER

    def _augmented(self, variant: int, index: int) -> tuple[UInt8, UInt8]:
        """One variant of an image, equalised, and of its lungs."""
        image, lungs, config = self.images[index], self.lungs[index], self.config
        equalise = EQUALISERS[config.preparation.equalisation]
        if variant < self.originals:
            step = -1 if variant else 1
            return equalise(image)[:, ::step], lungs[:, ::step]
        variant -= self.originals - 1
        height, width = image.shape
        matrix = draw(config.augmentation, height=height, width=width, seed=config.seed, epoch=variant, index=index)
        rng = np.random.default_rng((config.seed, variant, index, 2))
        image, lungs = change(warp(image, matrix), warp(lungs, matrix), config.acquisition, rng)
        return equalise(image), lungs


def open_features(folder: Path, source: FeatureSource) -> Features:
    """Return the features of the images, from `folder` if they are there whole and of this source, else made again."""
    record = json.dumps({"shape": source.shape, "of": source.digest()}).encode()
    folder /= hashlib.sha256(record).hexdigest()[:16]
    size = np.dtype(np.float16).itemsize * math.prod(source.shape)

    def find() -> bool | None:
        """True once they are complete, else None: the record is written last; early versions gave it no digest."""
        try:
            stored = dict(json.loads((folder / RECORD).read_bytes()))
            wanted = stored.pop("sha256", None)
            if stored != json.loads(record) or (folder / ARRAY).stat().st_size != size:
                return None
            with (folder / ARRAY).open("rb") as file:
                return wanted is None or hashlib.file_digest(file, "sha256").hexdigest() == wanted or None
        except (OSError, ValueError, TypeError):
            return None

    def make() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if size > (free := shutil.disk_usage(folder).free):
            problem = f"{source.shape[0]} variants of {source.shape[1]} images need {size:,} bytes, {free:,} are free"
            raise TrainingError(f"{folder}: {problem}; lower variants, or choose another folder")
        sha = hashlib.sha256()

        def digested() -> Iterator[bytes]:
            for batch in source.batches():
                sha.update(batch)
                yield batch

        write_atomic(folder / ARRAY, digested())
        write_atomic(folder / RECORD, json.dumps(json.loads(record) | {"sha256": sha.hexdigest()}).encode())

    _find_or_make(find, make)
    values = np.memmap(folder / ARRAY, np.float16, "r", shape=source.shape)
    return Features(values=values, originals=source.originals)


def open_lungs(folder: Path, segmenter: Bundle, images: UInt8) -> UInt8:
    """Return the lung probability of each image times 255, uint8 [image, height, width].

    They are read from `folder` where this segmenter has found them in these images before, else they are found again.
    """
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    path = folder / f"lungs-{segmenter.sha256[:16]}-{digest[:16]}.u8"

    def find() -> UInt8 | None:
        """None where they are not there, or damaged; their SHA-256 follows them, but in files of earlier versions."""
        content = path.read_bytes() if path.is_file() else b""
        values, digest = content[: images.size], content[images.size :]
        if len(values) < images.size or (digest and digest != hashlib.sha256(values).digest()):
            return None
        return np.frombuffer(values, np.uint8).reshape(images.shape)

    def make() -> None:
        runtime = Runtime(segmenter)
        found = [np.rint(runtime.lung_probability(image) * 255).astype(np.uint8) for image in images]
        content = np.stack(found).tobytes()
        write_atomic(path, content + hashlib.sha256(content).digest())

    return _find_or_make(find, make)


def _find_or_make(find: Callable[[], Found | None], make: Callable[[], None]) -> Found:
    """What `find` finds, made by the first process where it is not there; the others wait for it."""
    found = find()
    if found is None and is_first_process():
        make()
        found = find()
    while found is None:
        time.sleep(1)
        found = find()
    return found


def fast_scattering(config: ScatteringConfig, height: int, width: int) -> Callable[[Tensor], Tensor]:
    """Return the scattering transform for images of one size, run by ONNX Runtime in half the time of PyTorch."""
    content = export_module(FusedScattering(config).eval(), torch.rand(2, height, width), ("scattering",))
    session = InferenceSession(content, providers=["CPUExecutionProvider"])

    def transform(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])

    return transform


def black_out(image: Tensor, probability: Tensor) -> tuple[Tensor, Tensor]:
    """Return the image with its lungs at 0, and the probability of all that is far from them, as a control.

    Both are float [image, height, width]. Lungs are grown by `MARGIN` pixels, so that a mask which is a little too
    small shows nothing of them.
    """
    grown = functional.max_pool2d(probability[:, None], 2 * MARGIN + 1, stride=1, padding=MARGIN)[:, 0]
    is_lung = grown > 0.5
    return image.masked_fill(is_lung, 0), (~is_lung).float()
