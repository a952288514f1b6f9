"""What works a node's queue off: one step screens, the other forwards; neither ever ends by itself."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from cxrnet.errors import CxrNetError, OutputError, PacsError, RadiographError
from cxrnet.node.queue import Queue, State, Work
from cxrnet.node.spool import Spool
from cxrnet.node.storage_scu import Destination
from cxrnet.screening.batch import INTERNAL
from cxrnet.screening.finding import Finding
from cxrnet.screening.pipeline import Pipeline

LOG = logging.getLogger(__name__)

STARTS = 20
"""Times that screening an instance is begun; one that takes the whole program down each time is then left."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 900.0
"""Seconds before results are offered again: doubled each time, to a quarter of an hour."""

DISK_PAUSE = 30.0
"""Seconds of waiting where the disk is full."""

Write = Callable[[Finding, Path, Collection[str], Path], tuple[Path, ...]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One kind of work, done in threads of its own until `stop`.

    Args:
        name: For threads and logs.
        state: Which rows it takes.
        task: What it does with one; it moves the row on.
        queue: Where rows are.
        wake: Set when there may be something to do.
    """

    name: str
    state: State
    task: Callable[[Work], None]
    queue: Queue
    wake: threading.Event

    def run(self, stop: threading.Event, busy: set[int], lock: threading.Lock) -> None:
        """Take due rows, oldest first, until `stop` is set; `busy` are those that other threads have."""
        while not stop.is_set():
            try:
                with lock:
                    work = self.queue.begin(self.state, but=frozenset(busy))
                    if work is not None:
                        busy.add(work.number)
                if work is None:
                    self.wake.wait(0.5)
                    self.wake.clear()
                    continue
                try:
                    self.task(work)
                finally:
                    with lock:
                        busy.discard(work.number)
            except (sqlite3.Error, OSError) as error:
                LOG.error("%s: the spool cannot be used (%s); tried again", self.name, type(error).__name__)
                stop.wait(1.0)
            except Exception as error:  # nothing that arrives may end the node
                LOG.error("%s: a fault of cxrnet (%s); please report it", self.name, where(error))
                stop.wait(1.0)


class Screener:
    """Screens one received instance and writes its objects.

    Args:
        pipeline: The model.
        queue: Where rows are.
        spool: Where files are.
        kinds: Objects that are made.
        write: What makes them: `cxrnet.node.objects.write_objects`.
        screened: Set when there is something to forward.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        queue: Queue,
        spool: Spool,
        *,
        kinds: Collection[str],
        write: Write,
        screened: threading.Event,
    ) -> None:
        self._pipeline, self._queue, self._spool = pipeline, queue, spool
        self._kinds, self._write, self._screened = tuple(kinds), write, screened

    def __call__(self, work: Work) -> None:
        """Screen, write, and move the row to `screened` or `failed`."""
        if work.tries >= STARTS:
            why = f"the program ended {work.tries} times while it was screened; look at the file in incoming/"
            self._fail(work, "DIED", f"job {work.number}: {why}")
            return
        start = time.perf_counter()
        try:
            source = self._spool.source(work.name)
            finding = self._pipeline.screen(source, name=f"job {work.number}")
            folder = self._spool.fresh_results(work.name)
            self._write(finding, source, self._kinds, folder)
            self._spool.sync_results(work.name)
        except RadiographError as error:
            self._fail(work, error.code, str(error))
        except (OutputError, OSError) as error:  # the disk is full: not the instance's fault
            shutil.rmtree(self._spool.results / work.name, ignore_errors=True)
            LOG.error("job %d waits: results cannot be written (%s)", work.number, type(error).__name__)
            self._queue.postpone(
                work.number, "OUTPUT", "results cannot be written", seconds=DISK_PAUSE, is_counted=False
            )
        except CxrNetError as error:
            self._fail(work, "OBJECTS", str(error).replace(f"{work.name}.dcm", f"job {work.number}"))
        except Exception as error:
            LOG.error("job %d: a fault of cxrnet (%s); please report it", work.number, where(error))
            self._fail(work, INTERNAL, f"job {work.number}: a fault of cxrnet, {where(error)}; please report it")
        else:
            self._queue.advance(work.number, "screened", outcome=finding.status)
            self._spool.drop(work.name, results=False)
            seconds = time.perf_counter() - start
            LOG.info("job %d screened: %s, %.2f s", work.number, finding.status, seconds)
            self._screened.set()

    def _fail(self, work: Work, code: str, reason: str) -> None:
        self._spool.drop(work.name, source=False)
        self._queue.fail(work.number, code, reason)
        LOG.warning("job %d failed: %s %s", work.number, code, reason)


class Forwarder:
    """Offers the objects of one screened instance to where they go.

    Args:
        destination: Where they go.
        queue: Where rows are.
        spool: Where files are.
        attempts: Times that they are offered.
    """

    def __init__(self, destination: Destination, queue: Queue, spool: Spool, *, attempts: int) -> None:
        self._destination, self._queue, self._spool = destination, queue, spool
        self._attempts = attempts
        self._away = 0  # times in a row that nobody was there
        self._again = 0.0

    def __call__(self, work: Work) -> None:
        """Send, and move the row to `forwarded`, or let it wait, or end it as `failed`."""
        if time.monotonic() < self._again:  # nobody is there: the others need not find out one by one
            self._queue.postpone(
                work.number, work.code, work.reason, seconds=self._again - time.monotonic(), is_counted=False
            )
            return
        files = self._spool.objects(work.name)
        try:
            if not files:
                msg = f"job {work.number}: its results are gone; send the study again"
                raise PacsError("RESULTS_LOST", msg, is_final=True)
            self._destination.send(files)
        except PacsError as error:
            self._hold(work, error)
            return
        self._away = 0
        self._queue.advance(work.number, "forwarded")
        self._spool.drop(work.name)
        LOG.info("job %d forwarded: %d objects to %s", work.number, len(files), self._destination.name)

    def _hold(self, work: Work, error: PacsError) -> None:
        if error.is_final or work.tries + 1 >= self._attempts:
            self._queue.fail(work.number, error.code, str(error))
            LOG.warning("job %d failed: %s %s", work.number, error.code, error)
            return
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(work.tries, 20))
        if error.code == "UNREACHABLE":
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self._away, 20))
            self._away += 1
            self._again = time.monotonic() + pause
        self._queue.postpone(work.number, error.code, str(error), seconds=pause)
        LOG.warning("job %d waits %.0f s: %s %s", work.number, pause, error.code, error)


def where(error: BaseException) -> str:
    """Return the class of an exception and the line it came from; its text, which can quote a file, is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
