"""Losses of both modules (paper 2.1.2.4).

Overlaps are sums over the whole batch. Two classes are pooled, as in the paper; with more a coefficient is the mean of
those of the classes, so that a small one counts as a large one. Tensors are float [batch, class, height, width];
weights have the same shape.
"""

import torch
from torch import Tensor
from torch.nn import functional

from cxrnet.errors import UsageError

SMOOTH = 1.0
"""Added above and below the line, in pixels, so that two empty masks score 1."""

BORDER_RAISE = 2.0
"""What a border adds to the weight of a pixel."""

BORDER_LOW, BORDER_HIGH = 0.005, 0.995
"""A pixel is border where the mean of the mask around it lies between these."""

CONTOUR_WINDOWS = ((150, 11), (300, 21), (600, 31))
"""Longest shorter side of an image, in pixels -> side of the window that finds borders (published code); then 41."""


def dice_loss(predicted: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """1 - Dice coefficient, float [] in [0, 1): 2 |A and B| / (|A| + |B|), of probability and target in [0, 1]."""
    both, either = _total(target * predicted, weights), _total(target + predicted, weights)
    return 1 - ((2 * both + SMOOTH) / (either + SMOOTH)).mean()


def tanimoto(predicted: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Overlap of two masks, squared in the denominator, float [] in (0, 1]."""
    product = target * predicted
    both = _total(product, weights)
    either = _total(target.square() + predicted.square() - product, weights)
    return ((both + SMOOTH) / (either + SMOOTH)).mean()


def tanimoto_loss(predicted: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """1 - mean of the Tanimoto coefficients of the masks and of their complements, float [] in [0, 1)."""
    inside = tanimoto(predicted, target, weights=weights)
    outside = tanimoto(1 - predicted, 1 - target, weights=weights)
    return 1 - (inside + outside) / 2


def weighted_tanimoto_loss(
    predicted: Tensor, target: Tensor, *, weights: Tensor | None = None, kernel: int | None = None
) -> Tensor:
    """Tanimoto loss with complement, borders weighted: the loss that trains Module 1 (paper).

    `weights` multiply those of the borders.
    """
    borders = contour_weights(target, kernel=kernel)
    return tanimoto_loss(predicted, target, weights=borders if weights is None else borders * weights)


def contour_weights(target: Tensor, *, kernel: int | None = None) -> Tensor:
    """Weight of each pixel in a loss, as `target` in shape, above 0: high along the borders of a mask.

    A pixel is border where the mean of the mask in the window around it, without what lies outside the image, is
    between 0.005 and 0.995. Weights are 1, and 3 on the border; divided by their mean; squared. The side of the window,
    `kernel`, is that of `CONTOUR_WINDOWS` by default.
    """
    if kernel is None:
        side = min(target.shape[2:])
        kernel = next((window for longest, window in CONTOUR_WINDOWS if side <= longest), 41)
    mean = _window_sum(target, kernel) / _window_sum(torch.ones_like(target[:1, :1]), kernel)
    is_border = (mean > BORDER_LOW) & (mean < BORDER_HIGH)
    weights = 1 + BORDER_RAISE * is_border.to(target.dtype)
    return (weights / weights.mean()).square()


def class_weights(counts: Tensor) -> Tensor:
    """Weight of each class, float [class], such that all weigh alike and the mean over the images is 1.

    `counts` are int [class], training images of each class.
    """
    if bool((counts < 1).any()):
        raise UsageError(f"training: images of each class are {counts.tolist()}; every class needs one or more")
    return counts.sum() / (len(counts) * counts.to(torch.get_default_dtype()))


def weighted_cross_entropy(logits: Tensor, labels: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Categorical cross-entropy, each image weighted by its class, float []: the loss that trains Module 2.

    The sum of weight times entropy is divided by the number of images, not by the sum of the weights: a batch of rare
    images pulls harder, as in the published training. Logits are float [batch, class], labels int64 [batch].
    """
    entropy = functional.cross_entropy(logits, labels, reduction="none")
    return (entropy if weights is None else entropy * weights[labels]).mean()


def _total(values: Tensor, weights: Tensor | None) -> Tensor:
    """Sum of all, float [], or with more than two classes that of each, float [class]."""
    weighted = values if weights is None else values * weights
    return weighted.sum(dim=(0, 2, 3)) if weighted.shape[1] > 2 else weighted.sum()


def _window_sum(values: Tensor, kernel: int) -> Tensor:
    """Sum in a square window around each pixel, 0 outside the image; by rows and then columns, exact for masks."""
    half = kernel // 2
    rows = functional.avg_pool2d(values, (kernel, 1), stride=1, padding=(half, 0), divisor_override=1)
    return functional.avg_pool2d(rows, (1, kernel), stride=1, padding=(0, half), divisor_override=1)
