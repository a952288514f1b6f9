"""How a classifier does: ROC and precision-recall curves, confusion matrix, reliability (paper Fig. 11c to h).

Curves show the ensemble, its folds and their band. Needs matplotlib and SciPy.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binomtest

from cxrnet.arrays import Bool, Float64, Floating, Int64
from cxrnet.plots.chart import BLUE, DASHED, INK, QUIET, SERIES, in_style, new_chart, unit_square

_GRID = np.linspace(0, 1, 201)


class Curve(NamedTuple):
    """Points of a curve in order, float [point] each: false positive rate and recall, or recall and precision."""

    x: Floating
    y: Floating


@in_style
def draw_roc(curves: Mapping[str, Curve], *, folds: Sequence[Curve] = (), title: str = "ROC") -> Figure:
    """Draw ROC curves by label; x is the false positive rate, rising, y the recall.

    The `folds` of an ensemble are thin lines with a band of one standard deviation around their mean.
    """
    figure, (axes,) = new_chart(5.6, 5.6)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=DASHED, label="chance")
    _draw_curves(axes, curves, folds, sample=_sample_roc)
    axes.set(title=title, xlabel="False positive rate (1 - specificity)", ylabel="True positive rate (recall)")
    axes.legend(loc="lower right")
    return figure


@in_style
def draw_precision_recall(
    curves: Mapping[str, Curve], *, prevalence: float, folds: Sequence[Curve] = (), title: str = "Precision and recall"
) -> Figure:
    """Draw precision-recall curves by label; x is the recall, rising, y the precision; `folds` as in `draw_roc`.

    `prevalence` is the fraction of images of the class in [0, 1]: the precision of chance.
    """
    figure, (axes,) = new_chart(5.6, 5.6)
    axes.axhline(prevalence, color=QUIET, linewidth=1, linestyle=DASHED, label=f"chance ({prevalence:.2f})")
    _draw_curves(axes, curves, folds, sample=_sample_precision, drawstyle="steps-pre")
    axes.set(title=title, xlabel="Recall", ylabel="Precision")
    axes.legend(loc="lower left")
    return figure


def _draw_curves(
    axes: Axes,
    curves: Mapping[str, Curve],
    folds: Sequence[Curve],
    *,
    sample: Callable[[Curve], Floating],
    **style: Any,
) -> None:
    if folds:
        sampled = np.stack([sample(fold) for fold in folds])
        mean, deviation = sampled.mean(axis=0), sampled.std(axis=0)
        for number, fold in enumerate(folds):
            label = f"{len(folds)} folds" if number == 0 else None
            axes.plot(fold.x, fold.y, color=SERIES[0], alpha=0.45, linewidth=0.8, label=label, **style)
        low, high = (mean - deviation).clip(0, 1), (mean + deviation).clip(0, 1)
        band = "folds, mean ± 1 sd"
        axes.fill_between(_GRID, low, high, color=SERIES[0], alpha=0.16, linewidth=0, label=band)
    for number, (label, curve) in enumerate(curves.items()):
        colour = INK if folds and number == 0 else SERIES[number % len(SERIES)]
        axes.plot(curve.x, curve.y, color=colour, linewidth=2.4, label=label, **style)
    unit_square(axes)


def _sample_roc(curve: Curve) -> Floating:
    """Recall at even steps of the false positive rate, which starts at (0, 0)."""
    recall = np.interp(_GRID, curve.x, curve.y)
    recall[0] = 0
    return recall


def _sample_precision(curve: Curve) -> Floating:
    """Precision at even steps of the recall: that of the first point that reaches it."""
    return np.asarray(curve.y[np.searchsorted(curve.x, _GRID).clip(max=len(curve.x) - 1)])


@in_style
def draw_confusion(counts: Int64, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Draw two matrices side by side: images, and percentages of the images of each true class.

    `counts` are int64 [true class, prediction], named by `rows` and `columns`: more predictions than classes where some
    got no score.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = 0.95 * max(len(columns), 3)
    figure, (left, right) = new_chart(2 * side + 2.6, 0.95 * len(rows) + 1.6, columns=2)
    names = [f"{name}\n(n = {total:,})" for name, total in zip(rows, totals[:, 0], strict=True)]
    _draw_matrix(left, shares, [[f"{count:,}" for count in row] for row in counts], names, columns)
    _draw_matrix(
        right, shares, [[f"{100 * share:.1f} %" for share in row] for row in shares], ["" for _ in rows], columns
    )
    left.set(title="Confusion matrix", xlabel="Prediction", ylabel="Truth")
    right.set(title="Percentage of each true class", xlabel="Prediction")
    return figure


def _draw_matrix(
    axes: Axes, shares: Float64, cells: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str]
) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, labelcolor=INK)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    for (row, column), share in np.ndenumerate(shares):
        colour = "white" if share > 0.68 else INK
        axes.text(column, row, cells[row][column], ha="center", va="center", fontsize=12, color=colour)


@in_style
def draw_reliability(
    truth: Bool, scores: Floating, *, bins: int = 10, name: str = "the class", title: str = "Reliability"
) -> Figure:
    """Draw observed frequency against score, with 95 % Wilson intervals, next to a histogram of the scores.

    `truth`, bool [image], says which images are of the class `name`, whose `scores` are float [image] in [0, 1].
    """
    place = np.minimum((scores * bins).astype(int), bins - 1)
    members = [place == bin_ for bin_ in np.unique(place)]
    mean = np.array([scores[is_member].mean() for is_member in members])
    observed = np.array([truth[is_member].mean() for is_member in members])
    tests = [binomtest(int(truth[is_member].sum()), int(is_member.sum())) for is_member in members]
    low, high = np.array([test.proportion_ci(0.95, method="wilson") for test in tests]).T
    figure, (left, right) = new_chart(10.6, 5.2, columns=2)
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=DASHED, label="perfectly calibrated")
    errors = np.clip([observed - low, high - observed], 0, None)
    left.errorbar(
        mean, observed, yerr=errors, color=BLUE, marker="o", markersize=6, linewidth=1.8, elinewidth=1.1, capsize=3,
        label="observed, 95 % Wilson interval",
    )  # fmt: skip
    unit_square(left)
    left.set(title=title, xlabel=f"Score of {name}, mean of each of {bins} bins", ylabel=f"Fraction that is {name}")
    left.legend(loc="lower right")
    right.hist(
        [scores[truth], scores[~truth]], bins=np.linspace(0, 1, 2 * bins + 1).tolist(), stacked=True,
        color=[BLUE, "#C9D1D9"], label=[f"is {name} ({int(truth.sum()):,})", f"is not ({int((~truth).sum()):,})"],
    )  # fmt: skip
    right.set(title="Distribution of the scores", xlabel=f"Score of {name}", ylabel="Images", xlim=(-0.015, 1.015))
    right.legend(loc="best")
    return figure
