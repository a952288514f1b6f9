"""Metrics of a classifier as functions of weights, so that a bootstrap costs a matrix product.

Two classes: the first is the positive one. More: each class against the rest, and the mean over the classes (macro).
A metric that is undefined, as precision where nothing was predicted positive, is NaN, and so is a mean over it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from cxrnet.arrays import Bool, Float64, Int64
from cxrnet.evaluation.bootstrap import Statistic, ratio

BINS = 10
"""Equal steps of the score in which calibration is looked at."""

METRICS = (
    "accuracy", "precision", "recall", "specificity", "f1", "roc_auc", "average_precision", "brier",
    "calibration_error",
)  # fmt: skip
"""Names of what a classifier's statistic returns."""


def classifier_statistic(labels: Int64, scores: Float64) -> Statistic:
    """Return the statistic of a classifier: binary for two classes, macro over one-versus-rest for more.

    `labels` are int64 [image], `scores` float64 [image, class], summing to 1; the class with the highest is predicted.
    """
    classes = scores.shape[1]
    if classes == 2:
        return one_versus_rest(labels, scores, 0)
    each = [one_versus_rest(labels, scores, index) for index in range(classes)]
    is_right = (scores.argmax(axis=1) == labels).astype(np.float64)

    def statistic(weights: Float64) -> dict[str, Float64]:
        found = [one(weights) for one in each]
        macro = {name: np.mean([metrics[name] for metrics in found], axis=0) for name in METRICS}
        return macro | {"accuracy": weights @ is_right / weights.sum(axis=1)}

    return statistic


def one_versus_rest(labels: Int64, scores: Float64, index: int) -> Statistic:
    """Return the statistic of one class against all others; arguments as in `classifier_statistic`."""
    truth, predicted = labels == index, scores.argmax(axis=1) == index
    return binary_statistic(truth, scores[:, index], predicted)


def binary_statistic(truth: Bool, scores: Float64, predicted: Bool) -> Statistic:
    """Return the statistic with all of `METRICS` for one class.

    `truth`, bool [image], says which images are of the class, `scores`, float64 [image], how probable that is, and
    `predicted`, bool [image], which of them the model assigns to it.
    """
    cells = [truth & predicted, ~truth & predicted, truth & ~predicted, ~truth & ~predicted]
    table = np.stack(cells, axis=1).astype(np.float64)
    areas = _rank_areas(truth, scores)
    squares = (scores - truth) ** 2
    gaps = bin_membership(scores) * (scores - truth)[:, None]

    def statistic(weights: Float64) -> Mapping[str, Float64]:
        tp, fp, fn, tn = (weights @ table).T
        total = weights.sum(axis=1)
        auc, precision = areas(weights)
        return {
            "accuracy": (tp + tn) / total,
            "precision": ratio(tp, tp + fp),
            "recall": ratio(tp, tp + fn),
            "specificity": ratio(tn, tn + fp),
            "f1": ratio(2 * tp, 2 * tp + fp + fn),
            "roc_auc": auc,
            "average_precision": precision,
            "brier": weights @ squares / total,
            "calibration_error": np.abs(weights @ gaps).sum(axis=1) / total,
        }

    return statistic


def bin_membership(scores: Float64) -> Float64:
    """Return float64 [image, bin], 1 in the bin that a score in [0, 1] falls in; a score of 1 falls in the last."""
    place = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    return np.eye(BINS)[place]


def _rank_areas(truth: Bool, scores: Float64) -> Callable[[Float64], tuple[Float64, Float64]]:
    """Return the function from weights to the area under the ROC curve, ties counting half, and average precision.

    Both are float64 [resample], NaN where a resample has images of one class only. Scores are sorted here, once.
    """
    order = np.argsort(-scores, kind="stable")
    in_order, is_positive = scores[order], truth[order].astype(np.float64)
    starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])

    def areas(weights: Float64) -> tuple[Float64, Float64]:
        ordered = weights[:, order]
        positives = np.add.reduceat(ordered * is_positive, starts, axis=1)
        negatives = np.add.reduceat(ordered, starts, axis=1) - positives
        tp, fp = positives.cumsum(axis=1), negatives.cumsum(axis=1)
        pairs = tp[:, -1] * fp[:, -1]
        won = (negatives * (tp - positives / 2)).sum(axis=1)
        precision = (positives * tp / np.where(tp + fp > 0, tp + fp, 1)).sum(axis=1)
        return ratio(won, pairs), np.where(pairs > 0, ratio(precision, tp[:, -1]), np.nan)

    return areas
