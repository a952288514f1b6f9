"""Repeated runs of tasks, and the time they took."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter, sleep
from typing import Self

PAUSE = 0.1
"""Seconds before a run: threads of another library's pool wait for work in a loop, and would slow the next task."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The time of the runs of one task: `median`, `fastest` and `slowest` in milliseconds, and how many `runs`."""

    median: float
    fastest: float
    slowest: float
    runs: int

    @classmethod
    def of(cls, times: Sequence[float]) -> Self:
        """Return the timing of runs that took these milliseconds."""
        return cls(median=median(times), fastest=min(times), slowest=max(times), runs=len(times))


def time_together(tasks: Mapping[str, Callable[[], object]], *, runs: int) -> dict[str, Timing]:
    """Return the timing of each task, by name.

    The tasks take turns, so that a slow spell of the machine affects all of them, and pause before each run; a first
    run of each does not count.
    """
    for task in tasks.values():
        task()
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs):
        for name, task in tasks.items():
            sleep(PAUSE)
            start = perf_counter()
            task()
            times[name].append((perf_counter() - start) * 1000)
    return {name: Timing.of(taken) for name, taken in times.items()}
