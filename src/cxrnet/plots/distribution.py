"""How a metric or a score is distributed: over all images, and image by image for each source. Needs matplotlib."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxrnet.arrays import Bool, Floating
from cxrnet.plots.chart import BLUE, INK, SERIES, VERMILION, in_style, jitter, new_chart

_MAX_STRIPS = 12
_OTHERS = "(others)"


@in_style
def draw_overlap(values: Floating, sources: Sequence[str], *, source_name: str = "source") -> Figure:
    """Draw a histogram of the Dice coefficient above one strip of points per source, the median marked on each.

    `values` are float [image] in [0, 1]; beyond twelve sources the smallest are put together.
    """
    rows = _rows(sources)
    figure, (above, below) = _two(rows)
    low = min(0.5, np.floor(float(values.min()) * 10) / 10)
    above.hist(values, bins=np.arange(low, 1.0001, 0.01).tolist(), color=BLUE)
    mean, median = float(values.mean()), float(np.median(values))
    above.axvline(mean, color=INK, linewidth=1.6, label=f"mean {mean:.3f}")
    above.axvline(median, color=VERMILION, linewidth=1.6, linestyle=(0, (5, 3)), label=f"median {median:.3f}")
    above.set(title=f"Dice of {len(values):,} images", ylabel="Images")
    above.legend(loc="upper left")
    for row, (_, is_member) in enumerate(rows):
        _strip(below, values[is_member], row, BLUE)
        middle = float(np.median(values[is_member]))
        below.plot([middle, middle], [row - 0.4, row + 0.4], color=VERMILION, linewidth=2.2)
    _name_strips(below, rows)
    below.set(title=f"By {source_name}; line: median", xlabel="Dice", xlim=(low - 0.01, 1.005))
    return figure


@in_style
def draw_scores(
    scores: Floating, classes: Sequence[str], sources: Sequence[str], *, name: str, source_name: str = "source"
) -> Figure:
    """Draw a histogram of a score for each true class above one strip of points per source, coloured by true class.

    `scores`, float [image] in [0, 1], are those of the class `name`; beyond twelve sources the smallest are put
    together.
    """
    known = list(dict.fromkeys(sorted(classes, key=lambda one: (one != name, one))))
    rows = _rows(sources)
    figure, (above, below) = _two(rows)
    truth = np.asarray(classes)
    bins = np.linspace(0, 1, 26).tolist()
    for number, one in enumerate(known):
        colour = SERIES[number % len(SERIES)]
        of_class = scores[truth == one]
        label = f"{one} (n = {len(of_class):,})"
        weights = np.full(len(of_class), 1 / len(of_class))
        above.hist(of_class, bins, weights=weights, histtype="step", linewidth=2, color=colour, label=label)
        above.hist(of_class, bins, weights=weights, alpha=0.14, color=colour)
        for row, (_, is_member) in enumerate(rows):
            present = [name for name in known if (truth[is_member] == name).any()]
            if one in present:
                offset = (present.index(one) - (len(present) - 1) / 2) * 0.8 / len(present)
                _strip(below, scores[is_member & (truth == one)], row + offset, colour, width=0.34 / len(present))
    above.set(title=f"Score of {name}, by true class", ylabel="Fraction of the class")
    above.legend(loc="best")
    _name_strips(below, rows)
    below.set(title=f"By {source_name}; colour: true class", xlabel=f"Score of {name}", xlim=(-0.015, 1.015))
    return figure


def _two(rows: Sequence[object]) -> tuple[Figure, list[Axes]]:
    strips = 0.5 + 0.5 * len(rows)
    return new_chart(8.4, 3.4 + strips, rows=2, sharex=True, height_ratios=(2.6, strips))


def _rows(sources: Sequence[str]) -> list[tuple[str, Bool]]:
    """Names of the strips with their images, bool [image], the largest first."""
    every = np.asarray(sources)
    names, counts = np.unique(every, return_counts=True)
    ranked = [str(names[place]) for place in np.lexsort((names, -counts))]
    if len(ranked) > _MAX_STRIPS:
        ranked = ranked[: _MAX_STRIPS - 1]
    rows = [(name, every == name) for name in ranked]
    rest = ~np.isin(every, ranked)
    return [*rows, (_OTHERS, rest)] if rest.any() else rows


def _strip(axes: Axes, values: Floating, row: float, colour: str, *, width: float = 0.34) -> None:
    axes.scatter(values, jitter(values, row, width=width), s=9, color=colour, alpha=0.5, linewidths=0)


def _name_strips(axes: Axes, rows: Sequence[tuple[str, Bool]]) -> None:
    axes.set_yticks(range(len(rows)), [f"{name} ({int(member.sum()):,})" for name, member in rows], color=INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
