"""The reliability diagram: does a score of 0.8 mean eight in ten? Needs matplotlib and SciPy."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binomtest

from cxrnet.arrays import Bool, Floating
from cxrnet.plots.chart import BLUE, DASHED, QUIET, in_style, new_chart, unit_square


@in_style
def draw_reliability(
    truth: Bool, scores: Floating, *, bins: int = 10, name: str = "the class", title: str = "Reliability"
) -> Figure:
    """Draw observed frequency against score, with 95 % Wilson intervals, next to a histogram of the scores.

    Args:
        truth: bool [image], whether the image is of the class.
        scores: float [image], in [0, 1].
        bins: Equal steps of the score.
        name: Of the class.
        title: Above the diagram.
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
