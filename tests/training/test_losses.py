from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.training.losses import (
    class_weights,
    contour_kernel,
    contour_weights,
    dice,
    dice_loss,
    tanimoto,
    tanimoto_with_complement,
    weighted_cross_entropy,
    weighted_tanimoto_loss,
)

GOLDENS = ("unit_losses_random_2x72x96", "unit_losses_real_v7_val_1676231")
TOLERANCE = 1e-5


def channels_first(array):
    return torch.from_numpy(np.moveaxis(array, -1, 1).copy())


def masks(seed=0, *, batch=2, height=40, width=50):
    chance = torch.Generator().manual_seed(seed)
    target = torch.zeros(batch, 2, height, width)
    target[:, 0, 10:30, 8:20] = 1
    target[:, 1] = 1 - target[:, 0]
    logits = 3 * (2 * target - 1) + torch.randn(target.shape, generator=chance)
    return logits.softmax(1), target


@pytest.fixture(params=GOLDENS)
def recorded(request, golden):
    """Golden arrays with prediction and target, channels first."""
    arrays = golden(request.param)
    if "y_true" in arrays:
        return arrays, channels_first(arrays["y_pred"]), channels_first(arrays["y_true"])
    image = golden("v7_val_1676231")
    lungs = torch.from_numpy((image["lung_truth_uint8"] > 127).astype(np.float32))
    found = torch.from_numpy(image["module1_v7_prob"])
    return arrays, torch.stack([found, 1 - found])[None], torch.stack([lungs, 1 - lungs])[None]


@pytest.mark.shared
def test_coefficients_are_the_recorded_ones(recorded):
    arrays, predicted, target = recorded
    weights = contour_weights(target, kernel=21)
    for name, value in {
        "dice_coeff": dice(predicted, target),
        "dice_loss": dice_loss(predicted, target),
        "tani_coeff_nc": tanimoto(predicted, target),
        "tani_coeff": tanimoto_with_complement(predicted, target),
        "tani_loss": 1 - tanimoto_with_complement(predicted, target),
        "weighted_dice_coeff": dice(predicted, target, weights=weights),
        "weighted_tani_coeff": tanimoto_with_complement(predicted, target, weights=weights),
        "weighted_tani_loss": weighted_tanimoto_loss(predicted, target, kernel=21),
    }.items():
        assert value.item() == pytest.approx(arrays[name].item(), abs=TOLERANCE), name


@pytest.mark.shared
def test_contour_weights_are_the_recorded_ones(recorded):
    arrays, _, target = recorded
    expected = channels_first(arrays["contour_weights"])
    torch.testing.assert_close(contour_weights(target, kernel=21), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.shared
def test_gradient_of_the_weighted_loss_is_the_recorded_one(golden):
    arrays = golden(GOLDENS[0])
    predicted = channels_first(arrays["y_pred"]).requires_grad_()
    weighted_tanimoto_loss(predicted, channels_first(arrays["y_true"]), kernel=21).backward()
    expected = channels_first(arrays["weighted_tani_loss_grad_pred"])
    torch.testing.assert_close(predicted.grad, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("coefficient", [dice, tanimoto, tanimoto_with_complement])
def test_identical_masks_score_1(coefficient):
    _, target = masks()
    assert coefficient(target, target).item() == pytest.approx(1)


@pytest.mark.parametrize("coefficient", [dice, tanimoto, tanimoto_with_complement])
def test_two_empty_masks_score_1(coefficient):
    empty = torch.zeros(1, 1, 8, 8)
    assert coefficient(empty, empty).item() == pytest.approx(1)


def test_coefficients_of_a_case_counted_by_hand():
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    predicted = torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])
    assert dice(predicted, target, smooth=0).item() == pytest.approx(2 / 3)
    assert tanimoto(predicted, target, smooth=0).item() == pytest.approx(1 / 2)
    assert tanimoto_with_complement(predicted, target, smooth=0).item() == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_the_batch_is_pooled_unless_asked_per_image():
    predicted, target = masks()
    predicted[0] = 1 - predicted[0]
    pooled, single = dice(predicted, target), dice(predicted, target, per_image=True)
    assert pooled.shape == ()
    assert single.shape == (2,)
    assert single[0] < pooled < single[1]
    for image in range(2):
        alone = dice(predicted[image : image + 1], target[image : image + 1])
        torch.testing.assert_close(single[image], alone)


@pytest.mark.parametrize("loss", [dice_loss, weighted_tanimoto_loss])
def test_loss_per_image_is_the_mean_of_the_losses_of_the_images(loss):
    predicted, target = masks()
    target[0] = target[0].roll(5, dims=-1)
    each = [loss(predicted[image : image + 1], target[image : image + 1]) for image in range(2)]
    torch.testing.assert_close(loss(predicted, target, per_image=True), torch.stack(each).mean())


@pytest.mark.parametrize(
    ("short_side", "kernel"), [(1, 11), (150, 11), (151, 21), (300, 21), (301, 31), (600, 31), (601, 41)]
)
def test_window_follows_the_shorter_side(short_side, kernel):
    assert contour_kernel(short_side) == kernel


def test_window_is_taken_from_the_shorter_side_when_not_given():
    _, target = masks(height=160, width=151)
    torch.testing.assert_close(contour_weights(target), contour_weights(target, kernel=21))


def test_weights_are_those_of_a_plain_window_mean():
    _, target = masks()
    mean = torch.nn.functional.avg_pool2d(target.double(), 11, stride=1, padding=5, count_include_pad=False)
    raised = 1 + 2 * ((mean > 0.005) & (mean < 0.995)).double()
    expected = (raised / raised.mean()).square().float()
    torch.testing.assert_close(contour_weights(target, kernel=11), expected)


def test_a_mask_without_border_weighs_1_everywhere():
    full = torch.ones(1, 1, 30, 30)
    torch.testing.assert_close(contour_weights(full), full)


@given(st.integers(0, 10_000))
def test_unsquared_weights_have_mean_1_in_each_image(seed):
    target = (torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(seed)) > 0.999).float()
    mean = contour_weights(target, per_image=True).sqrt().mean(dim=(1, 2, 3))
    torch.testing.assert_close(mean, torch.ones(2))


def test_a_step_against_the_gradient_lowers_the_loss():
    predicted, target = masks()
    logits = predicted.log().requires_grad_()
    loss = weighted_tanimoto_loss(logits.softmax(1), target)
    loss.backward()
    with torch.no_grad():
        assert weighted_tanimoto_loss((logits - 100 * logits.grad).softmax(1), target) < loss


def test_classes_weigh_alike():
    counts = torch.tensor([30, 10])
    weights = class_weights(counts)
    torch.testing.assert_close(weights * counts, torch.tensor([20.0, 20.0]))


def test_cross_entropy_is_divided_by_the_images_not_by_the_weights():
    logits, labels = torch.zeros(3, 2), torch.tensor([0, 1, 1])
    loss = weighted_cross_entropy(logits, labels, weights=torch.tensor([4.0, 1.0]))
    assert loss.item() == pytest.approx(np.log(2) * (4 + 1 + 1) / 3)


def test_cross_entropy_without_weights_is_that_of_torch():
    logits, labels = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 2, 1])
    torch.testing.assert_close(
        weighted_cross_entropy(logits, labels), torch.nn.functional.cross_entropy(logits, labels)
    )


@pytest.mark.parametrize("coefficient", [dice, tanimoto, tanimoto_with_complement])
def test_other_shapes_are_refused(coefficient):
    with pytest.raises(ValueError, match=r"predicted has shape \[1, 2, 4, 4\] and target \[1, 1, 4, 4\]"):
        coefficient(torch.zeros(1, 2, 4, 4), torch.zeros(1, 1, 4, 4))


def test_weights_of_other_axes_are_refused():
    with pytest.raises(ValueError, match=r"target has shape \[4, 4\]; \[batch, class, height, width\] is needed"):
        contour_weights(torch.zeros(4, 4))


@pytest.mark.parametrize("kernel", [0, 4])
def test_an_even_window_is_refused(kernel):
    with pytest.raises(ValueError, match=f"kernel is {kernel}; an odd number of pixels is needed"):
        contour_weights(torch.zeros(1, 1, 9, 9), kernel=kernel)


def test_a_side_of_no_pixels_is_refused():
    with pytest.raises(ValueError, match="short side is 0 pixels; 1 or more is needed"):
        contour_kernel(0)


def test_a_class_without_images_is_refused():
    with pytest.raises(ValueError, match=r"images of each class are \[3, 0\]; every class needs one or more"):
        class_weights(torch.tensor([3, 0]))


def test_weights_for_other_classes_are_refused():
    with pytest.raises(ValueError, match=r"weights have shape \[3\]; one for each of 2 classes is needed"):
        weighted_cross_entropy(torch.zeros(1, 2), torch.tensor([0]), weights=torch.ones(3))
