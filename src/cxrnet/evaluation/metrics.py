"""Metrics of a classifier as functions of weights, so that a bootstrap costs a matrix product.

Two classes: the first is the positive one. More: each class against the rest, and the mean over the classes (macro).
A metric that is undefined, as precision where nothing was called positive, is NaN, and so is a mean over it.
"""

from collections.abc import Mapping

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

    Args:
        labels: int64 [image], index of the true class.
        scores: float64 [image, class] in [0, 1], summing to 1; the class with the highest is called.

    Raises:
        ValueError: Int64 and scores do not fit together.
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
    truth, called = labels == index, scores.argmax(axis=1) == index
    return binary_statistic(truth, scores[:, index], called)


def binary_statistic(truth: Bool, scores: Float64, called: Bool) -> Statistic:
    """Return the statistic with all of `METRICS` for one class.

    Args:
        truth: bool [image], whether the image is of the class.
        scores: float64 [image], its probability in [0, 1].
        called: bool [image], whether the model says so.
    """
    table = np.stack([truth & called, ~truth & called, truth & ~called, ~truth & ~called], axis=1).astype(np.float64)
    ranks = _Ranks(truth, scores)
    squares = (scores - truth) ** 2
    gaps = bin_membership(scores) * (scores - truth)[:, None]

    def statistic(weights: Float64) -> Mapping[str, Float64]:
        hits, alarms, misses, passes = (weights @ table).T
        total = weights.sum(axis=1)
        auc, precision = ranks.areas(weights)
        return {
            "accuracy": (hits + passes) / total,
            "precision": ratio(hits, hits + alarms),
            "recall": ratio(hits, hits + misses),
            "specificity": ratio(passes, passes + alarms),
            "f1": ratio(2 * hits, 2 * hits + alarms + misses),
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


class _Ranks:
    """Scores sorted once, those that tie joined, for the two areas that depend on their order."""

    def __init__(self, truth: Bool, scores: Float64) -> None:
        self._order = np.argsort(-scores, kind="stable")
        in_order = scores[self._order]
        self._starts = np.flatnonzero(np.r_[True, in_order[1:] != in_order[:-1]])
        self._truth = truth[self._order].astype(np.float64)

    def areas(self, weights: Float64) -> tuple[Float64, Float64]:
        """Return the area under the ROC curve, ties counting half, and the average precision, float64 [resample].

        Both are NaN where a resample has images of one class only.
        """
        ordered = weights[:, self._order]
        positives = np.add.reduceat(ordered * self._truth, self._starts, axis=1)
        negatives = np.add.reduceat(ordered, self._starts, axis=1) - positives
        hits, alarms = positives.cumsum(axis=1), negatives.cumsum(axis=1)
        pairs = hits[:, -1] * alarms[:, -1]
        won = (negatives * (hits - positives / 2)).sum(axis=1)
        called = hits + alarms
        precision = (positives * hits / np.where(called > 0, called, 1)).sum(axis=1)
        average = ratio(precision, hits[:, -1])
        return ratio(won, pairs), np.where(pairs > 0, average, np.nan)
