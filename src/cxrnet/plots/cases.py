"""Single films with the lungs as drawn by an annotator and as found by a model. Needs matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cxrnet.arrays import Bool, UInt8
from cxrnet.plots.chart import AMBER, INK, SKY, literal, new_chart

_UNDER = "black"
_DASHES = (0, (3.0, 1.2))
_LONGEST = 30


class Case(NamedTuple):
    """One film: `film` uint8 [height, width], `truth` and `found` bool [height, width], and a `caption`."""

    film: UInt8
    truth: Bool
    found: Bool
    caption: str


def draw_cases(cases: Sequence[Case], *, columns: int = 5, title: str = "") -> Figure:
    """Films in rows: the model's lungs ringed in blue, the annotator's in amber dashes on top.

    Args:
        cases: In the order to be drawn.
        columns: Films in a row.
        title: Above all.

    Raises:
        ValueError: There is no case, or the parts of one are not of one size.
    """
    if not cases:
        raise ValueError("cases: none given; one or more are needed")
    columns = min(columns, len(cases))
    rows = math.ceil(len(cases) / columns)
    figure, axes = new_chart(max(2.3 * columns, 5), 2.5 * rows + 0.7, rows=rows, columns=columns)
    for one in axes:
        one.set_axis_off()
    for one, case in zip(axes, cases, strict=False):
        _draw(one, case)
    lines: list[Any] = [
        Line2D([], [], color=AMBER, linewidth=2, linestyle=_DASHES, label="annotator"),
        Line2D([], [], color=SKY, linewidth=2, label="model"),
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=2, fontsize=10, frameon=False)
    if title:
        figure.suptitle(literal(title), fontsize=11, fontweight="bold", color=INK, x=0.01, ha="left")
    return figure


def _draw(axes: Axes, case: Case) -> None:
    if not case.film.shape == case.truth.shape == case.found.shape:
        sizes = ", ".join(str(list(part.shape)) for part in case[:3])
        raise ValueError(f"case {case.caption}: film and masks are {sizes}; one size is needed")
    axes.imshow(case.film, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    for mask, colour, wide, style in ((case.found, SKY, 1.0, "solid"), (case.truth, AMBER, 1.7, _DASHES)):
        if mask.any():
            padded = np.pad(mask.astype(float), 1)  # so that a lung at the edge of the film is ringed there too
            grid = np.arange(-1, mask.shape[1] + 1), np.arange(-1, mask.shape[0] + 1)
            axes.contour(*grid, padded, levels=[0.5], colors=_UNDER, linewidths=wide + 0.8)
            axes.contour(*grid, padded, levels=[0.5], colors=colour, linewidths=wide, linestyles=[style])
    axes.set(xlim=(-0.5, case.film.shape[1] - 0.5), ylim=(case.film.shape[0] - 0.5, -0.5))
    first, *rest = case.caption.split("\n")
    axes.set_title(literal("\n".join([_shorten(first), *rest])), fontsize=8, color=INK)


def _shorten(text: str) -> str:
    """`text` with its middle left out where it is too long for one film."""
    if len(text) <= _LONGEST:
        return text
    half = (_LONGEST - 1) // 2
    return f"{text[:half]}…{text[-half:]}"
