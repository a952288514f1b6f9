"""Which plots an evaluation draws, from its cases."""

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from cxrnet.arrays import Bool, Float64
from cxrnet.evaluation.cases import ClassifierCase, SegmenterCase
from cxrnet.evaluation.metrics import BINS
from cxrnet.evaluation.request import value_of
from cxrnet.evaluation.summary import labels_of, scores_of
from cxrnet.model.metric_names import format_metric
from cxrnet.plots.cases import draw_cases
from cxrnet.plots.chart import png
from cxrnet.plots.classification import Curve, draw_confusion, draw_precision_recall, draw_reliability, draw_roc
from cxrnet.plots.distribution import draw_overlap, draw_scores

WITHOUT_SCORE = "no score"
MAX_SOURCES = 3
"""Sources that get a ROC curve of their own."""


class Chart(NamedTuple):
    """A plot: its file `name` without ending, the `caption` for the report, the PNG, whether it takes both columns."""

    name: str
    caption: str
    png: bytes
    is_wide: bool = False


def segmenter_charts(cases: Sequence[SegmenterCase], lowest: Sequence[SegmenterCase], *, column: str) -> list[Chart]:
    """Return the distribution of the Dice coefficient and the `lowest` images; no chart without a value."""
    done = [case for case in cases if math.isfinite(case.metrics.get("dice", math.nan))]
    if not done:
        return []
    values = np.array([case.metrics["dice"] for case in done])
    drawn = [(case.view, f"{case.sample.image.name}\n{_caption(case)}") for case in lowest if case.view is not None]
    worst = draw_cases([view for view, _ in drawn], [caption for _, caption in drawn])
    spread = draw_overlap(values, _sources(done, column), source_name=column)
    return [
        Chart("dice", f"Dice of each image, and by {column}.", png(spread), is_wide=True),
        Chart("worst", f"The {len(drawn)} images with the lowest Dice.", png(worst), is_wide=True),
    ]


def classifier_charts(
    cases: Sequence[ClassifierCase], classes: Sequence[str], record: Mapping[str, Any], *, column: str
) -> list[Chart]:
    """Return confusion matrix, curves, reliability and scores; what needs scores of both kinds is left out without."""
    charts = [_confusion(cases, classes)]
    scored = [case for case in cases if case.scores]
    if not scored:
        return charts
    labels, scores = labels_of(scored, classes), scores_of(scored, classes)
    folds = np.array([case.folds for case in scored])
    sources = _sources(scored, column)
    for index, name in enumerate(classes[:1] if len(classes) == 2 else classes):
        truth = labels == index
        safe_name = re.sub(r"[^\w-]+", "_", name)[:40]
        stem = f"_{safe_name}_{index}" if len(classes) > 2 else ""
        if truth.any() and not truth.all():
            block = record["overall"] if len(classes) == 2 else record["overall"]["per_class"][name]
            members = _sources_with_both(truth, sources)
            roc = _roc(truth, scores[:, index], folds[:, :, index], members, block, name)
            charts.append(Chart(f"roc{stem}", _roc_caption(name, members, len(classes)), png(roc)))
            curve = _precision_recall(truth, scores[:, index], folds[:, :, index], block, name)
            caption = f"Precision against recall for {name}; the dashed line is the share of {name} among the images."
            charts.append(Chart(f"precision_recall{stem}", caption, png(curve)))
        reliable = draw_reliability(truth, scores[:, index], bins=BINS, name=name, title=f"Reliability, {name}")
        caption = f"Above the diagonal {name} is more frequent than the score says, below it less frequent."
        charts.append(Chart(f"reliability{stem}", caption, png(reliable), is_wide=True))
        named = [classes[label] for label in labels]
        spread = draw_scores(scores[:, index], named, sources, name=name, source_name=column)
        caption = f"Score of {name} by true class, and by {column}."
        charts.append(Chart(f"scores{stem}", caption, png(spread), is_wide=True))
    return charts


def _confusion(cases: Sequence[ClassifierCase], classes: Sequence[str]) -> Chart:
    columns = [*classes, WITHOUT_SCORE] if any(not case.scores for case in cases) else list(classes)
    counts = np.zeros((len(classes), len(columns)), dtype=np.int64)
    for case in cases:
        answer = int(np.argmax(case.scores)) if case.scores else len(classes)
        counts[classes.index(case.sample.label or ""), answer] += 1
    caption = "All images, including those without a score. The predicted class has the highest score."
    return Chart("confusion", caption, png(draw_confusion(counts, classes, columns)), is_wide=True)


def _roc(
    truth: Bool, scores: Float64, folds: Float64, sources: Mapping[str, Bool], block: Mapping[str, Any], name: str
) -> Figure:
    label = "ensemble" if folds.shape[1] > 1 else "model"
    curves = {f"{label}, AUC {format_metric(block, 'roc_auc')}": roc_curve(truth, scores)}
    for source, member in sources.items():
        of_source = f"within {source} (n = {int(member.sum()):,})"
        curves[of_source] = roc_curve(truth[member], scores[member])
    return draw_roc(curves, folds=_folds(roc_curve, truth, folds), title=f"ROC, {name}")


def _precision_recall(truth: Bool, scores: Float64, folds: Float64, block: Mapping[str, Any], name: str) -> Figure:
    label = "ensemble" if folds.shape[1] > 1 else "model"
    average = f"{label}, average precision {format_metric(block, 'average_precision')}"
    return draw_precision_recall(
        {average: precision_recall_curve(truth, scores)},
        folds=_folds(precision_recall_curve, truth, folds),
        prevalence=float(truth.mean()),
        title=f"Precision and recall, {name}",
    )


def _roc_caption(name: str, sources: Mapping[str, Any], classes: int) -> str:
    rest = "" if classes == 2 else " against all others"
    within = f" Thick coloured lines: images of one source with both classes ({', '.join(sources)})." if sources else ""
    return f"Recall of {name}{rest} against the false positive rate.{within}"


def _folds(curve: Callable[[Bool, Float64], Curve], truth: Bool, folds: Float64) -> list[Curve]:
    """Curves of the folds, none where there is only one; `folds` is float64 [image, fold]."""
    if folds.shape[1] < 2:
        return []
    return [curve(truth, folds[:, fold]) for fold in range(folds.shape[1])]


def _sources_with_both(truth: Bool, sources: Sequence[str]) -> dict[str, Bool]:
    """The largest sources with images in the class and out of it, where there is more than one source."""
    every = np.asarray(sources)
    names = [name for name, _ in Counter(sources).most_common()] if len(set(sources)) > 1 else []
    both = [name for name in names if 0 < int(truth[every == name].sum()) < int((every == name).sum())]
    return {name: every == name for name in both[:MAX_SOURCES]}


def roc_curve(truth: Bool, scores: Float64) -> Curve:
    """Return recall against the false positive rate; both classes must be there."""
    from sklearn import metrics

    false_positives, recall, _ = metrics.roc_curve(truth, scores)
    return Curve(false_positives, recall)


def precision_recall_curve(truth: Bool, scores: Float64) -> Curve:
    """Return precision against recall; an image of the class must be there."""
    from sklearn import metrics

    precision, recall, _ = metrics.precision_recall_curve(truth, scores)
    return Curve(recall[::-1], precision[::-1])


def _caption(case: SegmenterCase) -> str:
    metrics = case.metrics
    recall = "" if math.isnan(metrics["recall"]) else f", recall {metrics['recall']:.2f}"
    precision = "" if math.isnan(metrics["precision"]) else f", prec. {metrics['precision']:.2f}"
    return f"Dice {metrics['dice']:.2f}{precision}{recall}"


def _sources(cases: Sequence[SegmenterCase] | Sequence[ClassifierCase], column: str) -> list[str]:
    return [value_of(case.sample, column) if column in case.sample.values else "all images" for case in cases]
