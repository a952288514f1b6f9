"""The scattering transform against two independent ones: Kymatio's, and its definition written with the FFT."""

import importlib
import warnings

import numpy as np
import pytest
import torch
from numpy.fft import fft2, ifft2

from cxrnet.model.config import ScatteringConfig
from cxrnet.nn.scattering import Scattering

L = 6


def _gabor(shape, sigma, theta, frequency, slant):
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    curve = turn @ np.diag([1, slant**2]) @ turn.T / (2 * sigma**2)
    total = np.zeros(shape, dtype=complex)
    for down in range(-2, 3):
        for right in range(-2, 3):
            row, column = np.mgrid[: shape[0], : shape[1]]
            row, column = row + down * shape[0], column + right * shape[1]
            fall = curve[0, 0] * row**2 + 2 * curve[0, 1] * row * column + curve[1, 1] * column**2
            total += np.exp(-fall + 1j * frequency * (row * np.cos(theta) + column * np.sin(theta)))
    return total / (2 * 3.1415 * sigma**2 / slant)


def _morlet(shape, scale, angle):
    sigma, slant, theta = 0.8 * 2**scale, 4 / L, (2 - angle) * np.pi / L
    wave = _gabor(shape, sigma, theta, 3 * np.pi / 4 / 2**scale, slant)
    still = _gabor(shape, sigma, theta, 0, slant)
    return fft2(wave - wave.sum() / still.sum() * still).real


def _sampled(spectrum, step):
    """The spectrum of every `step`-th pixel: the mean of its aliases."""
    height, width = spectrum.shape[0] // step, spectrum.shape[1] // step
    return spectrum.reshape(step, height, step, width).mean(axis=(0, 2))


def _halved(low):
    height, width = low.shape
    low = low.copy()
    low[height // 4 : 3 * height // 4] = 0
    low[:, width // 4 : 3 * width // 4] = 0
    return 4 * _sampled(low, 2)


def _scattering_by_fft(image):
    """Two scales, six angles, two orders: float64 [49, height // 4, width // 4]."""
    sides = [((side // 4 + 2) * 4 - side) for side in image.shape]
    padded = np.pad(image, [(side // 2, side - side // 2) for side in sides], mode="reflect")
    shape = padded.shape
    low = fft2(_gabor(shape, 1.6, 0, 0, 1)).real
    half = _halved(low)
    spectrum = fft2(padded)

    def averaged(plane_spectrum, by, step):
        return ifft2(_sampled(plane_spectrum * by, step)).real[1:-1, 1:-1]

    zeroth, first, second = averaged(spectrum, low, 4), [[], []], []
    for angle in range(L):
        fine = fft2(np.abs(ifft2(spectrum * _morlet(shape, 0, angle))))
        coarse = fft2(np.abs(ifft2(_sampled(spectrum * _morlet(shape, 1, angle), 2))))
        first[0].append(averaged(fine, low, 4))
        first[1].append(averaged(coarse, half, 2))
        for other in range(L):
            again = fft2(np.abs(ifft2(_sampled(fine * _morlet(shape, 1, other), 2))))
            second.append(averaged(again, half, 2))
    return np.stack([zeroth, *first[0], *first[1], *second])


@pytest.mark.parametrize("size", [(32, 40), (29, 43), (6, 5)])
def test_scattering_is_its_definition_with_the_fft(size):
    image = np.random.default_rng(0).normal(size=size)
    expected = _scattering_by_fft(image)
    ours = Scattering().double()(torch.from_numpy(image)[None])[0].numpy()
    assert np.abs(ours - expected).max() <= 5e-6 * np.abs(expected).max()


@pytest.fixture(scope="module")
def kymatio():
    """Kymatio's 2-D transform; its 3-D one asks SciPy for a function that 1.17 no longer has."""
    pytest.importorskip("kymatio")
    special = importlib.import_module("scipy.special")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr(special, "sph_harm", None, raising=False)
        return importlib.import_module("kymatio.torch").Scattering2D


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scales", "angles", "order", "size", "tolerance"),
    [
        (2, 6, 2, (300, 340), 1e-6),
        (2, 6, 2, (61, 83), 1e-6),
        (2, 8, 1, (64, 64), 1e-6),
        (1, 6, 2, (33, 47), 1e-6),
        # from three scales on, wavelets for sampled maps are band-limited, so they fall slowly, and are cut
        (3, 6, 2, (96, 104), 4e-5),
        (3, 4, 2, (75, 101), 4e-5),
        (4, 3, 2, (128, 96), 4e-5),
    ],
)
def test_scattering_is_that_of_kymatio(kymatio, scales, angles, order, size, tolerance):
    image = torch.randn(1, *size, generator=torch.Generator().manual_seed(0))
    expected = kymatio(scales, size, L=angles, max_order=order)(image)
    ours = Scattering(ScatteringConfig(J=scales, L=angles, order=order))(image)
    assert (ours - expected).abs().max() <= tolerance * expected.abs().max()
