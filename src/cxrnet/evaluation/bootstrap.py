"""Confidence intervals by resampling whole groups: images of one patient are never independent.

A resample draws as many groups as there are, with replacement. It is held as a weight for each image, how often its
group was drawn, so that a metric is computed for many resamples at once by matrix products.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from cxrnet.arrays import Float64

Statistic = Callable[[Float64], Mapping[str, Float64]]
"""From weights, float64 [resample, image], 0 up, to metrics by name, float64 [resample], NaN where undefined."""

RESAMPLES = 1000
CONFIDENCE = 0.95
MIN_GROUPS = 10
"""With fewer groups than this there is no interval: their resamples repeat themselves, and it would be too short."""

MAX_WEIGHTS = 4_000_000
"""Maximum number of weights held at a time, which bounds the memory whatever the number of images."""


class Estimate(NamedTuple):
    """A metric with its interval.

    `value` on all `n` images, None where it is undefined; `low` and `high` the percentiles of the resamples, None
    with fewer than ten groups or where fewer than half the resamples have a value; `skipped` resamples without one.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    skipped: int


def estimate(
    statistic: Statistic,
    groups: Sequence[str],
    *,
    counts: Mapping[str, int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Return each metric of `statistic` with its 95 % percentile interval over groups."""
    if not groups:
        raise ValueError("no images; a metric needs one or more")
    values = statistic(np.ones((1, len(groups))))
    drawn: dict[str, list[Float64]] = {name: [] for name in values}
    if len(set(groups)) >= MIN_GROUPS:
        for weights in draw_weights(groups, resamples=resamples, seed=seed):
            for name, replicates in statistic(weights).items():
                drawn[name].append(replicates)
    counts = counts or {}
    return {name: _summarise(value[0], drawn[name], n=counts.get(name, len(groups))) for name, value in values.items()}


def draw_weights(groups: Sequence[str], *, resamples: int, seed: int) -> Iterator[Float64]:
    """Yield float64 [some, image] weights, `resamples` rows in all: how often each image's group was drawn."""
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    even = np.full(len(names), 1 / len(names))
    step = max(1, MAX_WEIGHTS // len(member))
    for start in range(0, resamples, step):
        drawn = rng.multinomial(len(names), even, size=min(step, resamples - start))
        yield drawn[:, member].astype(np.float64)


def mean_statistic(values: Mapping[str, Float64]) -> Statistic:
    """Return the statistic of the means of `values`, float64 [image] each, over the images that have one (not NaN)."""
    is_there = {name: np.isfinite(each) for name, each in values.items()}
    filled = {name: np.where(is_there[name], each, 0.0) for name, each in values.items()}

    def statistic(weights: Float64) -> dict[str, Float64]:
        return {name: ratio(weights @ filled[name], weights @ is_there[name].astype(np.float64)) for name in values}

    return statistic


def ratio(above: Float64, below: Float64) -> Float64:
    """Return `above / below`, NaN where `below` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _summarise(value: float, drawn: Sequence[Float64], *, n: int) -> Estimate:
    replicates = np.concatenate(drawn) if drawn else np.empty(0)
    defined = replicates[np.isfinite(replicates)]
    low = high = None
    if np.isfinite(value) and 0 < len(replicates) <= 2 * len(defined):
        tail = 50 * (1 - CONFIDENCE)
        low, high = (float(end) for end in np.percentile(defined, [tail, 100 - tail]))
    return Estimate(
        value=float(value) if np.isfinite(value) else None,
        low=low,
        high=high,
        n=n,
        skipped=len(replicates) - len(defined),
    )
