"""The node next to a PACS: receives, screens, forwards, and reports its status."""

import logging
import sqlite3
import threading
import time
from collections.abc import Collection
from pathlib import Path
from typing import Self

from cxrnet.node.log import error_location
from cxrnet.node.objects import write_objects
from cxrnet.node.settings import NodeSettings
from cxrnet.node.spool import Spool
from cxrnet.node.status import StatusPage, age, report
from cxrnet.node.storage_scp import StorageSCP
from cxrnet.node.storage_scu import Destination
from cxrnet.node.worker import ForwardingTask, ScreeningTask, Worker, Write
from cxrnet.screening.pipeline import Pipeline

LOG = logging.getLogger(__name__)

CLEAN_UP_SECONDS = 3600.0
"""Time between two deletions of rows and files that have been kept long enough."""


class Node:
    """Receives, screens and forwards until it is stopped. Use it in a `with` statement, or call `start` and `stop`.

    The pipeline is the caller's to close. Without a destination results stay in the spool.
    """

    def __init__(
        self,
        settings: NodeSettings,
        spool: Path,
        pipeline: Pipeline,
        *,
        kinds: Collection[str],
        destination: Destination | None = None,
        jobs: int = 1,
        status_port: int | None = None,
        write: Write = write_objects,
    ) -> None:
        self.settings, self.spool, self.destination = settings, Spool(spool), destination
        self.queue = self.spool.open_queue()
        self._stop = threading.Event()
        self.receiver = StorageSCP(settings, self.spool, self.queue)
        self._pipeline, self._status_port = pipeline, status_port
        self._page: StatusPage | None = None
        self._started = time.monotonic()
        screening = ScreeningTask(pipeline, self.queue, self.spool, kinds=kinds, write=write)
        self._threads: list[threading.Thread] = [
            Worker(f"screening {index}", "received", screening, self.queue, stop=self._stop)
            for index in range(1, jobs + 1)
        ]
        if destination is not None:
            forwarding = ForwardingTask(destination, self.queue, self.spool, max_attempts=settings.limits.max_attempts)
            self._threads.append(Worker("forwarding", "screened", forwarding, self.queue, stop=self._stop))
        self._threads.append(threading.Thread(target=self._clean_up_hourly, name="cleaning up", daemon=True))

    def start(self) -> None:
        """Continue with what an earlier run left, and accept instances."""
        try:
            self.spool.lock()
            self.queue.release()
            self._delete_old()
            self.spool.sweep(self.queue)
            self.receiver.start()
            if self._status_port is not None:
                self._page = StatusPage(self._status_port, self.describe)
        except BaseException:
            self.stop(seconds=0)
            raise
        for thread in self._threads:
            thread.start()
        LOG.info("%s listens on %s:%d", self.settings.title, self.settings.bind, self.receiver.port)

    def stop(self, *, seconds: float = 20.0) -> None:
        """Let open associations and current jobs finish; the rest waits in the queue."""
        self.receiver.stop(seconds=min(10.0, seconds))
        self._stop.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        if self._page is not None:
            self._page.close()
        self.queue.close()  # a thread that is still at work can no longer move its row, which is done again
        self.spool.unlock()
        LOG.info("%s has stopped; the queue continues at the next start", self.settings.title)

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.receiver.port

    @property
    def status_port(self) -> int | None:
        """The port of its status page."""
        return None if self._page is None else self._page.port

    def describe(self) -> tuple[str, bool]:
        """Return the status, and whether all is well: the threads run and there is space."""
        limits, model = self.settings.limits, self._pipeline.bundle.config
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        full = self.queue.waiting() >= limits.max_queue or self.spool.free_bytes() < limits.min_free_bytes
        goal = self.destination.name if self.destination else "nowhere"
        head = (
            f"cxrnet node {self.settings.title} on {self.settings.bind}:{self.port}, model {model.name} "
            f"{model.version}, forwards to {goal}\nResearch use only. Not a medical device; not for diagnosis.\n"
            f"running    {age(time.monotonic() - self._started)}, {self.receiver.associations} associations open, "
            f"{self.receiver.refused} instances or peers refused"
        )
        text = report(self.spool, self.queue, head=head)
        text += "".join(f"DEAD       {name}; restart the node\n" for name in dead)
        text += "FULL       nothing more is accepted\n" if full else ""
        return text, not dead and not full

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.stop()

    def _clean_up_hourly(self) -> None:
        while not self._stop.wait(CLEAN_UP_SECONDS):
            try:
                self._delete_old()
            except (sqlite3.Error, OSError) as error:
                LOG.error("the spool cannot be cleaned up (%s); trying again", error_location(error))

    def _delete_old(self) -> None:
        """Delete the rows and files that have been kept long enough."""
        days = self.settings.limits.keep_days
        deleted = self.queue.delete_finished("forwarded", "failed", before=time.time() - days * 86400)
        for job in deleted:
            self.spool.delete(job.name)
        if deleted:
            LOG.info("%d finished jobs deleted after %g days", len(deleted), days)
