"""The wavelet scattering transform as strided convolutions, without FFT (paper 2.2.3, Fig. 2).

    order 0     phi * x
    order 1     phi * |psi(j1, l1) * x|
    order 2     phi * ||psi(j1, l1) * x| * psi(j2, l2)|         j2 > j1

Morlet wavelets psi at `J` scales and `L` angles and a Gaussian phi, in the conventions of Kymatio's 2-D
transform (Andreux et al., arXiv 1812.11214), so that published weights can be used. Every output is sampled
each 2^J pixels. Complex wavelets are pairs of real kernels, cut where what is left of them is negligible;
convolutions are circular on the image padded by reflection, as in Kymatio.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cxrnet.arrays import Float64
from cxrnet.model.config import ScatteringConfig

WAVELET_TAIL = 1e-6
"""A wavelet is cut where the rest holds less than this part of the sum of its absolute values."""

TWO_PI = 2 * 3.1415
"""As the filters of the published weights were normalised."""


@dataclass(frozen=True, kw_only=True)
class Path:
    """The wavelets behind one output channel: `scales` (j1, j2) and `angles` (l1, l2); empty at order 0."""

    scales: tuple[int, ...] = ()
    angles: tuple[int, ...] = ()

    @property
    def order(self) -> int:
        """Number of wavelets on the path."""
        return len(self.scales)


@cache
def paths(config: ScatteringConfig) -> tuple[Path, ...]:
    """Return the path of every output channel, in their order."""
    first = [Path(scales=(j,), angles=(a,)) for j in range(config.J) for a in range(config.L)]
    second = [
        Path(scales=(*one.scales, j2), angles=(*one.angles, l2))
        for one in first
        for j2 in range(one.scales[0] + 1, config.J)
        for l2 in range(config.L)
    ]
    return (Path(), *(first if config.order >= 1 else ()), *(second if config.order == 2 else ()))


class Scattering(nn.Module):
    """The transform with `config`'s scales, angles and order; it has no weights to learn.

    Wavelets are cut at `tail`; see `WAVELET_TAIL`.
    """

    def __init__(self, config: ScatteringConfig | None = None, *, tail: float = WAVELET_TAIL) -> None:
        super().__init__()
        self.config = config = config or ScatteringConfig()
        self.paths = paths(config)
        by_level = sorted(self.paths, key=lambda path: (path.scales[-1:], path.order, path.scales, path.angles))
        self._order = [by_level.index(path) for path in self.paths]
        self._is_sorted = self._order == sorted(self._order)
        for level in range(config.J):
            for scale in range(level + 1 if level else 0, config.J):
                kernels = torch.from_numpy(wavelets(config.L, scale, level, tail=tail)).float()
                self.register_buffer(f"wavelets_{scale}_at_{level}", kernels, persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Return the coefficients, float [batch, channel, height // 2^J, width // 2^J]; `paths` names the channels.

        The image is float [batch, height, width], standardised grey values; any size of at least 2^J.
        """
        size = 2**self.config.J
        if min(image.shape[-2:]) < size:
            raise ValueError(f"image is {image.shape[-2]} x {image.shape[-1]}; at least {size} x {size} is needed")
        padded = reflect(image.unsqueeze(1), size)
        sampled: list[list[Tensor]] = [[padded], *([] for _ in range(1, self.config.J))]
        first = [self.modulus(padded, scale, 0) for scale in range(self.config.J if self.config.order else 0)]
        for scale, moduli in enumerate(first):
            sampled[scale].append(moduli)
        for scale, moduli in enumerate(first[:-1] if self.config.order == 2 else []):
            single = moduli.flatten(0, 1).unsqueeze(1)
            for j2 in range(scale + 1, self.config.J):
                second = self.modulus(single, j2, scale)
                sampled[j2].append(second.view(image.shape[0], -1, *second.shape[2:]))
        averaged = [self.average(torch.cat(maps, dim=1), level) for level, maps in enumerate(sampled) if maps]
        coefficients = torch.cat(averaged, dim=1)
        return coefficients if self._is_sorted else coefficients[:, self._order]

    def with_mirror_images(self, image: Tensor) -> Tensor:
        """Return float [2 * batch, ...]: the coefficients of images as `forward`, then those of their mirror images."""
        coefficients: Tensor = self(torch.cat([image, image.flip(-1)]))
        return coefficients

    def modulus(self, x: Tensor, scale: int, level: int) -> Tensor:
        """Return |x * psi(scale)| by angle, float [batch, L, ...], of float [batch, 1, ...].

        `x` is sampled each 2^level pixels, the moduli each 2^scale.
        """
        kernels = self.get_buffer(f"wavelets_{scale}_at_{level}")
        response = functional.conv2d(pad_circular(x, kernels.shape[-1] // 2), kernels, stride=2 ** (scale - level))
        real, imaginary = response.chunk(2, dim=1)
        return (real.square() + imaginary.square() + 1e-30).sqrt()  # a root at 0 has no gradient

    def average(self, x: Tensor, level: int) -> Tensor:
        """Return float [batch, channel, rows, columns]: x * phi each 2^J pixels, without the padding."""
        rows, columns = (
            torch.as_tensor(averaging(self.config.J, level, int(length)), dtype=x.dtype, device=x.device)
            for length in x.shape[-2:]
        )
        return rows @ x @ columns.T


def reflect(x: Tensor, size: int) -> Tensor:
    """Return `x` padded by reflection to a multiple of `size` with at least `size` / 2 on each side.

    The edge pixel is not repeated; a side of n pixels becomes (n // size + 2) * size.
    """
    for axis in (-2, -1):
        length = x.shape[axis]
        padded = (length // size + 2) * size
        period = max(2 * (length - 1), 1)
        position = (torch.arange(padded) - (padded - length) // 2) % period
        x = x.index_select(axis, torch.minimum(position, period - position))
    return x


def pad_circular(x: Tensor, radius: int, *, axes: tuple[int, ...] = (-2, -1)) -> Tensor:
    """Return `x` continued periodically by `radius` on both sides of these axes."""
    for axis in axes:
        length = x.shape[axis]
        x = x.index_select(axis, torch.arange(-radius, length + radius) % length)
    return x


def wavelets(angles: int, scale: int, level: int, *, tail: float = WAVELET_TAIL) -> Float64:
    """Return the kernels [2 * angles, 1, k, k] at `scale`, for maps sampled each 2^level pixels.

    Real parts first, then imaginary parts, flipped so that a cross-correlation convolves.
    """
    kernels = np.stack([subsample(morlet(angles, angle, scale), level) for angle in range(angles)])
    radius = max(tail_radius(kernel, tail) for kernel in kernels)
    kernels = np.stack([centre(kernel, radius) for kernel in kernels])[:, None, ::-1, ::-1]
    return np.concatenate([kernels.real, kernels.imag])


@cache
def averaging(scales: int, level: int, length: int) -> Float64:
    """Return the low-pass of one axis, for maps sampled each 2^level pixels, as a matrix [kept, length].

    It convolves circularly with the Gaussian of scale 2^scales, samples each 2^(scales - level), and drops
    the first and last sample. A matrix, since the Gaussian, cut off at the highest frequency of a sampled
    map, falls only as 1/n^2: no short kernel holds it, and the matrix is exact.
    """
    sigma, full = 0.8 * 2 ** (scales - 1), length << level
    distance = np.arange(full)[:, None] - full * np.arange(-2, 3)
    gaussian = np.exp(-(distance**2) / (2 * sigma**2)).sum(axis=1) / np.sqrt(TWO_PI * sigma**2)
    kernel = np.fft.ifft(periodise(np.fft.fft(gaussian), level)).real
    centres = np.arange(length)[:: 2 ** (scales - level)][1:-1]
    matrix: Float64 = kernel[(centres[:, None] - np.arange(length)) % length]
    return matrix


def morlet(angles: int, angle: int, scale: int) -> NDArray[np.complex128]:
    """Return the Morlet wavelet [n, n] of one angle and scale: a Gabor without its mean."""
    theta = (int(angles - angles / 2 - 1) - angle) * np.pi / angles
    sigma, frequency, slant = 0.8 * 2**scale, 3 / 4 * np.pi / 2**scale, 4 / angles
    wave = gabor(sigma, theta, frequency, slant)
    envelope = gabor(sigma, theta, 0.0, slant)
    wavelet: NDArray[np.complex128] = wave - wave.sum() / envelope.sum() * envelope
    return wavelet


def gabor(sigma: float, theta: float, frequency: float, slant: float) -> NDArray[np.complex128]:
    """Return exp(-u' C u + i frequency u' (cos theta, sin theta)) / Z on a grid [n, n] that holds it."""
    half = int(2 ** np.ceil(np.log2(12 * sigma / min(slant, 1.0))))
    row, column = np.meshgrid(np.arange(-half, half), np.arange(-half, half), indexing="ij")
    along = row * np.cos(theta) + column * np.sin(theta)
    across = column * np.cos(theta) - row * np.sin(theta)
    exponent = -(along**2 + slant**2 * across**2) / (2 * sigma**2) + 1j * frequency * along
    wave: NDArray[np.complex128] = np.exp(exponent) / (TWO_PI * sigma**2 / slant)
    return wave


def subsample(kernel: NDArray[np.complex128], level: int) -> NDArray[np.complex128]:
    """Return the kernel for maps sampled each 2^level pixels."""
    spectrum = np.fft.fft2(np.fft.ifftshift(kernel))
    periodised = periodise(periodise(spectrum, level).T, level).T
    return np.fft.fftshift(np.fft.ifft2(periodised))


def periodise(spectrum: NDArray[np.complex128], level: int) -> NDArray[np.complex128]:
    """Return the spectrum, along its first axis, of what is sampled each 2^level, its band limited first."""
    if level == 0:
        return spectrum
    size, kept = len(spectrum), len(spectrum) >> level
    passed = spectrum.copy()
    passed[kept // 2 : size - kept // 2] = 0
    periodised: NDArray[np.complex128] = passed.reshape(2**level, kept, *spectrum.shape[1:]).sum(axis=0)
    return periodised


def tail_radius(kernel: NDArray[np.complex128], tail: float) -> int:
    """Return the smallest radius outside which less than this part of the kernel is left."""
    magnitude = np.abs(kernel)
    allowed = tail * magnitude.sum()
    middle = len(kernel) // 2
    fits = (r for r in range(middle) if magnitude.sum() - np.abs(centre(kernel, r)).sum() < allowed)
    return next(fits, middle - 1)


def centre(kernel: NDArray[np.complex128], radius: int) -> NDArray[np.complex128]:
    """Return the part [2 * radius + 1, 2 * radius + 1] around the middle of the kernel."""
    middle = len(kernel) // 2
    around = slice(middle - radius, middle + radius + 1)
    return kernel[around, around]
