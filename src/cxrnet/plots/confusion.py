"""Confusion matrices, counted and as percentages of each row (paper Fig. 11d, f, h). Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrnet.arrays import Float64, Int64
from cxrnet.plots.chart import INK, in_style, new_chart


@in_style
def draw_confusion(
    counts: Int64, rows: Sequence[str], columns: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Draw two matrices side by side: images, and percentages of the images of each true class.

    Args:
        counts: int64 [true class, prediction], images; more predictions than classes where some got no score.
        rows: Names of the true classes.
        columns: Names of the predictions.
        title: Above the counts.
    """
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = 0.95 * max(len(columns), 3)
    figure, (left, right) = new_chart(2 * side + 2.6, 0.95 * len(rows) + 1.6, columns=2)
    names = [f"{name}\n(n = {total:,})" for name, total in zip(rows, totals[:, 0], strict=True)]
    _draw(left, shares, [[f"{count:,}" for count in row] for row in counts], names, columns)
    _draw(right, shares, [[f"{100 * share:.1f} %" for share in row] for row in shares], ["" for _ in rows], columns)
    left.set(title=title, xlabel="Prediction", ylabel="Truth")
    right.set(title="Percentage of each true class", xlabel="Prediction")
    return figure


def _draw(
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
