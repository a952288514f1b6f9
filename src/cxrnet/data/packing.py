"""Writing a pack: every film is read, prepared and stored as it comes; see `pack` for what is in the file."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.arrays import Bool, Int64, UInt8
from cxrnet.data.manifest import Manifest, Sample
from cxrnet.data.masks import read_many, read_mask, resize_mask
from cxrnet.data.pack import FORMAT, Header, open_library
from cxrnet.errors import ManifestError, OutputError
from cxrnet.imaging import Decoder
from cxrnet.imaging.preprocess import prepare
from cxrnet.model.config import NEW_PREPARATION, PreparationConfig, Standardisation

STANDARD = NEW_PREPARATION
"""The size of the paper, with averaged areas."""


def write_pack(
    manifest: Manifest,
    out: Path,
    *,
    preparation: PreparationConfig = STANDARD,
    masks: bool = True,
    like: Header | None = None,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Header:
    """Write a pack of the rows of a manifest, whole or not at all.

    Args:
        manifest: The rows.
        out: The HDF5 file to write.
        preparation: Size and interpolation.
        masks: Whether to pack the masks that the manifest names.
        like: Header of the pack of the training films, whose preparation, classes, weights, mean and standard
            deviation are taken over, as a test set needs it (paper 2.2.2.1).
        jobs: Files read at once; one a core if not given.
        progress: Called with the number of films that have been packed, and of all.

    Raises:
        ManifestError: Some rows have a mask and some have none, or a label is not among the classes of `like`.
        RadiographError: A file cannot be read.
        OutputError: The disk cannot take it.
        MissingExtraError: h5py is not installed.
    """
    h5py = open_library()
    samples = manifest.samples
    with_masks = masks and _have_masks(manifest)
    classes = like.classes if like else tuple(sorted({sample.label for sample in samples if sample.label}))
    labels = np.array([_class_index(manifest, sample, classes) for sample in samples], np.int64)
    training = _training(samples)
    weights = like.weights if like else class_weights(labels[training], len(classes))
    if like:
        preparation = like.preparation
    work = _Preparing(preparation, with_masks)
    grey = np.zeros(256, np.int64)
    with _aside(out) as path, h5py.File(path, "w") as file:
        shape = (len(samples), preparation.height, preparation.width)
        sets = {
            name: file.create_dataset(name, shape, np.uint8, chunks=(1, *shape[1:]))
            for name in ("X", "M")[: 1 + with_masks]
        }
        for place, (image, mask) in enumerate(read_many(work, samples, jobs=jobs)):
            sets["X"][place] = image
            if mask is not None:
                sets["M"][place] = mask
            if training[place]:
                grey += np.bincount(image.ravel(), minlength=256)
            progress(place + 1, len(samples))
        file["y"] = labels
        file["w"] = np.array([weights[label] if label >= 0 else 1.0 for label in labels], np.float32)
        rows = [json.dumps(dict(sample.values), ensure_ascii=False) for sample in samples]
        file.create_dataset("row", data=rows, dtype=h5py.string_dtype())
        header = Header(
            preparation=preparation,
            classes=classes,
            standardisation=like.standardisation if like else _standardise(grey),
            weights=weights,
        )
        _write_header(file, header)
    return header


def class_weights(labels: Int64, classes: int) -> tuple[float, ...]:
    """Weight of each class: images / (classes x images of the class), which is 1 on average over the images.

    Args:
        labels: int64 [image], class indices; -1 has no class and does not count.
        classes: Number of classes; one without an image weighs 1.
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes)
    present = max(int(np.count_nonzero(counts)), 1)
    return tuple(float(counts.sum() / (present * count)) if count else 1.0 for count in counts)


class _Preparing:
    """Reads and prepares one row: image and mask, uint8 [height, width]."""

    def __init__(self, preparation: PreparationConfig, masks: bool) -> None:
        self.preparation, self.masks = preparation, masks

    def __call__(self, decoder: Decoder, sample: Sample) -> tuple[UInt8, UInt8 | None]:
        to = self.preparation
        radiograph = decoder.read(sample.image)
        image = prepare(radiograph.pixels, **to.model_dump(), name=radiograph.name)
        if not self.masks or sample.mask is None:
            return image, None
        return image, resize_mask(read_mask(decoder, sample.mask), to.height, to.width)


def _have_masks(manifest: Manifest) -> bool:
    """Whether every row has a mask; some with and some without cannot be packed together."""
    without = [sample.line for sample in manifest.samples if sample.mask is None]
    if without and len(without) < len(manifest.samples):
        raise ManifestError(
            f"{manifest.path.name}: line {without[0]}: has no mask, as {len(without)} rows of {len(manifest.samples)}; "
            "give every row a mask, choose rows with --where, or pack with --no-masks"
        )
    return not without


def _class_index(manifest: Manifest, sample: Sample, classes: tuple[str, ...]) -> int:
    if sample.label is None:
        return -1
    if sample.label not in classes:
        raise ManifestError(
            f"{manifest.path.name}: line {sample.line}: label {sample.label} is not a class of the other pack; "
            f"its classes are {', '.join(classes)}"
        )
    return classes.index(sample.label)


def _training(samples: tuple[Sample, ...]) -> Bool:
    """Which films count for mean, standard deviation and class weights, bool [film]."""
    training = np.array([sample.split == "train" for sample in samples])
    return training if training.any() else np.ones(len(samples), bool)


def _standardise(grey: Int64) -> Standardisation:
    """Mean and standard deviation from a histogram, int64 [256]."""
    values = np.arange(256)
    mean = float((grey * values).sum() / grey.sum())
    return Standardisation(mean=mean, std=float(np.sqrt((grey * (values - mean) ** 2).sum() / grey.sum())))


def _write_header(file: Any, header: Header) -> None:
    file.attrs["format"] = FORMAT
    file.attrs["classes"] = json.dumps(header.classes)
    file.attrs["weights"] = json.dumps(header.weights)
    file.attrs["preparation"] = header.preparation.model_dump_json()
    file["X"].attrs["mean"] = header.standardisation.mean
    file["X"].attrs["std"] = header.standardisation.std


@contextmanager
def _aside(path: Path) -> Iterator[Path]:
    """Where to write a file that is too large to hold in memory: it is renamed to `path` when all went well."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: cannot be written ({error.strerror or type(error).__name__}); free space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):  # it is gone when all went well
            aside.unlink()
