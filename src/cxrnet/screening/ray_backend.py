"""Partitions of a run on a Ray cluster: one task each, on one core.

Tasks and not actors: Ray gives a task of a machine that is gone to any other, and machines that join get theirs, where
an actor waits for room of its own. The process of a worker takes one task after the other and keeps its model.
"""

import logging
import os
from collections.abc import Iterator
from typing import Any

from cxrnet.errors import CxrNetError, OutputError, require
from cxrnet.screening.partitions import Work
from cxrnet.screening.plan import Partition

RETRIES = 5
"""Times that a partition is given out again after its process or machine died: an image may be what kills it."""


def distribute_on_ray(
    work: Work, todo: Iterator[Partition], *, workers: int | None
) -> Iterator[tuple[Partition, bytes]]:
    """Do partitions on a Ray cluster, and yield each with its table as it is finished.

    The cluster is the one that `ray.init` finds: this machine, or a running one where RAY_ADDRESS names it.
    """
    ray = _ray()
    task = ray.remote(num_cpus=1, max_retries=RETRIES)(_attempt).remote
    running: dict[Any, Partition] = {}
    lost: list[Partition] = []
    try:
        for partition in todo:
            running[task(work, partition)] = partition
            while len(running) >= (workers or 2 * int(ray.cluster_resources().get("CPU", 1))):
                yield from _finished(ray, running, lost)
        while running:
            yield from _finished(ray, running, lost)
    finally:
        for reference in running:
            ray.cancel(reference, force=True)
    if lost:
        names = ", ".join(partition.file for partition in lost)
        raise OutputError(
            f"{names}: not done, the process or the machine died {RETRIES + 1} times; the others are done; repeat with "
            "--resume where there is more memory"
        )


def _attempt(work: Work, partition: Partition) -> tuple[bytes, str]:
    """Return the table, or the line of an error, which Ray would wrap in its own traceback."""
    try:
        return work(partition), ""
    except CxrNetError as error:
        return b"", str(error)


def _finished(ray: Any, running: dict[Any, Partition], lost: list[Partition]) -> Iterator[tuple[Partition, bytes]]:
    """Wait for a partition."""
    (reference,), _ = ray.wait(list(running), num_returns=1)
    partition = running.pop(reference)
    try:
        content, error = ray.get(reference)
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError, ray.exceptions.OutOfMemoryError):
        lost.append(partition)
        return
    if error:
        raise OutputError(error)
    yield partition, content


def _ray() -> Any:
    with require("ray", "--backend ray"):
        import ray
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about a run leaves the machine
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 would give way to all else, unlike the local backend
        ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    return ray
