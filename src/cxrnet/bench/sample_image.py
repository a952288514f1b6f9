"""Images to measure with: RG1 of pydicom-data or a drawing, and many that are alike."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import cv2
import numpy as np

from cxrnet.arrays import Float32, UInt8

SIZE = (1024, 1024)
"""Height and width of the PNG images."""


def sample_image() -> Path | None:
    """Return the radiograph RG1 of the package pydicom-data; None where that is not installed."""
    try:
        found = files("pydicom-data") or ()
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in found if file.name == "RG1_UNCR.dcm"), None)


def drawing(height: int = SIZE[0], width: int = SIZE[1]) -> UInt8:
    """Return a drawing of a chest, uint8 [height, width], the same every time."""
    rows, columns = np.mgrid[0:height, 0:width] / np.array([height, width])[:, None, None]
    lungs = sum(((rows - 0.5) / 0.33) ** 2 + ((columns - middle) / 0.17) ** 2 < 1 for middle in (0.27, 0.73))
    values = np.where(lungs, 70.0, 170.0) + 20 * np.sin(40 * rows) * lungs + 40 * rows
    values += np.random.default_rng(0).normal(0, 8, values.shape)
    return np.asarray(cv2.GaussianBlur(values, (0, 0), height / 300).clip(0, 255), np.uint8)


@contextmanager
def many_images(pixels: Float32, count: int) -> Iterator[list[Path]]:
    """Give `count` PNG files of `SIZE`, each another part of `pixels`, float32 [height, width], 0..255."""
    height, width = SIZE
    large = cv2.resize(pixels, (width + 16, height + 16), interpolation=cv2.INTER_AREA)
    large = np.rint(large).clip(0, 255).astype(np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"image{number:05d}.png" for number in range(count)]
        for number, path in enumerate(paths):
            down, right = number % 16, number // 16 % 16
            cv2.imwrite(str(path), large[down : down + height, right : right + width])
        yield paths
