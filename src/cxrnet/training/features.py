"""What Module 2 sees of moved images, made once: scattering coefficients and pooled lung masks, kept on disk.

They do not depend on the weights, and the folds of a cross-validation share them. Each image is there as it is
(variant 0) and in some augmented copies, image and lung mask moved alike (paper 2.2.2.2).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch import Tensor
from torch.nn import functional

from cxrnet.arrays import Float32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.data.acquisition import change
from cxrnet.data.augment import draw, warp
from cxrnet.errors import OutputError
from cxrnet.export.fused import FusedScattering
from cxrnet.export.onnx import export_module
from cxrnet.imaging.preprocess import EQUALISERS
from cxrnet.model.config import ScatteringConfig, Standardisation
from cxrnet.nn.network import lung_mask, pooled, scattering_input
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.lock import is_first_process

BATCH = 16
MARGIN = 6
ARRAY, RECORD = "features.f16", "features.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The features of all images, mapped from disk.

    Attributes:
        values: float16 [variant, image, channel, rows, columns]: scattering coefficients, then the pooled lung mask,
            then the pooled image in [0, 1]. Half precision: 5e-4 of a value.
        originals: Variants that are the image as it is: 1, or 2 with its mirror image. They come first.
    """

    values: NDArray[np.float16]
    originals: int = 1

    def __len__(self) -> int:
        """Return the number of images."""
        return int(self.values.shape[1])

    @property
    def variants(self) -> int:
        """Changed copies of each image, without the image as it is."""
        return int(self.values.shape[0]) - self.originals

    def at(self, variant: int, index: int) -> Tensor:
        """Return float32 [channel, rows, columns]."""
        return torch.from_numpy(self.values[variant, index].astype(np.float32))


def open_features(
    folder: Path, images: UInt8, probabilities: Float32, normalisation: Standardisation, config: ClassifierTraining
) -> Features:
    """Return the features of the images, from `folder` if they are there whole and of these images, else made again.

    Args:
        folder: Where they are kept, in a folder of their own by what they were made of, so that trainings may share it.
        images: uint8 [image, height, width], before histogram equalisation.
        probabilities: float32 [image, height, width], their lung probabilities, in [0, 1].
        normalisation: Mean and standard deviation of the training images.
        config: The training: scattering, lung mask, augmentation, variants and seed are taken from it.
    """
    channels = config.classifier.scattering.channels + 2
    originals = originals_of(config)
    shape = (
        config.variants + originals,
        len(images),
        channels,
        *pooled(torch.zeros(1, *images.shape[1:]), config.classifier).shape[1:],
    )
    record: dict[str, Any] = {"shape": shape, "of": _digest(images, probabilities, normalisation, config)}
    folder /= hashlib.sha256(json.dumps(record).encode()).hexdigest()[:16]
    path = folder / ARRAY
    if is_first_process():
        if not _is_recorded(folder, record):
            _make(folder, images, probabilities, normalisation, config, record)
    else:
        while not _is_recorded(folder, record):
            time.sleep(1)
    return Features(values=np.memmap(path, np.float16, "r", shape=shape), originals=originals)


def originals_of(config: ClassifierTraining) -> int:
    """Return how many variants are the image as it is; their logits are averaged."""
    return 2 if config.classifier.mirror_average else 1


def _make(
    folder: Path,
    images: UInt8,
    probabilities: Float32,
    normalisation: Standardisation,
    config: ClassifierTraining,
    record: dict[str, Any],
) -> None:
    """Write them aside, then under their name, then the record: where it is, they are whole."""
    aside = folder / f"{ARRAY}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
        values = np.memmap(aside, np.float16, "w+", shape=record["shape"])
        _fill(values, images, probabilities, normalisation, config)
        values.flush()
        aside.replace(folder / ARRAY)
    except OSError as error:
        msg = f"{folder}: features cannot be written ({error.strerror}); free space or choose another folder"
        raise OutputError(msg) from error
    write_atomic(folder / RECORD, json.dumps(record).encode())


def _fill(
    values: NDArray[np.float16],
    images: UInt8,
    probabilities: Float32,
    normalisation: Standardisation,
    config: ClassifierTraining,
) -> None:
    inside = scattering_input(torch.zeros(1, *images.shape[1:]), config.classifier, normalisation)
    scattering = fast_scattering(config.classifier.scattering, *inside.shape[1:])
    for variant in range(len(values)):
        for start in range(0, len(images), BATCH):
            batch = range(start, min(start + BATCH, len(images)))
            pairs = [_moved(images[index], probabilities[index], config, variant, index) for index in batch]
            image = torch.from_numpy(np.stack([pair[0] for pair in pairs])).float()
            probability = torch.from_numpy(np.stack([pair[1] for pair in pairs])).float() / 255
            if config.lungs == "blacked-out":
                image, probability = black_out(image, probability)
            with torch.inference_mode():
                mask = lung_mask(probability, image, config.lung_mask)
                coefficients = scattering(scattering_input(image, config.classifier, normalisation))
                planes = torch.stack([pooled(plane, config.classifier) for plane in (mask, image / 255)], dim=1)
                values[variant, start : batch.stop] = torch.cat([coefficients, planes], dim=1).half().numpy()


def fast_scattering(config: ScatteringConfig, height: int, width: int) -> Callable[[Tensor], Tensor]:
    """Return the scattering transform for images of one size, run by ONNX Runtime in half the time of PyTorch."""
    content = export_module(FusedScattering(config).eval(), torch.rand(2, height, width), ("scattering",))
    session = InferenceSession(content, providers=["CPUExecutionProvider"])

    def transform(image: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"image": image.numpy()})[0])

    return transform


def black_out(image: Tensor, probability: Tensor) -> tuple[Tensor, Tensor]:
    """Return the image with its lungs at 0, and the probability of all that is far from them, as a control.

    Lungs are grown by `MARGIN` pixels, so that a mask which is a little too small shows nothing of them.

    Args:
        image: float [image, height, width], 0 to 255.
        probability: float [image, height, width], of the lungs, in [0, 1].
    """
    grown = functional.max_pool2d(probability[:, None], 2 * MARGIN + 1, stride=1, padding=MARGIN)[:, 0]
    is_lung = grown > 0.5
    return image.masked_fill(is_lung, 0), (~is_lung).float()


def _moved(
    image: UInt8, probability: Float32, config: ClassifierTraining, variant: int, index: int
) -> tuple[UInt8, UInt8]:
    mask = np.rint(probability * 255).astype(np.uint8)
    equalise = EQUALISERS[config.preparation.equalisation]
    originals = originals_of(config)
    if variant < originals:
        step = -1 if variant else 1
        return equalise(image)[:, ::step], mask[:, ::step]
    variant -= originals - 1
    height, width = image.shape
    matrix = draw(config.augmentation, height=height, width=width, seed=config.seed, epoch=variant, index=index)
    rng = np.random.default_rng((config.seed, variant, index, 2))
    image, mask = change(warp(image, matrix), warp(mask, matrix), config.acquisition, rng)
    return equalise(image), mask


def _digest(images: UInt8, probabilities: Float32, normalisation: Standardisation, config: ClassifierTraining) -> str:
    sha = hashlib.sha256(images.tobytes())
    sha.update(np.rint(probabilities * 255).astype(np.uint8).tobytes())
    parts = (normalisation, config.classifier.scattering, config.lung_mask, config.augmentation, config.acquisition)
    classifier = config.classifier
    rest = (config.seed, config.lungs, classifier.input_stride, config.preparation.equalisation)
    mirror = ("mirror_average",) if classifier.mirror_average else ()  # caches made before the choice stay valid
    sha.update(json.dumps([*(one.model_dump(mode="json") for one in parts), *rest, *mirror]).encode())
    return sha.hexdigest()


def _is_recorded(folder: Path, record: dict[str, Any]) -> bool:
    size = np.dtype(np.float16).itemsize * math.prod(record["shape"])
    try:
        is_same = json.loads((folder / RECORD).read_bytes()) == json.loads(json.dumps(record))
        return bool(is_same and (folder / ARRAY).stat().st_size == size)
    except (OSError, ValueError):
        return False
