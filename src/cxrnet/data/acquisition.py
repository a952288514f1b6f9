"""Random changes of how a radiograph was acquired, displayed and stored; what it shows stays the same.

Training sees each image with other noise, sharpness, contrast, compression, borders and markers, so that the
classifier cannot rely on them. A change is drawn from (seed, epoch, index) and is the same after a resume.
"""

from typing import Annotated

import cv2
import numpy as np
from pydantic import Field

from cxrnet.arrays import AnyArray, UInt8
from cxrnet.model.record import Frozen

Probability = Annotated[float, Field(ge=0, le=1)]


class Acquisition(Frozen):
    """How likely each change is, and how far it goes; amounts are drawn evenly up to the limit.

    Attributes:
        border: Probability of a uniform border of up to `border_width` of each side; the image shrinks to make room.
        border_width: Part of the height and width, on each side.
        blur: Probability of a Gaussian blur of up to `blur_sigma` pixels.
        blur_sigma: In pixels of the 300 x 340 image.
        resample: Probability of down-sampling by up to `resample_factor` and up-sampling back.
        resample_factor: Largest factor.
        gamma: Probability of a power of exp(-`gamma_log`) to exp(`gamma_log`) on grey values in [0, 1].
        gamma_log: Largest logarithm of the power.
        clip: Probability that the brightest pixels, up to a share of `clip_share`, become one value; the darkest
            likewise, up to a third of that share.
        clip_share: Largest share of the pixels.
        clahe: Probability of contrast-limited adaptive histogram equalisation.
        noise: Probability of Gaussian noise of up to `noise_sigma`, white or correlated over a pixel.
        noise_sigma: In grey values of 255.
        marker: Probability of letters or a label at the edge.
        jpeg: Probability of JPEG compression at a quality of `jpeg_quality` to 95.
        jpeg_quality: Lowest quality.
    """

    border: Probability = 0.0
    border_width: Annotated[float, Field(ge=0, lt=0.4)] = 0.08
    blur: Probability = 0.0
    blur_sigma: Annotated[float, Field(gt=0, le=10)] = 1.5
    resample: Probability = 0.0
    resample_factor: Annotated[float, Field(gt=1, le=8)] = 2.5
    gamma: Probability = 0.0
    gamma_log: Annotated[float, Field(gt=0, le=2)] = 0.5
    clip: Probability = 0.0
    clip_share: Annotated[float, Field(gt=0, lt=1)] = 0.45
    clahe: Probability = 0.0
    noise: Probability = 0.0
    noise_sigma: Annotated[float, Field(gt=0, le=64)] = 8.0
    marker: Probability = 0.0
    jpeg: Probability = 0.0
    jpeg_quality: Annotated[int, Field(ge=1, le=95)] = 25


ACQUISITIONS = {
    "none": Acquisition(),
    "varied": Acquisition(
        border=0.2, blur=0.3, resample=0.25, gamma=0.4, clip=0.4, clahe=0.15, noise=0.5, marker=0.2, jpeg=0.4
    ),
    "strong": Acquisition(
        border=0.4,
        blur=0.35,
        resample=0.3,
        gamma=0.4,
        clip=0.5,
        clip_share=0.5,
        clahe=0.35,
        noise=0.5,
        marker=0.2,
        jpeg=0.4,
    ),
}
"""Presets by name; `varied` covers what differs between scanners, archives and collections, `strong` more of it."""


def change(image: UInt8, mask: UInt8, acquisition: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    """Return the image and its lung mask after random changes of acquisition.

    Args:
        image: uint8 [height, width], before histogram equalisation.
        mask: uint8 [height, width], lung probability times 255; or [plane, height, width]. It moves with the image.
        acquisition: What may happen.
        rng: Source of randomness; the number of draws does not depend on their outcome.
    """
    happens = dict(zip(_STEPS, rng.random(len(_STEPS)), strict=True))
    seeds = rng.integers(2**32, size=len(_STEPS))
    for (name, step), seed in zip(_STEPS.items(), seeds, strict=True):
        if happens[name] < getattr(acquisition, name):
            image, mask = step(image, mask, acquisition, np.random.default_rng(int(seed)))
    return image, mask


def resample(image: AnyArray, size: tuple[int, int], *, down: int, up: int) -> AnyArray:
    """Return the image shrunk to `size` (width, height) and enlarged again, by OpenCV's interpolations."""
    small = cv2.resize(image, size, interpolation=down)
    return cv2.resize(small, (image.shape[1], image.shape[0]), interpolation=up)


def equalise_tiles(image: UInt8, limit: float, tiles: int) -> UInt8:
    """Return the image, uint8 [height, width], with the histogram of each tile equalised up to `limit` (CLAHE)."""
    return np.asarray(cv2.createCLAHE(limit, (tiles, tiles)).apply(image), np.uint8)


def recompress(image: UInt8, quality: int) -> UInt8:
    """Return the image, uint8 [height, width], after JPEG compression of this quality (1 to 95)."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def _border(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    height, width = image.shape
    top, bottom = (int(part * height) for part in rng.uniform(0, limits.border_width, 2))
    left, right = (int(part * width) for part in rng.uniform(0, limits.border_width, 2))
    if rng.random() < 0.5:  # often all sides alike
        top = bottom = left = right = int(rng.uniform(0, limits.border_width) * height)
    inner = (width - left - right, height - top - bottom)
    value = int(rng.choice([0, 255, int(rng.integers(256))]))

    def framed(pixels: UInt8, value: int) -> UInt8:
        small = cv2.resize(pixels, inner, interpolation=cv2.INTER_AREA)
        whole = cv2.copyMakeBorder(small, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value)
        return np.asarray(whole, np.uint8)

    return framed(image, value), framed(mask, 0) if mask.ndim == 2 else np.stack([framed(plane, 0) for plane in mask])


def _blur(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, limits.blur_sigma)), np.uint8), mask


def _resample(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    height, width = image.shape
    factor = rng.uniform(1.1, limits.resample_factor)
    down = int(rng.choice([cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    up = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    return resample(image, (int(width / factor), int(height / factor)), down=down, up=up), mask


def _gamma(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    power = np.exp(rng.uniform(-limits.gamma_log, limits.gamma_log))
    table = np.rint(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return table[image], mask


def _clip(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    high = np.quantile(image, 1 - rng.uniform(0, limits.clip_share))
    low = np.quantile(image, rng.uniform(0, limits.clip_share / 3)) if rng.random() < 0.5 else float(image.min())
    if high - low < 16:
        return image, mask
    table = np.rint(np.clip((np.arange(256) - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return table[image], mask


def _clahe(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    tiles = int(rng.integers(4, 13))
    return equalise_tiles(image, float(rng.uniform(1, 4)), tiles), mask


def _noise(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    noise = rng.standard_normal(image.shape, np.float32)
    if rng.random() < 0.3:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), 0.7), np.float32)
        noise /= noise.std()
    changed = image + noise * np.float32(rng.uniform(0, limits.noise_sigma))
    return np.clip(np.rint(changed), 0, 255).astype(np.uint8), mask


def _marker(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    height, width = image.shape
    image = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        text = "".join(rng.choice(list("LRAP0123456789-:")) for _ in range(int(rng.choice([1, 1, 2, 8]))))
        size = rng.uniform(0.4, 1.2)
        near_x, near_y = rng.uniform(0.0, 0.16, 2)
        x = int(width * (near_x if rng.random() < 0.5 else 0.98 - near_x) - (12 * len(text) * size) * rng.random())
        y = int(height * (near_y + 0.06 if rng.random() < 0.6 else 1 - near_y))
        value = int(rng.choice([255, 255, 0, 200]))
        if rng.random() < 0.2:
            cv2.rectangle(image, (x, y - int(22 * size)), (x + int(18 * len(text) * size), y + 4), 255 - value, -1)
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, value, int(rng.integers(1, 3)), cv2.LINE_AA)
    return image, mask


def _jpeg(image: UInt8, mask: UInt8, limits: Acquisition, rng: np.random.Generator) -> tuple[UInt8, UInt8]:
    return recompress(image, int(rng.integers(limits.jpeg_quality, 96))), mask


_STEPS = {
    "border": _border,
    "blur": _blur,
    "resample": _resample,
    "gamma": _gamma,
    "clip": _clip,
    "clahe": _clahe,
    "noise": _noise,
    "marker": _marker,
    "jpeg": _jpeg,
}
"""In the order in which they come about: detector, display, storage."""
