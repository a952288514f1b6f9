"""Screens an upload while its file is synced and its row is written, which take as long as reading it."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cxrnet.errors import RadiographError
from cxrnet.screening.finding import Finding
from cxrnet.screening.pipeline import Pipeline


class EarlyScreening:
    """A pipeline for the workers of a queue, which may have started with a file before a worker asks for it."""

    def __init__(self, pipeline: Pipeline, jobs: int) -> None:
        self._pipeline, self._jobs = pipeline, jobs
        self._threads = ThreadPoolExecutor(max(1, jobs), "early screening")
        self._started: dict[Path, Future[Finding]] = {}
        self._lock = threading.Lock()

    def start(self, source: Path) -> None:
        """Start with a file, if a thread is free; its finding is kept until a worker asks for it."""
        with self._lock:
            self._started = {path: future for path, future in self._started.items() if path.exists()}
            if len(self._started) < self._jobs:
                self._started[source] = self._threads.submit(self._pipeline.screen, source)

    def screen(self, source: Path, *, name: str) -> Finding:
        """Return the finding for a file, as `Pipeline.screen` does."""
        with self._lock:
            started = self._started.pop(source, None)
        if started is not None:
            try:
                return started.result().model_copy(update={"input": name})
            except RadiographError:  # its words call the file by another name
                pass
        return self._pipeline.screen(source, name=name)

    def close(self) -> None:
        """End the threads; what was started is finished first."""
        self._threads.shutdown()
