import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.errors import UsageError
from cxrnet.training.losses import (
    class_weights,
    contour_weights,
    dice_loss,
    tanimoto,
    tanimoto_loss,
    weighted_cross_entropy,
    weighted_tanimoto_loss,
)

GOLDENS = ("unit_losses_random_2x72x96", "unit_losses_real_v7_val_1676231")
TOLERANCE = 1e-5


def channels_first(array):
    return torch.from_numpy(np.moveaxis(array, -1, 1).copy())


def masks(seed=0, *, batch=2, height=40, width=50):
    rng = torch.Generator().manual_seed(seed)
    target = torch.zeros(batch, 2, height, width)
    target[:, 0, 10:30, 8:20] = 1
    target[:, 1] = 1 - target[:, 0]
    logits = 3 * (2 * target - 1) + torch.randn(target.shape, generator=rng)
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
        "dice_loss": dice_loss(predicted, target),
        "tani_coeff_nc": tanimoto(predicted, target),
        "tani_loss": tanimoto_loss(predicted, target),
        "weighted_dice_coeff": 1 - dice_loss(predicted, target, weights=weights),
        "weighted_tani_coeff": 1 - tanimoto_loss(predicted, target, weights=weights),
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


LOSSES = pytest.mark.parametrize("loss", [dice_loss, tanimoto_loss, weighted_tanimoto_loss])


@LOSSES
def test_identical_masks_have_no_loss(loss):
    _, target = masks()
    assert loss(target, target).item() == pytest.approx(0, abs=1e-6)


@LOSSES
def test_void_pixels_do_not_move_the_loss(loss):
    predicted, target = masks()
    weights = torch.ones_like(target)
    weights[:, :, :, 40:] = 0
    changed = predicted.clone()
    changed[:, :, :, 40:] = 1 - changed[:, :, :, 40:]
    torch.testing.assert_close(loss(predicted, target, weights=weights), loss(changed, target, weights=weights))
    assert loss(predicted, target) < loss(changed, target)


def test_coefficients_of_a_case_counted_by_hand():
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]]]])
    predicted = torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]])
    assert dice_loss(predicted, target).item() == pytest.approx(1 - (2 + 1) / (3 + 1))
    assert tanimoto(predicted, target).item() == pytest.approx((1 + 1) / (2 + 1))
    assert tanimoto_loss(predicted, target).item() == pytest.approx(1 - (2 / 3 + 3 / 4) / 2)


@pytest.mark.parametrize("loss", [dice_loss, tanimoto_loss])
def test_of_several_classes_a_loss_is_the_mean_of_theirs(loss):
    chance = torch.Generator().manual_seed(0)
    predicted = torch.rand(2, 3, 6, 5, generator=chance).softmax(1)
    target = torch.zeros(2, 3, 6, 5)
    target[:, 0, :4], target[:, 1, 4] = 1, 1  # the third class is not there
    alone = [loss(predicted[:, [index]], target[:, [index]]) for index in range(3)]
    torch.testing.assert_close(loss(predicted, target), torch.stack(alone).mean())


@pytest.mark.parametrize(("side", "kernel"), [(150, 11), (151, 21), (300, 21), (301, 31), (600, 31), (601, 41)])
def test_window_follows_the_shorter_side(side, kernel):
    target = torch.zeros(1, 1, side, side + 1)
    target[:, :, 40:90, 50:100] = 1
    torch.testing.assert_close(contour_weights(target), contour_weights(target, kernel=kernel))
    assert not torch.equal(contour_weights(target), contour_weights(target, kernel=kernel + 10))


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
def test_unsquared_weights_have_mean_1(seed):
    target = (torch.rand(2, 1, 24, 24, generator=torch.Generator().manual_seed(seed)) > 0.999).float()
    torch.testing.assert_close(contour_weights(target).sqrt().mean(), torch.tensor(1.0))


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


def test_a_class_without_images_is_refused():
    with pytest.raises(UsageError, match=r"\[3, 0\]"):
        class_weights(torch.tensor([3, 0]))
