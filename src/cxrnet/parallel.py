"""Work on many things in several threads, with the results in the order of the things."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


def parallel_map(task: Callable[[Given], Made], items: Iterable[Given], *, jobs: int) -> Iterator[Made]:
    """Yield task(item) in the order of the items from `jobs` threads, few results ahead of the reader.

    When the reader stops, or a task raises, no further task is started and those under way are waited for.
    """
    waiting: deque[Future[Made]] = deque()
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        for item in items:
            waiting.append(pool.submit(task, item))
            if len(waiting) > 2 * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def cpu_count() -> int:
    """Return the number of things worked on at once: the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
