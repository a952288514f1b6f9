"""Screens an upload while its file is synced and its row is written, which take as long as reading it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cxrnet.errors import RadiographError
from cxrnet.screening.finding import Finding
from cxrnet.screening.pipeline import Pipeline


class Ahead:
    """A pipeline for the workers of a queue, which may have begun with a file before a worker asks for it.

    Args:
        pipeline: The model.
        jobs: Files that may be begun at once.
    """

    def __init__(self, pipeline: Pipeline, jobs: int) -> None:
        self._pipeline, self._jobs = pipeline, jobs
        self._threads = ThreadPoolExecutor(max(1, jobs), "screening ahead")
        self._begun: dict[Path, Future[Finding]] = {}
        self._lock = threading.Lock()

    def begin(self, source: Path) -> None:
        """Begin with a file, if a thread is free; its finding is kept until a worker asks for it."""
        with self._lock:
            self._begun = {path: future for path, future in self._begun.items() if path.exists()}
            if len(self._begun) < self._jobs:
                self._begun[source] = self._threads.submit(self._pipeline.screen, source)

    def screen(self, source: Path, *, name: str) -> Finding:
        """Return the finding for a file, as `Pipeline.screen` does.

        Raises:
            RadiographError: The file is not a readable radiograph.
        """
        with self._lock:
            begun = self._begun.pop(source, None)
        if begun is not None:
            try:
                return begun.result().model_copy(update={"input": name})
            except RadiographError:  # its words call the file by another name
                pass
        return self._pipeline.screen(source, name=name)

    def close(self) -> None:
        """End the threads; what was begun is finished first."""
        self._threads.shutdown()
