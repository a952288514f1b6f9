"""The workers of a node's queue: one task screens a job, the other forwards its results."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cxrnet.errors import CxrNetError, OutputError, PacsError, RadiographError
from cxrnet.node.log import error_location
from cxrnet.node.objects import WrittenObjects, write_objects
from cxrnet.node.queue import Job, Queue, State
from cxrnet.node.spool import Spool
from cxrnet.screening.batch import INTERNAL
from cxrnet.screening.finding import Finding

if TYPE_CHECKING:  # pydicom loads for 0.3 s
    from cxrnet.node.storage_scu import Destination

LOG = logging.getLogger(__name__)

MAX_STARTS = 20
"""Attempts at screening one instance; one that ends the whole program each time then fails."""

FIRST_PAUSE, MAX_PAUSE = 2.0, 900.0
"""Seconds before the next delivery attempt: doubled each time, to a quarter of an hour."""

DISK_PAUSE = 30.0
"""Seconds of waiting where the disk is full."""


class Screener(Protocol):
    """What screens a file: a `Pipeline`."""

    def screen(self, source: Path, *, name: str) -> Finding:
        """Return the finding for a file."""


Write = Callable[[Finding, Path, Collection[str], Path], WrittenObjects]


class Worker(threading.Thread):
    """A thread that does one kind of job until `stop` is set."""

    def __init__(
        self, name: str, state: State, task: Callable[[Job], None], queue: Queue, *, stop: threading.Event
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._state, self._task, self._queue, self._stop_event = state, task, queue, stop

    def run(self) -> None:
        """Claim rows that are due, oldest first."""
        claimed: int | None = None
        while not self._stop_event.is_set():
            try:
                if claimed is not None:  # the last task failed, or its row could not be written
                    self._queue.release(claimed)
                    claimed = None
                job = self._queue.claim(self._state, seconds=0.25)
                if job is None:
                    continue
                claimed = job.number
                self._task(job)
                claimed = None
            except (sqlite3.Error, OSError) as error:
                LOG.error("%s: the spool cannot be used (%s); trying again", self.name, type(error).__name__)
                self._stop_event.wait(1.0)
            except Exception as error:  # nothing that arrives may end the node
                LOG.error("%s: internal error in cxrnet (%s); please report it", self.name, error_location(error))
                self._stop_event.wait(1.0)


class ScreeningTask:
    """Screens one received instance and writes its objects."""

    def __init__(
        self, pipeline: Screener, queue: Queue, spool: Spool, *, kinds: Collection[str], write: Write = write_objects
    ) -> None:
        self._pipeline, self._queue, self._spool = pipeline, queue, spool
        self._kinds, self._write = tuple(kinds), write

    def __call__(self, job: Job) -> None:
        """Screen, write, and move the row to `screened` or `failed`."""
        if job.attempts > MAX_STARTS:
            problem = f"the program ended {job.attempts - 1} times while it was screened"
            self._fail(job, "DIED", f"job {job.number}: {problem}; look at the file in incoming/")
            return
        label = f"job {job.number}"
        start = time.perf_counter()
        try:
            source = self._spool.source(job.name)
            finding = self._pipeline.screen(source, name=label)
            folder = self._spool.reset_results(job.name)
            written = self._write(finding, source, self._kinds, folder)
            self._spool.sync_results(job.name)
        except RadiographError as error:
            self._fail(job, error.code, str(error))
        except (OutputError, OSError) as error:  # the disk is full: not the instance's fault
            shutil.rmtree(self._spool.results / job.name, ignore_errors=True)
            LOG.error("job %d waits: results cannot be written (%s)", job.number, type(error).__name__)
            self._queue.retry_later(
                job.number, "OUTPUT", "results cannot be written", seconds=DISK_PAUSE, is_counted=False
            )
        except CxrNetError as error:
            self._fail(job, "OBJECTS", str(error))
        except Exception as error:
            problem = f"{label}: internal error in cxrnet, {error_location(error)}; please report it"
            LOG.error("%s", problem)
            self._fail(job, INTERNAL, problem)
        else:
            self._queue.mark(job.number, "screened", outcome=finding.status)
            self._spool.delete(job.name, results=False)
            seconds = time.perf_counter() - start
            LOG.info("job %d screened: %s, %.2f s", job.number, finding.status, seconds)
            if written.corrections:
                LOG.info("job %d: corrected in its objects: %s", job.number, "; ".join(written.corrections))

    def _fail(self, job: Job, code: str, reason: str) -> None:
        self._spool.delete(job.name, source=False)
        self._queue.fail(job.number, code, reason)
        LOG.warning("job %d failed: %s %s", job.number, code, reason)


class ForwardingTask:
    """Sends the objects of one screened instance to the destination."""

    def __init__(self, destination: Destination, queue: Queue, spool: Spool, *, max_attempts: int) -> None:
        self._destination, self._queue, self._spool = destination, queue, spool
        self._max_attempts = max_attempts
        self._unreachable = 0  # failed connections in a row
        self._not_before = 0.0

    def __call__(self, job: Job) -> None:
        """Send, and move the row to `forwarded`, or let it wait, or end it as `failed`."""
        if time.monotonic() < self._not_before:  # unreachable a moment ago
            self._queue.retry_later(
                job.number, job.code, job.reason, seconds=self._not_before - time.monotonic(), is_counted=False
            )
            return
        files = self._spool.objects(job.name)
        try:
            if not files:
                raise PacsError(
                    "RESULTS_LOST", f"job {job.number}: its results are gone; send the study again", is_final=True
                )
            self._destination.send(files)
        except PacsError as error:
            self._retry_later(job, error)
            return
        self._unreachable = 0
        self._queue.mark(job.number, "forwarded")
        self._spool.delete(job.name)
        LOG.info("job %d forwarded: %d objects to %s", job.number, len(files), self._destination.name)

    def _retry_later(self, job: Job, error: PacsError) -> None:
        if error.is_final or job.attempts >= self._max_attempts:
            self._queue.fail(job.number, error.code, str(error))
            LOG.warning("job %d failed: %s %s", job.number, error.code, error)
            return
        pause = min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(job.attempts - 1, 20))
        if error.code == "UNREACHABLE":
            pause = min(MAX_PAUSE, FIRST_PAUSE * 2 ** min(self._unreachable, 20))
            self._unreachable += 1
            self._not_before = time.monotonic() + pause
        self._queue.retry_later(job.number, error.code, str(error), seconds=pause)
        LOG.warning("job %d waits %.0f s: %s %s", job.number, pause, error.code, error)
