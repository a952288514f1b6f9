from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cxrnet.model.config import ScatteringConfig
from cxrnet.nn.scattering import Path, Scattering, pad_circular, paths, reflect, wavelets
from tests.material import draw_xray


@cache
def scattering(**config):
    return Scattering(ScatteringConfig(**config))


@cache
def exact():
    """The published transform in float64."""
    return Scattering().double()


def _random(seed, height, width):
    return torch.randn(1, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _relative(changed, original):
    return float((changed - original).norm() / original.norm())


def test_paths_are_as_many_as_channels_for_every_config():
    configs = [
        ScatteringConfig(J=scales, L=angles, order=order)
        for scales in range(1, 7)
        for angles in range(1, 17)
        for order in range(3)
    ]
    assert [len(paths(config)) for config in configs] == [config.channels for config in configs]


def test_paths_run_through_first_orders_then_second_orders():
    found = paths(ScatteringConfig())
    assert [path.order for path in found] == [0] + 12 * [1] + 36 * [2]
    assert found[1] == Path(scales=(0,), angles=(0,))
    assert found[7] == Path(scales=(1,), angles=(0,))
    assert found[13 + 6 * 2 + 5] == Path(scales=(0, 1), angles=(2, 5))


def test_second_scale_is_above_the_first():
    assert all(path.scales[0] < path.scales[1] for path in paths(ScatteringConfig(J=4)) if path.order == 2)


@given(
    scales=st.integers(1, 3),
    angles=st.sampled_from([1, 3, 4]),
    order=st.integers(0, 2),
    extra=st.tuples(st.integers(0, 29), st.integers(0, 29)),
)
def test_scattering_samples_each_2_to_the_j_pixels_for_any_size(scales, angles, order, extra):
    transform = scattering(J=scales, L=angles, order=order)
    height, width = (2**scales + more for more in extra)
    coefficients = transform(torch.rand(1, height, width))
    assert coefficients.shape == (1, transform.config.channels, height >> scales, width >> scales)


@pytest.mark.parametrize("size", [(3, 40), (40, 3)])
def test_image_below_2_to_the_j_is_refused(size):
    with pytest.raises(ValueError, match=rf"image is {size[0]} x {size[1]}; at least 4 x 4 is needed"):
        scattering()(torch.zeros(1, *size))


def test_each_image_of_a_batch_is_transformed_alone():
    images = torch.rand(3, 20, 28)
    alone = torch.cat([scattering(J=3)(image[None]) for image in images])
    torch.testing.assert_close(scattering(J=3)(images), alone)


def test_lower_order_gives_the_first_channels_of_a_higher_one():
    image = torch.rand(1, 24, 32)
    full = scattering(J=3)(image)
    for order in (0, 1):
        lower = scattering(J=3, order=order)(image)
        torch.testing.assert_close(lower, full[:, : lower.shape[1]])


def test_constant_image_has_its_value_at_order_0_and_nothing_above():
    coefficients = scattering()(torch.full((1, 40, 44), 0.7))
    torch.testing.assert_close(coefficients[:, 0], torch.full((1, 10, 11), 0.7), rtol=1e-4, atol=0)
    assert coefficients[:, 1:].abs().max() < 1e-6


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_constant_image_has_a_finite_gradient(value):
    image = torch.full((1, 16, 20), value, requires_grad=True)
    scattering()(image).sum().backward()
    assert image.grad.isfinite().all()


def test_gradient_is_that_of_finite_differences():
    image = _random(0, 8, 8).requires_grad_()
    assert torch.autograd.gradcheck(exact(), image, fast_mode=True)


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31), size=st.floats(1e-3, 10))
def test_scattering_does_not_expand_a_change_inside_the_image(seed, size):
    image, change = _random(seed, 48, 56), torch.zeros(1, 48, 56, dtype=torch.float64)
    change[:, 8:-8, 8:-8] = size * _random(seed + 1, 32, 40)
    moved = exact()(image + change) - exact()(image)
    assert 4 * moved.norm() <= 1.001 * change.norm()


@settings(max_examples=12)
@given(seed=st.integers(0, 2**31))
def test_scattering_expands_a_change_at_the_border_at_most_twice(seed):
    image, change = _random(seed, 24, 28), _random(seed + 1, 24, 28)
    moved = exact()(image + change) - exact()(image)
    assert 4 * moved.norm() <= 2 * change.norm()


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_shift_changes_coefficients_less_than_pixels(pixels):
    large = torch.from_numpy(draw_xray(3, height=140, width=152)[0]).double()[None]
    large = (large - large.mean()) / large.std()
    here, there = large[:, 8:-8, 8:-8], large[:, 8:-8, 8 + pixels : -8 + pixels]
    assert _relative(exact()(there), exact()(here)) < 0.75 * _relative(there, here)


def test_reflection_does_not_repeat_the_edge():
    padded = reflect(torch.arange(8.0).expand(1, 1, 8, 8), 4)
    assert padded[0, 0, 0].tolist() == [4, 3, 2, 1, 0, 1, 2, 3, 4, 5, 6, 7, 6, 5, 4, 3]


def test_reflection_goes_back_and_forth_when_the_image_is_smaller_than_its_padding():
    padded = reflect(torch.tensor([[[[0.0, 1.0]]]]).expand(1, 1, 2, 2), 2)
    assert padded[0, 0, 0].tolist() == [0, 1, 0, 1, 0, 1]


def test_wrap_continues_periodically():
    assert pad_circular(torch.arange(4.0).expand(1, 1, 4, 4), 2)[0, 0, 0].tolist() == [2, 3, 0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(("scale", "radius"), [(0, 6), (1, 12)])
def test_wavelets_are_short(scale, radius):
    assert wavelets(6, scale, 0).shape == (12, 1, 2 * radius + 1, 2 * radius + 1)


def test_wavelets_have_no_mean():
    kernels = wavelets(6, 1, 0)
    assert np.abs(kernels.sum(axis=(1, 2, 3))).max() < 1e-5 * np.abs(kernels).sum(axis=(1, 2, 3)).max()


def test_transform_has_nothing_to_learn_and_nothing_to_store():
    assert not list(Scattering().parameters())
    assert not Scattering().state_dict()
