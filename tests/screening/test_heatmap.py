import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.errors import UsageError
from cxrnet.screening.heatmap import HeatMaps, contrast, first_minus_second, resize


def grad_cam(class_maps, chosen):
    """Grad-CAM by automatic differentiation: gradient of the softmax score, averaged, times the maps."""
    maps = torch.from_numpy(class_maps).double().requires_grad_()
    maps.mean(dim=(1, 2)).softmax(dim=0)[chosen].backward()
    return (maps.grad.mean(dim=(1, 2))[:, None, None] * maps.detach()).sum(dim=0).numpy()


def heat_maps(class_maps, *, mask=None, fold_maps=None):
    height, width = class_maps.shape[1] * 4, class_maps.shape[2] * 4
    return HeatMaps(
        classes=tuple("abcd"[: len(class_maps)]),
        class_maps=class_maps,
        fold_maps=class_maps[None] if fold_maps is None else fold_maps,
        logits=class_maps.mean(axis=(1, 2)),
        lung_mask=np.ones((height, width), np.float32) if mask is None else mask,
        mask_threshold=0.3,
    )


def random_maps(classes, *, seed=0, scale=1.0):
    return (np.random.default_rng(seed).normal(0, scale, (classes, 6, 7))).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 3, 4])
@given(seed=st.integers(0, 1000))
def test_contrast_is_grad_cam_up_to_a_positive_factor(classes, seed):
    maps = random_maps(classes, seed=seed)
    for index, closed in enumerate(contrast(maps, maps.mean(axis=(1, 2)))):
        expected = grad_cam(maps, index)
        factor = (closed * expected).sum() / (closed**2).sum()
        assert factor > 0
        np.testing.assert_allclose(closed * factor, expected, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("classes", [2, 3])
def test_contrast_is_finite_when_the_score_saturates(classes):
    maps = random_maps(classes) + np.array([5000.0, *([0.0] * (classes - 1))], np.float32)[:, None, None]
    assert np.isfinite(contrast(maps, maps.mean(axis=(1, 2)))).all()


def test_maps_of_two_classes_mirror_each_other():
    first, second = heat_maps(random_maps(2)).maps().values()
    np.testing.assert_allclose(first, 1 - second, atol=1e-6)


def test_difference_is_first_minus_second():
    maps = heat_maps(random_maps(2))
    first, second = maps.maps().values()
    np.testing.assert_array_equal(first_minus_second(maps.maps()), first - second)


def test_difference_is_missing_for_three_classes():
    assert first_minus_second(heat_maps(random_maps(3)).maps()) is None


def test_maps_span_0_to_1_inside_the_lungs_and_are_nan_outside():
    mask = np.zeros((24, 28), np.float32)
    mask[4:20, 5:20] = 0.9
    for one in heat_maps(random_maps(3), mask=mask).maps().values():
        assert (np.nanmin(one), np.nanmax(one)) == (0, 1)
        np.testing.assert_array_equal(np.isnan(one), mask <= 0.3)


def test_maps_at_another_size_keep_the_scale():
    maps = heat_maps(random_maps(2))
    large = maps.maps(96, 112)["a"]
    assert large.shape == (96, 112)
    assert np.abs(resize(large[None], 24, 28)[0] - maps.maps()["a"]).mean() < 0.05


def test_maps_are_nan_where_there_is_no_lung():
    maps = heat_maps(random_maps(2), mask=np.zeros((24, 28), np.float32))
    assert all(np.isnan(one).all() for one in maps.maps().values())


@pytest.mark.parametrize("size", [(0, 0), (-1, 5), (5, None), (5.0, 5), ("5", "5"), ([5], 5), (10**9, 10**9)])
def test_maps_of_no_size_are_refused(size):
    maps = heat_maps(random_maps(2))
    with pytest.raises(UsageError, match="size"):
        maps.maps(*size)


def test_spread_is_0_where_folds_agree():
    maps = random_maps(2)
    spread = heat_maps(maps, fold_maps=np.stack([maps, maps, maps])).spread()
    assert all(np.abs(one).max() < 1e-6 for one in spread.values())


def test_spread_is_the_standard_deviation_in_units_of_the_map():
    maps = random_maps(2)
    folds = np.stack([maps * 0, maps * 2])
    maps_of = heat_maps(maps, fold_maps=folds)
    raw = contrast(maps, maps.mean(axis=(1, 2)))
    deviation = resize(np.abs(raw), 24, 28)[0]
    np.testing.assert_allclose(maps_of.spread()["a"], deviation / np.ptp(resize(raw, 24, 28)[0]), atol=1e-5)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name",
    ["hfhs_002130-004-1", "jms_train_CHNCXR_0001_0", "jms_val_CHNCXR_0019_0", "v7_train_1676192", "v7_val_1676231"],
)
def test_maps_are_the_published_heat_maps(golden, name):
    recorded = golden(name)
    maps = HeatMaps(
        classes=("covid", "non-covid"),
        class_maps=recorded["averaged_map"].transpose(2, 0, 1),
        fold_maps=recorded["fold_masked_maps"].transpose(0, 3, 1, 2),
        logits=recorded["averaged_map"].mean(axis=(0, 1)),
        lung_mask=recorded["mask_used"].astype(np.float32),
        mask_threshold=0.3,
    )
    np.testing.assert_allclose(maps.maps()["covid"], recorded["gradcam_pos"], atol=1e-5)
    np.testing.assert_allclose(maps.maps()["non-covid"], recorded["gradcam_neg"], atol=1e-4)
    np.testing.assert_allclose(first_minus_second(maps.maps()), recorded["gradcam_diff"], atol=1e-4)
