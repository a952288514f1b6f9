"""ROC and precision-recall curves: the ensemble, its folds and their band (paper Fig. 11c, e, g). Needs matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrnet.arrays import Floating
from cxrnet.plots.chart import DASHED, INK, QUIET, SERIES, in_style, new_chart, unit_square

_GRID = np.linspace(0, 1, 201)


class Curve(NamedTuple):
    """Points of a curve in order, float [point] each: false positive rate and recall, or recall and precision."""

    x: Floating
    y: Floating


@in_style
def draw_roc(curves: Mapping[str, Curve], *, folds: Sequence[Curve] = (), title: str = "ROC") -> Figure:
    """Draw ROC curves.

    Args:
        curves: By label, each drawn thick; x is the false positive rate, rising, y the recall.
        folds: Of an ensemble, or of a cross-validation: thin lines, a band of one standard deviation around their
            mean, and the mean itself where `curves` is empty.
        title: Above the chart.
    """
    figure, (axes,) = new_chart(5.6, 5.6)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=DASHED, label="chance")
    _draw(axes, curves, folds, sample=_sample_roc)
    axes.set(title=title, xlabel="False positive rate (1 - specificity)", ylabel="True positive rate (recall)")
    axes.legend(loc="lower right")
    return figure


@in_style
def draw_precision_recall(
    curves: Mapping[str, Curve], *, prevalence: float, folds: Sequence[Curve] = (), title: str = "Precision and recall"
) -> Figure:
    """Draw precision-recall curves.

    Args:
        curves: By label, each drawn thick; x is the recall, rising, y the precision.
        prevalence: Fraction of images of the class in [0, 1]: the precision of chance.
        folds: As in `draw_roc`.
        title: Above the chart.
    """
    figure, (axes,) = new_chart(5.6, 5.6)
    axes.axhline(prevalence, color=QUIET, linewidth=1, linestyle=DASHED, label=f"chance ({prevalence:.2f})")
    _draw(axes, curves, folds, sample=_sample_precision, drawstyle="steps-pre")
    axes.set(title=title, xlabel="Recall", ylabel="Precision")
    axes.legend(loc="lower left")
    return figure


def _draw(
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
        if not curves:
            axes.plot(_GRID, mean, color=SERIES[0], linewidth=2.4, label="mean of the folds")
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
