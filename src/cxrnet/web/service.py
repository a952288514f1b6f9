"""The service behind the page: the spool of a node, worked off in threads, and listed for the pages that watch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from cxrnet.node.queue import Job, Queue
from cxrnet.node.spool import Spool
from cxrnet.node.worker import ScreeningTask, Worker
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.pipeline import Pipeline
from cxrnet.web.intake import RateLimit, RequestError, UploadLimits
from cxrnet.web.page_model import describe_model
from cxrnet.web.results import object_kinds, object_names, read_record, write_missing_objects, write_results

LOG = logging.getLogger(__name__)

SENDER = "web"
KEEP_DAYS = 30.0

EntryStatus = Literal["waiting", "screening", "scored", "refused", "failed"]


@dataclass(frozen=True)
class Entry:
    """One image as the page lists it.

    Attributes:
        number: What it is called by.
        status: Where it is, or what was found.
        score: Of the first class; None unless scored.
        uncertain: Whether the folds leave the answer open.
        objects: Names of the DICOM objects that can be had of it.
    """

    number: int
    status: EntryStatus
    score: float | None = None
    uncertain: bool = False
    objects: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return what the API answers."""
        return asdict(self)


class Service:
    """A service from its start to its end; use it in a `with` statement.

    Args:
        spool: Folder of the queue, of what was received and of the results: that of a node.
        pipeline: The model; it is the caller's to close.
        jobs: Images that are screened at once.
        limits: What may be uploaded.
        keep_days: Days after which finished images are deleted.
    """

    def __init__(
        self,
        spool: Path,
        pipeline: Pipeline,
        *,
        jobs: int = 1,
        limits: UploadLimits | None = None,
        keep_days: float = KEEP_DAYS,
    ) -> None:
        self.model = describe_model(pipeline.bundle)
        self.limits = limits or UploadLimits()
        self.rate = RateLimit(self.limits.per_minute)
        self.stopping = threading.Event()
        self._spool, self._pipeline, self._jobs, self._keep_days = Spool(spool), pipeline, jobs, keep_days
        self._threads: list[threading.Thread] = []
        self._making = threading.Lock()
        self._found: dict[int, Entry] = {}
        self._queue: Queue | None = None

    def __enter__(self) -> Self:
        """Begin: what an earlier run left is screened first.

        Raises:
            NodeError: The spool is in use, or cannot be used.
        """
        self._spool.lock()
        self._queue = queue = self._spool.open_queue()
        queue.release()
        for job in queue.delete_finished("screened", "failed", before=time.time() - self._keep_days * 86400):
            self._spool.delete(job.name)
        self._spool.sweep(queue)
        screening = ScreeningTask(self._pipeline, queue, self._spool, kinds=object_kinds(), write=write_results)
        for index in range(1, self._jobs + 1):
            worker = Worker(f"screening {index}", "received", screening, queue, stop=self.stopping)
            worker.start()
            self._threads.append(worker)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End: the image under way may finish, the rest waits for the next start."""
        self.stopping.set()
        for thread in self._threads:
            thread.join(20)
        self.queue.close()
        self._spool.unlock()

    @property
    def queue(self) -> Queue:
        """The queue of the spool."""
        if self._queue is None:
            raise RuntimeError("the service has not been started")
        return self._queue

    def check_room(self) -> None:
        """Refuse an upload where there is no room for it.

        Raises:
            RequestError: Too many wait, or too many come, or the disk is full.
        """
        self.rate.take()
        if self.queue.waiting() >= self.limits.waiting:
            raise RequestError(503, f"{self.limits.waiting} images wait already; send the rest later")
        if self._spool.free_bytes() < self.limits.free_bytes:
            raise RequestError(507, f"less than {self.limits.free_bytes} bytes are free; delete images")

    def take(self, parts: Iterable[bytes]) -> Entry:
        """Write a file to the spool and queue it; both are on the disk when this returns."""
        name, size = self._spool.store(parts)
        try:
            number = self.queue.add(name=name, instance="", sender=SENDER, size=size)
        except BaseException:
            self._spool.delete(name)
            raise
        return Entry(number, "waiting")

    @property
    def version(self) -> int:
        """Something that differs whenever the answer of `entries` does."""
        return self.queue.changes

    def entries(self) -> list[Entry]:
        """Return all images in the order they came."""
        return [self._entry(job) for job in self.queue.rows()]

    def entry(self, number: int) -> Entry | None:
        """Return an image, None for an unknown number."""
        job = self.queue.find(number)
        return None if job is None else self._entry(job)

    def finding(self, number: int) -> dict[str, Any] | None:
        """Return the record of a finished image, None before it is screened."""
        job = self.queue.find(number)
        if job is None or job.state == "received":
            return None
        if job.state == "failed":
            reason = Reason(job.code, job.reason)
            return Finding.failed(f"job {number}", reason, self._pipeline.bundle).record()
        return read_record(self.folder(job))

    def result(self, number: int, name: str) -> Path | None:
        """Return the path of a file of results, None for an unknown name."""
        job = self.queue.find(number)
        path = None if job is None else self.folder(job) / name
        return path if path is not None and path.is_file() else None

    def object(self, number: int, name: str) -> Path | None:
        """Return the path of a DICOM object, made when first asked for; None for an image that has none of this name.

        Raises:
            RequestError: The image was screened with another model.
            ObjectError: The file lacks what an object must refer to.
            OutputError: The disk cannot take it.
        """
        job = self.queue.find(number)
        if job is None or name not in self._entry(job).objects:
            return None
        path = self.folder(job) / name
        with self._making:
            if not path.is_file():
                written = write_missing_objects(self._pipeline, self.folder(job))
                if written.corrections:
                    LOG.info("job %d: corrected in its objects: %s", number, "; ".join(written.corrections))
        return path if path.is_file() else None

    def delete(self, number: int) -> bool:
        """Delete an image with its results and return whether it was there."""
        job = self.queue.delete(number)
        self._found.pop(number, None)
        if job is None:
            return False
        self._spool.delete(job.name)
        return True

    def folder(self, job: Job) -> Path:
        """Return the folder of the results of an image."""
        return self._spool.results / job.name

    def _entry(self, job: Job) -> Entry:
        if job.state == "failed":
            return Entry(job.number, "failed")
        if job.state == "received":
            return Entry(job.number, "screening" if job.is_claimed else "waiting")
        if job.number not in self._found:
            self._found[job.number] = self._read_entry(job)
        return self._found[job.number]

    def _read_entry(self, job: Job) -> Entry:
        folder = self.folder(job)
        status: EntryStatus = "scored" if job.outcome == "scored" else "refused"
        try:
            record = read_record(folder)
        except (OSError, ValueError):  # of a node, whose results are objects alone and may be forwarded
            return Entry(job.number, status)
        scores = record["scores"]
        score = scores[self.model["classes"][0]] if isinstance(scores, dict) else None
        return Entry(job.number, status, score, bool(record["uncertain"]), tuple(object_names(folder)))


def default_spool() -> Path:
    """Return the folder where the service keeps its queue and results by default."""
    import platformdirs

    return Path(platformdirs.user_data_dir("cxrnet", appauthor=False)) / "service"
