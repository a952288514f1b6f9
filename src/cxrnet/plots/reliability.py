"""The reliability diagram: does a score of 0.8 mean eight in ten? Needs matplotlib."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from cxrnet.arrays import Bool, Floating
from cxrnet.plots.chart import BLUE, QUIET, legend, name_axes, new_chart, unit_square

_NORMAL_95 = 1.959964


def draw_reliability(
    truth: Bool, scores: Floating, *, bins: int = 10, name: str = "the class", title: str = "Reliability"
) -> Figure:
    """Observed frequency against score, with 95 % Wilson intervals, beside a histogram of the scores.

    Args:
        truth: bool [image], whether the image is of the class.
        scores: float [image], in [0, 1].
        bins: Equal steps of the score.
        name: Of the class.
        title: Above the diagram.

    Raises:
        ValueError: There are no images, or truth and scores do not go together.
    """
    if truth.shape != scores.shape or truth.ndim != 1 or truth.size == 0:
        msg = f"scores: have shape {list(scores.shape)} for {list(truth.shape)} images; one for each of them is needed"
        raise ValueError(msg)
    place = np.minimum((scores * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    there = counts > 0
    mean = np.bincount(place, weights=scores, minlength=bins)[there] / counts[there]
    share = np.bincount(place, weights=truth, minlength=bins)[there] / counts[there]
    low, high = wilson(share, counts[there])
    figure, (left, right) = new_chart(10.6, 5.2, columns=2)
    left.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=(0, (4, 4)), label="perfectly calibrated")
    errors = np.clip([share - low, high - share], 0, None)
    left.errorbar(
        mean, share, yerr=errors, color=BLUE, marker="o", markersize=6, linewidth=1.8, elinewidth=1.1, capsize=3,
        label="observed, 95 % Wilson interval",
    )  # fmt: skip
    unit_square(left)
    name_axes(left, title, x=f"Score of {name}, mean of each of {bins} bins", y=f"Share that is {name}")
    legend(left, "lower right")
    right.hist(
        [scores[truth], scores[~truth]], bins=np.linspace(0, 1, 2 * bins + 1).tolist(), stacked=True,
        color=[BLUE, "#C9D1D9"], label=[f"is {name} ({int(truth.sum()):,})", f"is not ({int((~truth).sum()):,})"],
    )  # fmt: skip
    right.set_xlim(-0.015, 1.015)
    name_axes(right, "How often each score is given", x=f"Score of {name}", y="Images")
    legend(right, "best")
    return figure


def wilson(share: Floating, count: Any) -> tuple[Floating, Floating]:
    """The 95 % score interval of a share of `count` draws (Wilson 1927), two arrays like `share`."""
    z2 = _NORMAL_95**2
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _NORMAL_95 * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return middle - half, middle + half
