"""A file as a lock between processes, which the system releases when its process ends, however it ends."""

from typing import IO

try:
    import fcntl
except ImportError:  # Windows: there another process is not noticed
    fcntl = None  # type: ignore[assignment]


def try_lock(file: IO[str]) -> bool:
    """Lock an open file until it is closed; return whether no other process has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
