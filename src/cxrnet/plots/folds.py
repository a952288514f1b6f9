"""The folds of a cross-validation as the paper draws them (Fig. 11a): a row a fold, then class, group, source."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from cxrnet.arrays import Int64
from cxrnet.errors import MissingExtraError

TRAIN, VALIDATION, HELD_OUT = "#3b6fa8", "#f0a13a", "#d9d9d9"
_CLASSES = ("#35a2a5", "#8c510a", "#b8a2d9", "#4d4d4d", "#d6c24a", "#7b3294", "#a6cee3", "#33602f")
_SOURCES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#666666")
_GROUPS = ("#1b2a49", "#c9d6ea", "#5b7db1", "#f2e3c6", "#a8763e", "#e9b872", "#6b4423", "#9fb8a7")
_WIDE_ENOUGH = 0.07  # of the picture, for a name to be written into a section


def draw_folds(folds: Int64, labels: Sequence[str], groups: Sequence[object], sources: Sequence[str]) -> bytes:
    """The picture as PNG: every column is an image, ordered by class, fold, source and group.

    Args:
        folds: int64 [image], number of the fold whose validation an image belongs to, -1 where it is held out.
        labels: Class of each image.
        groups: What is never divided, of each image; neighbouring groups have different colours.
        sources: Where each image comes from.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        msg = "the picture of the folds: matplotlib is not installed; pip install 'cxrnet[train]'"
        raise MissingExtraError(msg) from error
    order = sorted(
        range(len(folds)), key=lambda one: (folds[one] < 0, labels[one], folds[one], sources[one], str(groups[one]))
    )
    number = int(folds.max()) + 1
    figure = Figure(figsize=(12, 0.42 * (number + 3) + 1.7), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # sets the canvas of the figure: no window, no state shared with other figures
    axes = figure.add_subplot()
    for fold in range(number):
        states = ["held" if folds[one] < 0 else "validation" if folds[one] == fold else "train" for one in order]
        _draw_row(axes, fold, states, {"train": TRAIN, "validation": VALIDATION, "held": HELD_OUT}, named=False)
    _draw_row(axes, number, [labels[one] for one in order], _palette(labels, _CLASSES), named=True)
    _draw_groups(axes, number + 1, [groups[one] for one in order])
    _draw_row(axes, number + 2, [sources[one] for one in order], _palette(sources, _SOURCES), named=True)
    names = [*map(str, range(number)), "class", "group", "source"]
    axes.set_yticks(np.arange(len(names)) + 0.5, names)
    axes.set_ylim(len(names), 0)
    axes.set_xlim(0, len(folds))
    axes.set_xlabel("images, by class, fold, source and group")
    axes.set_ylabel("fold")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(_title(folds, labels, groups), fontsize=10, loc="left")
    _legend(figure, labels, sources, has_held_out=bool((folds < 0).any()))
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _draw_row(axes: Any, place: int, names: Sequence[str], palette: dict[str, str], *, named: bool) -> None:
    """One row of sections; those that are wide enough say what they are."""
    for start, width, name in _sections(names):
        axes.broken_barh([(start, width)], (place + 0.06, 0.88), facecolor=palette[name], linewidth=0)
        if named and width >= _WIDE_ENOUGH * len(names):
            axes.text(
                start + width / 2,
                place + 0.5,
                name or "none",
                ha="center",
                va="center",
                fontsize=8,
                color=_ink(palette[name]),
            )


def _draw_groups(axes: Any, place: int, groups: Sequence[object]) -> None:
    for turn, (start, width, _) in enumerate(_sections(groups)):
        colour = _GROUPS[turn % len(_GROUPS)]
        axes.broken_barh([(start, width)], (place + 0.06, 0.88), facecolor=colour, linewidth=0)


def _sections(names: Sequence[Any]) -> list[tuple[int, int, Any]]:
    """Runs of equal values: start, length, value."""
    starts = [place for place, name in enumerate(names) if place == 0 or name != names[place - 1]]
    return [(start, end - start, names[start]) for start, end in zip(starts, [*starts[1:], len(names)], strict=True)]


def _palette(names: Sequence[str], colours: Sequence[str]) -> dict[str, str]:
    return {name: colours[place % len(colours)] for place, name in enumerate(sorted(set(names)))}


def _ink(colour: str) -> str:
    """Black or white, whichever is read more easily on `colour`."""
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else "white"


def _title(folds: Int64, labels: Sequence[str], groups: Sequence[object]) -> str:
    inside = [label for label, fold in zip(labels, folds, strict=True) if fold >= 0]
    counts = ", ".join(f"{inside.count(name)} {name or 'without a label'}" for name in sorted(set(inside)))
    return f"{len(inside)} images ({counts}), {len(set(groups))} groups, {int(folds.max()) + 1} folds"


def _legend(figure: Any, labels: Sequence[str], sources: Sequence[str], *, has_held_out: bool) -> None:
    from matplotlib.patches import Patch

    parts = [("train", TRAIN), ("validation", VALIDATION), *([("held out", HELD_OUT)] if has_held_out else [])]
    parts += [(f"class {name or 'none'}", colour) for name, colour in _palette(labels, _CLASSES).items()]
    parts += [(f"source {name or 'none'}", colour) for name, colour in _palette(sources, _SOURCES).items()]
    patches = [Patch(facecolor=colour, label=name) for name, colour in parts[:20]]
    figure.legend(handles=patches, loc="outside lower center", ncols=min(6, len(patches)), fontsize=8, frameon=False)
