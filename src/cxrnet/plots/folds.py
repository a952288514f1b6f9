"""The folds of a cross-validation as the paper draws them (Fig. 11a): a row per fold, then class, group, source."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from cxrnet.arrays import Int64
from cxrnet.errors import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAIN, VALIDATION, HELD_OUT = "#3b6fa8", "#f0a13a", "#d9d9d9"
_STATES = {"train": TRAIN, "validation": VALIDATION, "held out": HELD_OUT}
_CLASSES = ("#35a2a5", "#8c510a", "#b8a2d9", "#4d4d4d", "#d6c24a", "#7b3294", "#a6cee3", "#33602f")
_SOURCES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#666666")
_GROUPS = ("#1b2a49", "#c9d6ea", "#5b7db1", "#f2e3c6", "#a8763e", "#e9b872", "#6b4423", "#9fb8a7")
_MIN_NAMED_FRACTION = 0.07
"""Sections narrower than this fraction of the row have no name written into them."""


def draw_folds(folds: Int64, labels: Sequence[str], groups: Sequence[Hashable], sources: Sequence[str]) -> bytes:
    """Return the chart as PNG: every column is an image, ordered by class, fold, source and group.

    `folds` is int64 [image], the fold whose validation an image belongs to, -1 where it is held out.
    """
    with require("train", "the chart of the folds"):
        from matplotlib import rc_context
        from matplotlib.patches import Patch

        from cxrnet.plots.chart import STYLE, new_chart, png
    order = sorted(
        range(len(folds)), key=lambda one: (folds[one] < 0, labels[one], folds[one], sources[one], str(groups[one]))
    )
    number = int(folds.max()) + 1
    classes, origins = _palette(labels, _CLASSES), _palette(sources, _SOURCES)
    with rc_context(STYLE | {"axes.grid": False, "axes.spines.left": False, "axes.spines.bottom": False}):
        figure, (axes,) = new_chart(12, 0.42 * (number + 3) + 1.7)
        for fold in range(number):
            states = [
                "held out" if folds[one] < 0 else "validation" if folds[one] == fold else "train" for one in order
            ]
            _draw_row(axes, fold, states, _STATES)
        _draw_row(axes, number, [labels[one] for one in order], classes, named=True)
        _draw_row(axes, number + 1, [groups[one] for one in order], _GROUPS)
        _draw_row(axes, number + 2, [sources[one] for one in order], origins, named=True)
        names = [*map(str, range(number)), "class", "group", "source"]
        axes.set_yticks(np.arange(len(names)) + 0.5, names)
        axes.set(xlim=(0, len(folds)), ylim=(len(names), 0), xlabel="images, by class, fold, source and group")
        axes.set(ylabel="fold", title=_title(folds, labels, groups))
        axes.tick_params(length=0)
        colours = {name: colour for name, colour in _STATES.items() if name != "held out" or (folds < 0).any()}
        colours |= {f"class {name or 'none'}": colour for name, colour in classes.items()}
        colours |= {f"source {name or 'none'}": colour for name, colour in origins.items()}
        patches = [Patch(facecolor=colour, label=name) for name, colour in list(colours.items())[:20]]
        columns = min(6, len(patches))
        figure.legend(handles=patches, loc="outside lower center", ncols=columns, fontsize=8, frameon=False)
        return png(figure)


def _draw_row(
    axes: Axes,
    row: int,
    values: Sequence[Hashable],
    colours: Mapping[str, str] | Sequence[str],
    *,
    named: bool = False,
) -> None:
    """Draw a section per run of equal values, coloured by value or, given a sequence of colours, in turns."""
    start = 0
    for turn, (value, run) in enumerate(groupby(values)):
        width = len(list(run))
        colour = colours[str(value)] if isinstance(colours, Mapping) else colours[turn % len(colours)]
        axes.broken_barh([(start, width)], (row + 0.06, 0.88), facecolor=colour, linewidth=0)
        if named and width >= _MIN_NAMED_FRACTION * len(values):
            middle, label = start + width / 2, str(value) or "none"
            axes.text(middle, row + 0.5, label, ha="center", va="center", fontsize=8, color=_text_colour(colour))
        start += width


def _palette(names: Sequence[str], colours: Sequence[str]) -> dict[str, str]:
    return {name: colours[place % len(colours)] for place, name in enumerate(sorted(set(names)))}


def _text_colour(colour: str) -> str:
    """Black or white, whichever is easier to read on `colour`."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "white"


def _title(folds: Int64, labels: Sequence[str], groups: Sequence[Hashable]) -> str:
    inside = [label for label, fold in zip(labels, folds, strict=True) if fold >= 0]
    counts = ", ".join(f"{inside.count(name)} {name or 'without a label'}" for name in sorted(set(inside)))
    return f"{len(inside)} images ({counts}), {len(set(groups))} groups, {int(folds.max()) + 1} folds"
