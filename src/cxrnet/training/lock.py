"""One training per run folder: a lock that the system releases when the process ends, however it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxrnet.errors import OutputError, UsageError

try:
    import fcntl
except ImportError:  # Windows: there a second training is not noticed
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"


@contextmanager
def lock_run(folder: Path) -> Iterator[None]:
    """Hold the run in `folder`; of the processes of a parallel training only the first does.

    Raises:
        UsageError: Another process trains in it.
        OutputError: The folder cannot be written.
    """
    if fcntl is None or not is_first_process():
        yield
        return
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("w")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            problem = "another process trains in this folder"
            raise UsageError(f"{folder}: {problem}; wait for it, or choose another --out") from error
        yield


def is_first_process() -> bool:
    """Return whether this is the process that writes, by what torchrun or Lightning says in the environment."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0
