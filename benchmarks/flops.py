"""The least time that a network can take: its floating-point operations at the rate of a large matrix product.

Counted are the multiplications and additions of the convolutions and matrix products that the networks are defined by,
two for each weight and position, without what a graph adds to run faster. Activations, sums and copies are not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cxrnet.model.config import Branch, BundleConfig, ClassifierConfig, ScatteringConfig, SegmenterConfig
from cxrnet.nn.network import scattered_size

SIDE = 2048
"""Rows and columns of the matrices whose product tells the rate."""

RADII = (5, 11)
"""Radius in pixels of the wavelets of a graph at the first two scales (`cxrnet.export.fused_scattering.FUSED_TAIL`)."""


def operations(config: BundleConfig) -> dict[str, float]:
    """Return the operations of one image: of `module 1` and, with a classifier, of `scattering` and `folds`."""
    height, width = config.preparation.height, config.preparation.width
    found = {"module 1": segmenter_operations(config.segmenter, height, width)}
    if config.classifier is not None:
        height, width = scattered_size(config.classifier, height, width)
        found["scattering"] = scattering_operations(config.classifier.scattering, height, width)
        found["folds"] = config.folds * fold_operations(config.classifier, height, width)
        sides = 2 if config.classifier.mirror_average else 1
        found |= {part: sides * found[part] for part in ("scattering", "folds")}
    return found


def segmenter_operations(config: SegmenterConfig, height: int, width: int) -> float:
    """Return those of Module 1 on one image."""
    channels, weights = 1, 0
    for _ in range(config.blocks):
        block, channels = _block(channels, config.filters, config.branches, joins=config.merge == "concatenate")
        weights += block
    positions = (height // config.output_stride) * (width // config.output_stride)
    return float(2 * positions * (weights + channels * len(config.classes)))


def fold_operations(config: ClassifierConfig, height: int, width: int) -> float:
    """Return those of one fold on one image, without the attention, which is linear in closed form."""
    channels, weights = config.scattering.channels + 1 + (config.attention is not None), 0
    for _ in range(config.blocks - 1):
        block, channels = _block(channels, config.filters, config.branches, joins=True)
        weights += block
    last, _ = _block(channels, len(config.classes), config.branches, joins=False)
    size = 2**config.scattering.J
    return float(2 * (height // size) * (width // size) * (weights + last))


def scattering_operations(config: ScatteringConfig, height: int, width: int) -> float:
    """Return those of the scattering transform on one image, as strided convolutions and a low-pass by matrices."""
    sides: list[int] = [(side // 2**config.J + 2) * 2**config.J for side in (height, width)]
    kernels = [(2 * _radius(scale) + 1) ** 2 * 2 * config.L for scale in range(config.J)]
    total, maps = 0.0, [1] + [0] * (config.J - 1)
    for scale in range(config.J if config.order else 0):
        total += kernels[scale] * sides[0] * sides[1] / 4**scale
        maps[scale] += config.L
        for above in range(scale + 1, config.J if config.order == 2 else 0):
            total += config.L * kernels[above] / 4**scale * sides[0] * sides[1] / 4**above
            maps[above] += config.L**2
    rows, columns = height // 2**config.J, width // 2**config.J
    for scale, count in enumerate(maps):
        high, wide = sides[0] / 2**scale, sides[1] / 2**scale
        total += count * (rows * high * wide + rows * wide * columns)
    return 2 * total


def matrix_task() -> tuple[Callable[[], object], float]:
    """Return a matrix product in float32 to be timed, and its floating-point operations."""
    rng = np.random.default_rng(0)
    left, right = (rng.random((SIDE, SIDE), np.float32) for _ in range(2))
    return lambda: left @ right, 2.0 * SIDE**3


def _block(channels: int, filters: int, branches: Sequence[Branch], *, joins: bool) -> tuple[int, int]:
    """Return the weights of a residual block that are used at every position, and its channels."""
    made = filters * (len(branches) if joins else 1)
    inside = sum(
        (channels + filters) * branch.kernel**2 + channels * filters + filters * filters for branch in branches
    )
    return inside + channels * made, made


def _radius(scale: int) -> int:
    return RADII[scale] if scale < len(RADII) else RADII[-1] * 2 ** (scale - len(RADII) + 1)
