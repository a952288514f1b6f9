"""The node beside a PACS: receives, screens, forwards, and tells how it is doing."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from cxrnet.node.settings import NodeSettings
from cxrnet.node.spool import Spool
from cxrnet.node.status import StatusPage, age, report
from cxrnet.node.storage_scp import Receiver
from cxrnet.node.storage_scu import Destination
from cxrnet.node.worker import Forwarder, Screener, Step, Write, where
from cxrnet.screening.pipeline import Pipeline

LOG = logging.getLogger(__name__)

TIDY_SECONDS = 3600.0
"""Between two looks for rows and files that have been kept long enough."""


class Node:
    """A node from its start to its end. Use it in a `with` statement, or call `start` and `stop`.

    Args:
        settings: Name, address, rules.
        spool: Its folder.
        pipeline: The model; it is the caller's to close.
        kinds: Objects that are made of an instance.
        destination: Where they go; None leaves them in the spool.
        jobs: Instances that are screened at once.
        status_port: Port of the status page; None has none.
        write: What makes the objects; None is `cxrnet.node.objects.write_objects`.
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
        write: Write | None = None,
    ) -> None:
        self.settings, self.spool, self.destination = settings, Spool(spool), destination
        self._pipeline, self._kinds, self._jobs = pipeline, tuple(kinds), jobs
        self._status_port, self._write = status_port, write
        self._stop, self._threads = threading.Event(), list[threading.Thread]()
        self._page: StatusPage | None = None
        self._started = time.monotonic()

    def start(self) -> None:
        """Begin: what an earlier run left is taken up, then instances are accepted.

        Raises:
            NodeError: The spool is in use, or the address is taken.
        """
        self.spool.hold()
        self.queue = self.spool.open_queue()
        try:
            self._forget()
            self.spool.sweep(self.queue)
            received, screened = threading.Event(), threading.Event()
            self.receiver = Receiver(self.settings, self.spool, self.queue, received)
            self.receiver.start()
            if self._status_port is not None:
                self._page = StatusPage(self._status_port, self.describe)
        except BaseException:
            self.stop(seconds=0)
            raise
        screener = Screener(
            self._pipeline, self.queue, self.spool, kinds=self._kinds, write=self._writer(), screened=screened
        )
        step = Step(name="screening", state="received", task=screener, queue=self.queue, wake=received)
        self._begin(step, self._jobs)
        if self.destination is not None:
            attempts = self.settings.allowance.attempts
            forwarder = Forwarder(self.destination, self.queue, self.spool, attempts=attempts)
            step = Step(name="forwarding", state="screened", task=forwarder, queue=self.queue, wake=screened)
            self._begin(step, 1)
        self._threads.append(threading.Thread(target=self._keep_tidy, name="tidying", daemon=True))
        for thread in self._threads:
            thread.start()
        LOG.info("%s listens on %s:%d", self.settings.title, self.settings.bind, self.receiver.port)

    def stop(self, *, seconds: float = 20.0) -> None:
        """End: open associations and the instance under way may finish; the rest waits in the queue.

        Args:
            seconds: How long each may take.
        """
        if hasattr(self, "receiver"):
            self.receiver.stop(seconds=min(10.0, seconds))
        self._stop.set()
        end = time.monotonic() + seconds
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, end - time.monotonic()))
        if self._page is not None:
            self._page.close()
        self.queue.close()  # a thread that is still at work can no longer move its row, which is done again
        self.spool.release()
        LOG.info("%s has stopped; %s", self.settings.title, "what waits is taken up at the next start")

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self.receiver.port

    @property
    def status_port(self) -> int | None:
        """The port of its status page."""
        return None if self._page is None else self._page.port

    def describe(self) -> tuple[str, bool]:
        """Return the status, and whether all is well: the threads are alive and there is room."""
        allowance, model = self.settings.allowance, self._pipeline.bundle.config
        dead = [thread.name for thread in self._threads if not thread.is_alive()]
        full = self.queue.waiting() >= allowance.queued or self.spool.free_bytes() < allowance.free_bytes
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _begin(self, step: Step, count: int) -> None:
        busy, lock = set[int](), threading.Lock()
        for index in range(count):
            name = f"{step.name} {index + 1}"
            arguments = (self._stop, busy, lock)
            self._threads.append(threading.Thread(target=step.run, args=arguments, name=name, daemon=True))

    def _writer(self) -> Write:
        if self._write is not None:
            return self._write
        from cxrnet.node.objects import write_objects

        return write_objects

    def _keep_tidy(self) -> None:
        while not self._stop.wait(TIDY_SECONDS):
            try:
                self._forget()
            except (sqlite3.Error, OSError) as error:
                LOG.error("the spool cannot be tidied (%s); tried again", where(error))

    def _forget(self) -> None:
        """Delete the rows and files that have been kept long enough."""
        before = time.time() - self.settings.allowance.keep_days * 86400
        gone = self.queue.forget("forwarded", "failed", before=before)
        for work in gone:
            self.spool.drop(work.name)
        if gone:
            LOG.info("%d finished jobs forgotten after %g days", len(gone), self.settings.allowance.keep_days)
