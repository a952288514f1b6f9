"""Confusion matrices, counted and as shares of each row (paper Fig. 11d, f, h). Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrnet.plots.chart import INK, literal, name_axes, new_chart

Counts = npt.NDArray[np.integer[Any]]


def draw_confusion(
    counts: Counts, rows: Sequence[str], columns: Sequence[str], *, title: str = "Confusion matrix"
) -> Figure:
    """Two matrices side by side: images, and shares of the images of each true class.

    Args:
        counts: int [true class, answer], images; more answers than classes where some got no score.
        rows: Names of the true classes.
        columns: Names of the answers.
        title: Above the counts.

    Raises:
        ValueError: The counts do not fit the names.
    """
    if counts.shape != (len(rows), len(columns)):
        raise ValueError(f"counts: have shape {list(counts.shape)}; [{len(rows)}, {len(columns)}] is needed")
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    side = 0.95 * max(len(columns), 3)
    figure, (left, right) = new_chart(2 * side + 2.6, 0.95 * len(rows) + 1.6, columns=2)
    named = [f"{name}\n(n = {total:,})" for name, total in zip(rows, totals[:, 0], strict=True)]
    _draw(left, shares, [[f"{count:,}" for count in row] for row in counts], named, columns)
    _draw(right, shares, [[f"{share:.1%}" for share in row] for row in shares], ["" for _ in rows], columns)
    name_axes(left, title, x="Answer", y="Truth")
    name_axes(right, "Share of each true class", x="Answer")
    return figure


def _draw(axes: Axes, shares: Any, words: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks(range(len(columns)), [literal(name) for name in columns], color=INK)
    axes.set_yticks(range(len(rows)), [literal(name) for name in rows], color=INK)
    for row, line in enumerate(words):
        for column, word in enumerate(line):
            colour = "white" if shares[row, column] > 0.68 else INK
            axes.text(column, row, word, ha="center", va="center", fontsize=12, color=colour)
