"""Losses of both modules, and the coefficients behind them (paper 2.1.2.4).

All coefficients are sums over the whole batch, all classes pooled, as in the paper; `per_image` gives one for each
image instead. Tensors are float [batch, class, height, width]; weights have the same shape.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

SMOOTH = 1.0
"""Added above and below the line, in pixels, so that two empty masks score 1."""

BORDER_RAISE = 2.0
"""What a border adds to the weight of a pixel."""

BORDER_LOW, BORDER_HIGH = 0.005, 0.995
"""A pixel is border where the mean of the mask around it lies between these."""


def dice(
    predicted: Tensor,
    target: Tensor,
    *,
    weights: Tensor | None = None,
    smooth: float = SMOOTH,
    per_image: bool = False,
) -> Tensor:
    """Overlap of two masks, 2 |A and B| / (|A| + |B|); 1 means identical.

    Args:
        predicted: float [batch, class, height, width], probability in [0, 1].
        target: float [batch, class, height, width], 1 inside the class and 0 outside.
        weights: Weight of each pixel, or None for 1 everywhere.
        smooth: Added above and below the line, in pixels.
        per_image: One coefficient an image and not one for the batch.

    Returns:
        float [], or [batch] with `per_image`, in (0, 1].

    Raises:
        ValueError: The shapes differ.
    """
    _check(predicted, target)
    both = _total(target * predicted, weights, per_image)
    either = _total(target + predicted, weights, per_image)
    return (2 * both + smooth) / (either + smooth)


def tanimoto(
    predicted: Tensor,
    target: Tensor,
    *,
    weights: Tensor | None = None,
    smooth: float = SMOOTH,
    per_image: bool = False,
) -> Tensor:
    """Overlap of two masks, squared in the denominator; 1 means identical.

    Arguments, shapes and errors are those of `dice`.
    """
    _check(predicted, target)
    product = target * predicted
    both = _total(product, weights, per_image)
    either = _total(target.square() + predicted.square() - product, weights, per_image)
    return (both + smooth) / (either + smooth)


def tanimoto_with_complement(
    predicted: Tensor,
    target: Tensor,
    *,
    weights: Tensor | None = None,
    smooth: float = SMOOTH,
    per_image: bool = False,
) -> Tensor:
    """Mean of the Tanimoto coefficients of the masks and of what is outside them.

    With two classes that complement each other both are the same. Arguments, shapes and errors are those of `dice`.
    """
    inside = tanimoto(predicted, target, weights=weights, smooth=smooth, per_image=per_image)
    outside = tanimoto(1 - predicted, 1 - target, weights=weights, smooth=smooth, per_image=per_image)
    return (inside + outside) / 2


def contour_kernel(short_side: int) -> int:
    """Side in pixels of the window that finds borders, for images with this shorter side (published code).

    Raises:
        ValueError: The side is not positive.
    """
    if short_side < 1:
        raise ValueError(f"short side is {short_side} pixels; 1 or more is needed")
    for most, kernel in ((150, 11), (300, 21), (600, 31)):
        if short_side <= most:
            return kernel
    return 41


def contour_weights(target: Tensor, *, kernel: int | None = None, per_image: bool = False) -> Tensor:
    """Weight of each pixel in a loss: high along the borders of a mask.

    A pixel is border where the mean of the mask in the window around it, without what lies outside the image, is
    between 0.005 and 0.995. Weights are 1, and 3 on the border; divided by their mean; squared.

    Args:
        target: float [batch, class, height, width], 1 inside the class and 0 outside.
        kernel: Side of the window, odd; None takes `contour_kernel` of the shorter side.
        per_image: Divide by the mean of each image and not of the batch.

    Returns:
        float [batch, class, height, width], above 0.

    Raises:
        ValueError: `target` has other axes, or the window is even.
    """
    if target.ndim != 4:
        raise ValueError(f"target has shape {list(target.shape)}; [batch, class, height, width] is needed")
    kernel = contour_kernel(min(target.shape[2:])) if kernel is None else kernel
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel is {kernel}; an odd number of pixels is needed")
    mean = _window_sum(target, kernel) / _window_sum(torch.ones_like(target[:1, :1]), kernel)
    is_border = (mean > BORDER_LOW) & (mean < BORDER_HIGH)
    weights = 1 + BORDER_RAISE * is_border.to(target.dtype)
    average = weights.mean(dim=(1, 2, 3), keepdim=True) if per_image else weights.mean()
    return (weights / average).square()


def dice_loss(predicted: Tensor, target: Tensor, *, smooth: float = SMOOTH, per_image: bool = False) -> Tensor:
    """1 - Dice coefficient, float []; with `per_image` the mean over the images. Errors are those of `dice`."""
    return 1 - dice(predicted, target, smooth=smooth, per_image=per_image).mean()


def weighted_tanimoto_loss(
    predicted: Tensor,
    target: Tensor,
    *,
    kernel: int | None = None,
    smooth: float = SMOOTH,
    per_image: bool = False,
) -> Tensor:
    """1 - Tanimoto coefficient with complement, borders weighted: the loss that trains Module 1.

    Args:
        predicted: float [batch, class, height, width], probability in [0, 1].
        target: float [batch, class, height, width], 1 inside the class and 0 outside.
        kernel: Side of the window that finds borders; see `contour_weights`.
        smooth: Added above and below the line, in pixels.
        per_image: Mean of the losses of the images, where the paper pools the batch.

    Returns:
        float [], in [0, 1).

    Raises:
        ValueError: The shapes differ or the window is even.
    """
    weights = contour_weights(target, kernel=kernel, per_image=per_image)
    overlap = tanimoto_with_complement(predicted, target, weights=weights, smooth=smooth, per_image=per_image)
    return 1 - overlap.mean()


def class_weights(counts: Tensor) -> Tensor:
    """Weight of each class, float [class], such that all classes weigh alike and the mean over the images is 1.

    Args:
        counts: int [class], training images of each class.

    Raises:
        ValueError: A class has no image.
    """
    if counts.ndim != 1 or bool((counts < 1).any()):
        raise ValueError(f"images of each class are {counts.tolist()}; every class needs one or more")
    return counts.sum() / (len(counts) * counts.to(torch.get_default_dtype()))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Categorical cross-entropy, each image weighted by its class: the loss that trains Module 2.

    The sum of weight times entropy is divided by the number of images, not by the sum of the weights: a batch
    of rare images pulls harder, as in the published training.

    Args:
        logits: float [batch, class], unbounded.
        labels: int64 [batch], index of the true class.
        weights: float [class], from `class_weights`; None for 1 each.

    Returns:
        float [], 0 or more.

    Raises:
        ValueError: The weights are not one a class.
    """
    if weights is not None and weights.shape != logits.shape[1:]:
        msg = f"weights have shape {list(weights.shape)}; one for each of {logits.shape[1]} classes is needed"
        raise ValueError(msg)
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    return (entropy if weights is None else entropy * weights[labels]).mean()


def _check(predicted: Tensor, target: Tensor) -> None:
    if predicted.shape != target.shape or predicted.ndim != 4:
        shapes = f"predicted has shape {list(predicted.shape)} and target {list(target.shape)}"
        raise ValueError(f"{shapes}; both are [batch, class, height, width]")


def _total(values: Tensor, weights: Tensor | None, per_image: bool) -> Tensor:
    """Sum over the batch, float [], or of each image, float [batch]."""
    weighted = values if weights is None else values * weights
    return weighted.sum(dim=(1, 2, 3)) if per_image else weighted.sum()


def _window_sum(values: Tensor, kernel: int) -> Tensor:
    """Sum in a square window around each pixel, 0 outside the image; by rows and then columns, exact for masks."""
    half = kernel // 2
    rows = functional.avg_pool2d(values, (kernel, 1), stride=1, padding=(half, 0), divisor_override=1)
    return functional.avg_pool2d(rows, (1, kernel), stride=1, padding=(0, half), divisor_override=1)
