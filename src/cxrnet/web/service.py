"""The service behind the page: the spool of a node, worked off in threads, and listed for the pages that watch."""

import logging
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cxrnet.errors import RadiographError
from cxrnet.node.objects import WrittenObjects
from cxrnet.node.queue import Job
from cxrnet.node.spool import Spool
from cxrnet.node.worker import ScreeningTask, Worker
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web.early_screening import EarlyScreening
from cxrnet.web.entry import Entry, entry_of
from cxrnet.web.intake import RateLimit, RequestError, UploadLimits
from cxrnet.web.notifier import Notifier
from cxrnet.web.page_model import describe_models
from cxrnet.web.results import (
    OTHER,
    SOURCE,
    is_kept,
    object_kinds,
    object_names,
    read_record,
    write_missing_objects,
    write_results,
)

LOG = logging.getLogger(__name__)

SENDER = "web"
KEEP_DAYS = 30.0


@dataclass
class Pending:
    """What the model, and then the second one, if there is one, found in an image whose files are being written."""

    finding: Finding
    other: Finding | None = None


class Service:
    """A service from its start to its end; use it in a `with` statement.

    A finding is known as soon as the model has it; its row stays `received` until its files are written, so that a kill
    in between loses nothing.
    """

    def __init__(
        self,
        spool: Path,
        pipeline: Pipeline,
        *,
        other: Pipeline | None = None,
        jobs: int = 1,
        limits: UploadLimits | None = None,
        keep_days: float = KEEP_DAYS,
    ) -> None:
        self.model = describe_models(pipeline.bundle, None if other is None else other.bundle)
        self.limits = limits or UploadLimits()
        self.rate = RateLimit(self.limits.per_minute)
        self.stopping = threading.Event()
        self.notifier = Notifier()
        self._spool, self._pipeline, self._other = Spool(spool), pipeline, other
        self._jobs, self._keep_days, self._kinds = jobs, keep_days, object_kinds()
        self._early = EarlyScreening(pipeline, jobs)
        self._pending: dict[str, Pending] = {}
        self._threads: list[threading.Thread] = []
        self._making = threading.Lock()
        self._found: dict[int, Entry] = {}
        self.queue = self._spool.open_queue()

    def __enter__(self) -> Self:
        """Begin: what an earlier run left is screened first."""
        self._spool.lock()
        queue = self.queue
        queue.release()
        for job in queue.delete_finished("screened", "failed", before=time.time() - self._keep_days * 86400):
            self._spool.delete(job.name)
        self._spool.sweep(queue)
        screening = ScreeningTask(self._early, queue, self._spool, kinds=self._kinds, write=self._write)

        def work(job: Job) -> None:
            try:
                screening(job)
            finally:
                self._finish(job)

        for index in range(1, self._jobs + 1):
            worker = Worker(f"screening {index}", "received", work, queue, stop=self.stopping)
            worker.start()
            self._threads.append(worker)
        return self

    def __exit__(self, *raised: object) -> None:
        """End: the image under way may finish, the rest waits for the next start."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(20)
        self._early.close()
        self.queue.close()
        self._spool.unlock()

    def check_room(self) -> None:
        """Refuse an upload if too many wait, or too many come, or the disk is full."""
        self.rate.take()
        if self.queue.counts()["received"] >= self.limits.waiting:
            raise RequestError(503, f"{self.limits.waiting} images wait already; send the rest later")
        if self._spool.free_bytes() < self.limits.free_bytes:
            raise RequestError(507, f"less than {self.limits.free_bytes} bytes are free; delete images")

    def take(self, parts: Iterable[bytes]) -> Entry:
        """Write a file to the spool and queue it; both are on the disk when this returns."""
        start = None if self.queue.counts()["received"] else self._early.start
        name, size = self._spool.store(parts, written=start)
        try:
            number = self.queue.add(name=name, instance="", sender=SENDER, size=size)
        except BaseException:
            self._spool.delete(name)
            raise
        self.notifier.notify()
        return Entry(number, "waiting")

    @property
    def version(self) -> tuple[int, int]:
        """Something that differs whenever the answer of `entries` does."""
        return self.queue.changes, self.notifier.count

    def entries(self) -> list[Entry]:
        """Return all images in the order they came."""
        return [self._entry(job) for job in self.queue.rows()]

    def entry(self, number: int) -> Entry | None:
        """Return an image, None for an unknown number."""
        job = self.queue.find(number)
        return None if job is None else self._entry(job)

    def finding(self, number: int, *, other: bool = False) -> dict[str, Any] | None:
        """Return the record of a screened image, None if there is no such finding, or not yet."""
        row = self.queue.find(number)
        if row is None:
            return None
        job, pending = self._with_pending(row)
        if pending is not None:
            found = pending.other if other else pending.finding
            return None if found is None else found.record()
        if job.state == "received":
            return None
        if job.state == "failed":
            pipeline = self._other if other else self._pipeline
            reason = Reason(job.code, job.reason)
            return None if pipeline is None else Finding.failed(f"job {number}", reason, pipeline.bundle).record()
        try:
            return read_record(self.folder(job), OTHER if other else "")
        except FileNotFoundError:
            return None

    def is_under_way(self, number: int) -> bool:
        """Return whether an image waits, is screened, or has files that are being written."""
        job = self.queue.find(number)
        return job is not None and job.state == "received"

    def is_claimed(self, number: int) -> bool:
        """Return whether an image is screened, or has files that are being written."""
        job = self.queue.find(number)
        return job is not None and job.is_claimed

    def result(self, number: int, name: str) -> Path | None:
        """Return the path of a file of results, None for an unknown name, and before all are written."""
        job = self.queue.find(number)
        path = None if job is None or job.state == "received" else self.folder(job) / name
        return path if path is not None and path.is_file() else None

    def object(self, number: int, name: str) -> Path | None:
        """Return the path of a DICOM object, made when first asked for; None for an image without one of this name."""
        job = self.queue.find(number)
        if job is None or name not in self._entry(job).objects:
            return None
        path = self.folder(job) / name
        with self._making:
            if not path.is_file():
                written = write_missing_objects(self._pipeline, path.parent)
                if written.corrections:
                    LOG.info("job %d: corrected in its objects: %s", number, "; ".join(written.corrections))
        return path if path.is_file() else None

    def delete(self, number: int) -> bool:
        """Delete an image with its results and return whether it was there."""
        job = self.queue.delete(number)
        self._found.pop(number, None)
        if job is None:
            return False
        if not job.is_claimed:  # else its files are deleted when the worker is done with them
            self._spool.delete(job.name)
        self.notifier.notify()
        return True

    def folder(self, job: Job) -> Path:
        """Return the folder of the results of an image."""
        return self._spool.results / job.name

    def _write(self, finding: Finding, source: Path, kinds: Collection[str], folder: Path) -> WrittenObjects:
        """Hold a finding as pending, let the second model screen the image, and write the results of both."""
        pending = self._pending[folder.name] = Pending(finding)
        self.notifier.notify()
        if self._other is not None:
            try:
                pending.other = self._other.screen(finding.radiograph, name=finding.input)
            except RadiographError as error:  # its preparation is another
                pending.other = Finding.failed(finding.input, Reason(error.code, str(error)), self._other.bundle)
            self.notifier.notify()
        return write_results(finding, source, kinds, folder, other=pending.other)

    def _finish(self, job: Job) -> None:
        """Forget what the files say by now; delete those of an image that was deleted in the meantime."""
        self._pending.pop(job.name, None)
        if self.queue.find(job.number) is None:
            self._spool.delete(job.name)
        self.notifier.notify()

    def _with_pending(self, job: Job) -> tuple[Job, Pending | None]:
        """Return a row with what is known before its files are written; read again if they have been by now."""
        pending = self._pending.get(job.name)
        if pending is None and job.state == "received" and job.is_claimed:
            job = self.queue.find(job.number) or job
        return job, pending

    def _entry(self, job: Job) -> Entry:
        job, pending = self._with_pending(job)
        if pending is not None:
            finding = pending.finding
            is_source_kept = is_kept(finding, self._kinds)
            return entry_of(job.number, finding.record(), object_names(finding.status, is_kept=is_source_kept))
        if job.state == "failed":
            return Entry(job.number, "failed")
        if job.state == "received":
            return Entry(job.number, "screening" if job.is_claimed else "waiting")
        if job.number not in self._found:
            self._found[job.number] = self._read_entry(job)
        return self._found[job.number]

    def _read_entry(self, job: Job) -> Entry:
        folder = self.folder(job)
        try:
            record = read_record(folder)
        except (OSError, ValueError):  # of a node, whose results are objects alone and may be forwarded
            return Entry(job.number, "scored" if job.outcome == "scored" else "refused")
        return entry_of(job.number, record, object_names(record["status"], is_kept=(folder / SOURCE).is_file()))
