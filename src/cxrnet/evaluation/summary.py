"""The blocks of `metrics.json`: the metrics of a set of images, with intervals, and the sets to look at."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from cxrnet.arrays import Float64, Int64
from cxrnet.evaluation.bootstrap import Statistic, estimate, mean_statistic, ratio
from cxrnet.evaluation.cases import EMPTY_MASK, ClassifierCase, SegmenterCase
from cxrnet.evaluation.metrics import classifier_statistic, one_versus_rest
from cxrnet.evaluation.request import value_of

AnyCase = TypeVar("AnyCase", SegmenterCase, ClassifierCase)
Block = dict[str, Any]

SEGMENTER_METRICS = (
    "dice", "precision", "recall", "f1", "jaccard", "pixel_accuracy", "hd95_px", "surface_px", "hd95_mm", "surface_mm",
)  # fmt: skip
"""Metrics of a segmenter in their order."""

FOLD_METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
"""Metrics that the paper's Table 2 gives as mean and standard deviation over the folds."""


def segmenter_block(cases: Sequence[SegmenterCase], *, resamples: int, seed: int) -> Block:
    """Return the metrics of these cases: means over the images that could be read.

    `empty_masks` counts reference masks without a lung: their Dice is 0, or undefined and not in the mean.
    `failed_as_zero` counts an image that failed as one with a Dice of 0. `per_class` has the same metrics of each class
    but the background; a class that neither model nor mask has in an image is not counted there.
    """
    done = [case for case in cases if case.status == "segmented"]
    block: Block = {"n": len(done), "groups": _groups(done), "failed": len(cases) - len(done)}
    empty = sum(any(reason.code == EMPTY_MASK for reason in case.reasons) for case in done)
    block |= {"empty_masks": empty} if empty else {}

    estimates = partial(_estimates, resamples=resamples, seed=seed)

    def means(metrics: Sequence[Mapping[str, float]]) -> Block:
        values = {name: np.array([each[name] for each in metrics]) for name in SEGMENTER_METRICS}
        return estimates(done, mean_statistic(values), _known(values))

    if done:
        block |= means([case.metrics for case in done])
        if done[0].per_class:
            classes = {name: means([case.per_class[name] for case in done]) for name in done[0].per_class}
            block["per_class"] = {name: {"n": found["dice"]["n"]} | found for name, found in classes.items()}
    if done and len(done) < len(cases):
        dice = mean_statistic({"dice": np.array([case.metrics.get("dice", 0.0) for case in cases])})
        block["failed_as_zero"] = {"n": len(cases)} | estimates(cases, dice)
    return block


def classifier_block(cases: Sequence[ClassifierCase], classes: Sequence[str], *, resamples: int, seed: int) -> Block:
    """Return the metrics over the scored images, and those that count an image without a score as wrong."""
    scored = [case for case in cases if case.scores]
    labels, scores = labels_of(scored, classes), scores_of(scored, classes)
    per_class = Counter(case.sample.label for case in cases)
    block: Block = {
        "n": len(scored),
        "groups": _groups(scored),
        "refused": sum(case.status == "refused" for case in cases),
        "failed": sum(case.status == "failed" for case in cases),
        "images": {name: per_class[name] for name in classes},
    }
    estimates = partial(_estimates, resamples=resamples, seed=seed)
    if scored:
        block |= estimates(scored, classifier_statistic(labels, scores))
        if all(case.conformal_set is not None for case in scored):
            block["conformal"] = conformal_block(scored, classes, resamples=resamples, seed=seed)
        if len(classes) > 2:
            block["per_class"] = {
                name: {"n": int((labels == index).sum())} | estimates(scored, one_versus_rest(labels, scores, index))
                for index, name in enumerate(classes)
            }
    block["unscored_as_wrong"] = {"n": len(cases)} | estimates(cases, unscored_as_wrong(cases, classes))
    return block


def conformal_block(cases: Sequence[ClassifierCase], classes: Sequence[str], *, resamples: int, seed: int) -> Block:
    """Return how prediction sets did: share that hold the true class (`coverage`, also by class), their mean `size`.

    `single` is the share of the sets with one class.
    """
    sets = [case.conformal_set or () for case in cases]
    labels = [case.sample.label for case in cases]
    holds = np.array([float(label in members) for label, members in zip(labels, sets, strict=True)])
    sizes = np.array([float(len(members)) for members in sets])
    values = {"coverage": holds, "size": sizes, "single": (sizes == 1).astype(np.float64)}
    by_class = {name: np.where([label == name for label in labels], holds, np.nan) for name in classes}
    estimates = partial(_estimates, cases, resamples=resamples, seed=seed)
    per_class = estimates(mean_statistic(by_class), _known(by_class))
    return estimates(mean_statistic(values)) | {"per_class": per_class}


def unscored_as_wrong(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> Statistic:
    """Return the statistic over all images, where an image without a score counts as wrong.

    `coverage` is the share that got a score; `recall` and `specificity` are those of the first of two classes,
    or with more classes the mean recall, and no specificity.
    """
    labels = labels_of(cases, classes)
    is_scored = np.array([bool(case.scores) for case in cases])
    answers = np.array([int(np.argmax(case.scores)) if case.scores else -1 for case in cases])
    is_right = (answers == labels).astype(np.float64)
    members = np.eye(len(classes))[labels]

    def statistic(weights: Float64) -> Mapping[str, Float64]:
        total = weights.sum(axis=1)
        recalls = ratio(weights @ (members * is_right[:, None]), weights @ members)
        found = {"coverage": weights @ is_scored.astype(np.float64) / total, "accuracy": weights @ is_right / total}
        if len(classes) == 2:
            return found | {"recall": recalls[:, 0], "specificity": recalls[:, 1]}
        return found | {"recall": recalls.mean(axis=1)}

    return statistic


def by_column(
    cases: Sequence[AnyCase], columns: Sequence[str], block: Callable[[Sequence[AnyCase]], Block]
) -> dict[str, dict[str, Block]]:
    """Return column -> value -> the block of the cases with that value, in the order of the alphabet."""
    found: dict[str, dict[str, Block]] = {}
    for column in columns:
        members: dict[str, list[AnyCase]] = {}
        for case in cases:
            members.setdefault(value_of(case.sample, column), []).append(case)
        found[column] = {value: block(members[value]) for value in sorted(members)}
    return found


def single_class_values(cases: Sequence[ClassifierCase], columns: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return column -> the values under which all images have a `single` class, and those with `both` or more.

    A column of one value is left out. Such a column predicts the class: a model that recognises the hospital scores
    well without seeing the disease.
    """
    found = {}
    for column in columns:
        labels: dict[str, set[str | None]] = {}
        for case in cases:
            labels.setdefault(value_of(case.sample, column), set()).add(case.sample.label)
        alone = sorted(value for value, those in labels.items() if len(those) == 1)
        if alone and len(labels) > 1:
            found[column] = {"single": alone, "both": sorted(set(labels) - set(alone))}
    return found


def labels_of(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> Int64:
    """Return the index of the true class of each case, int64 [case]."""
    return np.array([classes.index(case.sample.label or "") for case in cases], dtype=np.int64)


def scores_of(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> Float64:
    """Return the scores of scored cases, float64 [case, class]."""
    return np.array([case.scores for case in cases], dtype=np.float64).reshape(len(cases), len(classes))


def fold_metrics(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> dict[str, Any]:
    """Return metric -> `mean`, `std` and `values` over the folds, on the scored images.

    All folds see the same images here: this says how much they differ, not how well a fold does on new images.
    """
    scored = [case for case in cases if case.scores]
    if not scored:
        return {}
    labels = labels_of(scored, classes)
    every = np.array([case.folds for case in scored])
    return over_folds([(labels, every[:, fold]) for fold in range(every.shape[1])])


def over_folds(folds: Iterable[tuple[Int64, Float64]]) -> dict[str, Any]:
    """Return metric -> `mean`, `std` and `values` over folds, each by the labels and scores of its images."""
    found = [classifier_statistic(labels, scores)(np.ones((1, len(labels)))) for labels, scores in folds]
    return {name: _spread(np.array([metrics[name][0] for metrics in found])) for name in FOLD_METRICS}


def _spread(values: Float64) -> dict[str, Any]:
    """Return `mean`, `std` and `values` of a metric, None for what is undefined."""
    if not np.isfinite(values).all():
        return {"mean": None, "std": None, "values": [float(v) if np.isfinite(v) else None for v in values.round(6)]}
    mean, std = round(float(values.mean()), 6), round(float(values.std()), 6)
    return {"mean": mean, "std": std, "values": values.round(6).tolist()}


def _estimates(
    cases: Sequence[SegmenterCase] | Sequence[ClassifierCase],
    statistic: Statistic,
    counts: Mapping[str, int] | None = None,
    *,
    resamples: int,
    seed: int,
) -> Block:
    """Return the metrics of cases as JSON takes them, to six digits behind the point; None, never NaN."""
    groups = [case.sample.group for case in cases]
    return {
        name: {key: round(part, 6) if isinstance(part, float) else part for key, part in one._asdict().items()}
        for name, one in estimate(statistic, groups, counts=counts, resamples=resamples, seed=seed).items()
    }


def _known(values: Mapping[str, Float64]) -> dict[str, int]:
    """Return the number of images that have a value."""
    return {name: int(np.isfinite(each).sum()) for name, each in values.items()}


def _groups(cases: Sequence[SegmenterCase] | Sequence[ClassifierCase]) -> int:
    return len({case.sample.group for case in cases})
