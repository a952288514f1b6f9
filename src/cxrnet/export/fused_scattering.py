"""The scattering transform in the form that runs fastest; see `fused`.

- Wavelets are cut a little shorter than those of the transform itself.
- Moduli are convolutions: squares of both parts, added by a 1x1 kernel.
- An image and its mirror image share all but the last step. A wavelet mirrored is that of another angle, but the mirror
  image is sampled between the positions of the image: every column is kept until the low-pass picks those of either.
- There, a wavelet that also samples is applied along columns and then along rows. All wavelets of a scale together are,
  but for a few millionths, sums of products of eight even and eight odd profiles of a column with profiles of a row.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cxrnet.arrays import Float64
from cxrnet.export.fused import LANES, padded_channels, zero_padded
from cxrnet.model.config import ScatteringConfig
from cxrnet.nn.scattering import Path, Scattering, averaging, pad_circular, wavelets

FUSED_TAIL = 1e-5
"""Where the wavelets of a graph are cut: coefficients move by about 1e-6 of the largest."""

FUSED_RANK = 5e-6
"""Profiles that hold less than this part of the wavelets of a scale are left out."""

PROFILES = LANES // 2
"""Profiles are padded to a multiple of this number, which the blocked layout takes."""


class Profiles(NamedTuple):
    """Wavelets of one parity, float64 [out, k, k], as columns, then rows, then a mixture of what they give.

    `down` [profile, 1, k, 1], `across` [mixed, profile, 1, k], `mixture` [out, mixed, 1, 1].
    """

    down: Float64
    across: Float64
    mixture: Float64


@cache
def profiles(angles: int, scale: int, level: int, parity: int) -> Profiles:
    """Return the part of `wavelets` that is even (1) or odd (-1) along a column."""
    kernels = wavelets(angles, scale, level, tail=FUSED_TAIL)[:, 0]
    allowed = FUSED_RANK * float(np.linalg.norm(kernels))
    part = (kernels + parity * kernels[:, ::-1]) / 2
    left, size, _ = np.linalg.svd(part.reshape(len(part), -1), full_matrices=False)
    mixture = left[:, size > allowed]
    core = np.einsum("om,orc->rmc", mixture, part)
    left, size, _ = np.linalg.svd(core.reshape(len(core), -1), full_matrices=False)
    down = left[:, size > allowed]
    across = np.einsum("rp,rmc->mpc", down, core)
    return Profiles(down.T[:, None, :, None], across[:, :, None, :], mixture[:, :, None, None])


class FusedScattering(Scattering):
    """The transform; takes and returns what `Scattering` does."""

    def __init__(self, config: ScatteringConfig) -> None:
        super().__init__(config, tail=FUSED_TAIL)

    def modulus(self, x: Tensor, scale: int, level: int) -> Tensor:
        """Return what `Scattering.modulus` returns."""
        angles = self.config.L
        response = self._response(x, padded_channels(2 * angles), scale, level)
        pairs = torch.zeros(angles, response.shape[1], 1, 1)
        pairs[range(angles), range(angles)] = pairs[range(angles), range(angles, 2 * angles)] = 1
        return functional.conv2d(response * response, pairs).sqrt()

    def _response(self, x: Tensor, size: int, scale: int, level: int) -> Tensor:
        """Return float [batch, size, ...]: real parts of x * psi(scale), imaginary parts, and zeros."""
        kernels = self.get_buffer(f"wavelets_{scale}_at_{level}")
        radius = kernels.shape[-1] // 2
        weight = torch.cat([kernels, kernels.new_zeros(size - len(kernels), *kernels.shape[1:])])
        return functional.conv2d(pad_circular_by_parts(x, radius, radius), weight, stride=2 ** (scale - level))


class MirroredScattering(FusedScattering):
    """The transform of images of even width and of their mirror images; maps keep every column."""

    def with_mirror_images(self, image: Tensor) -> Tensor:
        """Return float [2 * batch, channel, rows, columns], as `Scattering.with_mirror_images`."""
        own, mirrored = self(image).chunk(2, dim=-1)
        return torch.cat([own, mirrored[:, [self.paths.index(self._mirrored(path)) for path in self.paths]]])

    def _response(self, x: Tensor, size: int, scale: int, level: int) -> Tensor:
        if scale == level:
            return super()._response(x, size, scale, level)
        radius = self.get_buffer(f"wavelets_{scale}_at_{level}").shape[-1] // 2
        x = pad_circular_by_parts(x, radius, radius * 2**level)
        parts = []
        for parity in (1, -1):
            down, across, mixture = (
                torch.from_numpy(each).float() for each in profiles(self.config.L, scale, level, parity)
            )
            count, mixed = (-(-len(each) // PROFILES) * PROFILES for each in (down, across))
            part = functional.conv2d(x, zero_padded(down, [count, *down.shape[1:]]), stride=(2 ** (scale - level), 1))
            across = zero_padded(across, [mixed, count, *across.shape[2:]])
            part = functional.conv2d(part, across, dilation=(1, 2**level))
            parts.append(functional.conv2d(part, zero_padded(mixture, [size, mixed, 1, 1])))
        return parts[0] + parts[1]

    def average(self, x: Tensor, level: int) -> Tensor:
        """Return float [batch, channel, rows, 2 * columns], columns of the image, then of its mirror image."""
        scales, width = self.config.J, x.shape[-1]
        rows = torch.from_numpy(averaging(scales, level, x.shape[-2])).float()
        own = averaging(scales, level, width >> level)
        columns = torch.zeros(2, len(own), width)
        columns[0, :, :: 2**level] = torch.from_numpy(own).float()
        columns[1] = columns[0].flip(-1)
        return rows @ x @ columns.flatten(0, 1).T

    def _mirrored(self, path: Path) -> Path:
        """Return the path whose wavelets are those of `path` mirrored."""
        angles = self.config.L
        middle = int(angles - angles / 2 - 1)
        return Path(scales=path.scales, angles=tuple((2 * middle - angle) % angles for angle in path.angles))


def pad_circular_by_parts(x: Tensor, rows: int, columns: int) -> Tensor:
    """Return `x` continued periodically by `rows` and `columns`, whole ones at a time where `x` has as many."""
    if x.shape[-2] < rows or x.shape[-1] < columns:
        return pad_circular(pad_circular(x, rows, axes=(-2,)), columns, axes=(-1,))
    x = torch.cat([x[..., -rows:, :], x, x[..., :rows, :]], dim=-2)
    return torch.cat([x[..., -columns:], x, x[..., :columns]], dim=-1)
