"""Repeated runs of a task, and what they took."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep

REST = 0.1
"""Seconds before a run: threads of another library's pool wait for work in a loop, and would slow the next task."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the runs of one task took: `median`, `fastest` and `slowest` in milliseconds, and how many `runs`."""

    median: float
    fastest: float
    slowest: float
    runs: int


def time_together(tasks: Mapping[str, Callable[[], object]], *, runs: int) -> dict[str, Timing]:
    """Return the timing of each task, by name.

    The tasks take turns, so that a slow spell of the machine meets all of them, and rest before each run; one run of
    each does not count.
    """
    for task in tasks.values():
        task()
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs):
        for name, task in tasks.items():
            sleep(REST)
            start = perf_counter()
            task()
            taken[name].append((perf_counter() - start) * 1000)
    return {
        name: Timing(median=median(times), fastest=min(times), slowest=max(times), runs=runs)
        for name, times in taken.items()
    }
