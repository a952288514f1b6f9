"""Lung probabilities of the images of a classifier's training: found once by Module 1, and kept on disk."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float32, UInt8
from cxrnet.atomic import write_atomic
from cxrnet.model.bundle import Bundle
from cxrnet.model.runtime import Runtime
from cxrnet.training.lock import is_first_process


def open_lungs(folder: Path, segmenter: Bundle, images: UInt8) -> Float32:
    """Return the lung probability of each image, float32 [image, height, width] in [0, 1], in steps of 1/255.

    They are read from `folder` where this segmenter has found them in these images before, else they are found again.

    Args:
        folder: Where they are kept, under a name of the segmenter and the images.
        segmenter: A bundle with Module 1.
        images: uint8 [image, height, width], prepared images.

    Raises:
        OutputError: They cannot be written.
    """
    digest = hashlib.sha256(images.tobytes()).hexdigest()
    path = folder / f"lungs-{segmenter.sha256[:16]}-{digest[:16]}.u8"
    if is_first_process() and _read(path, images) is None:
        runtime = Runtime(segmenter)
        found = [np.rint(runtime.lung_probability(image) * 255).astype(np.uint8) for image in images]
        content = np.stack(found).tobytes()
        write_atomic(path, content + hashlib.sha256(content).digest())
    while (steps := _read(path, images)) is None:
        time.sleep(1)
    return steps.astype(np.float32) / np.float32(255)


def _read(path: Path, images: UInt8) -> UInt8 | None:
    """The probabilities in a file, uint8 [image, height, width]; None where it is not there, or damaged.

    The SHA-256 of the probabilities follows them; files of earlier versions end without it.
    """
    content = path.read_bytes() if path.is_file() else b""
    values, digest = content[: images.size], content[images.size :]
    if len(values) < images.size or (digest and digest != hashlib.sha256(values).digest()):
        return None
    return np.frombuffer(values, np.uint8).reshape(images.shape)
