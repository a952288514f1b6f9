"""Each fold of an ensemble on its own, and the curves of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cxrnet.arrays import Bool, Float64
from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.evaluation.metrics import classifier_statistic

FOLD_METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
"""What the paper's Table 2 gives as mean and standard deviation of the folds."""


class Points(NamedTuple):
    """A curve: float64 [point] each, x rising."""

    x: Float64
    y: Float64


def fold_metrics(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> dict[str, Any]:
    """Return metric -> `mean`, `std` and `values` over the folds, on the scored films; None where undefined.

    All folds see the same films here: this says how much they differ, not how well one does on films it has not seen.
    """
    scored = [case for case in cases if case.scores]
    if not scored:
        return {}
    labels = np.array([classes.index(case.sample.label or "") for case in scored], dtype=np.int64)
    every = np.array([case.folds for case in scored])
    one = np.ones((1, len(scored)))
    found = [classifier_statistic(labels, every[:, fold])(one) for fold in range(every.shape[1])]
    table = {name: np.array([metrics[name][0] for metrics in found]) for name in FOLD_METRICS}
    return {name: spread(values) for name, values in table.items()}


def roc_points(truth: Bool, scores: Float64) -> Points:
    """Return false positive rate and recall, from (0, 0) to (1, 1); both classes must be there."""
    from sklearn.metrics import roc_curve

    alarms, hits, _ = roc_curve(truth, scores)
    return Points(alarms, hits)


def precision_recall_points(truth: Bool, scores: Float64) -> Points:
    """Return recall and precision, recall rising; a film of the class must be there."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, _ = precision_recall_curve(truth, scores)
    return Points(recall[::-1], precision[::-1])


def spread(values: Float64) -> dict[str, Any]:
    """Return `mean`, `std` and `values` of a metric, None for what is undefined."""
    if not np.isfinite(values).all():
        return {"mean": None, "std": None, "values": [float(v) if np.isfinite(v) else None for v in values.round(6)]}
    mean, std = round(float(values.mean()), 6), round(float(values.std()), 6)
    return {"mean": mean, "std": std, "values": values.round(6).tolist()}
