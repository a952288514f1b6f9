"""The folder of a node: received files, results, the queue, and a lock that admits one node at a time.

    SPOOL/queue.db          the queue
    SPOOL/incoming/NAME     an instance as it was received, as a DICOM file
    SPOOL/results/NAME/     the objects made of it
    SPOOL/lock              locked by the node that runs

`NAME` is made up here. Files hold patients' data: the folder is for the node's own user alone.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

from cxrnet.errors import NodeError, OutputError
from cxrnet.lock import try_lock
from cxrnet.node.queue import Queue


class Spool:
    """A node's folder, made if it does not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming, self.results = folder / "incoming", folder / "results"
        self._lock_file: IO[str] | None = None
        try:
            for each in (folder, self.incoming, self.results):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise NodeError(f"{folder}: cannot be used as a spool ({error.strerror}); choose another folder") from error

    def open_queue(self) -> Queue:
        """Return the queue; close it at the end."""
        return Queue(self.folder / "queue.db")

    def lock(self) -> None:
        """Keep other nodes out until `unlock`, or until this process ends in any way."""
        file = (self.folder / "lock").open("w")
        if not try_lock(file):
            file.close()
            raise NodeError(f"{self.folder}: another node uses this spool; stop it, or choose another spool")
        self._lock_file = file

    def unlock(self) -> None:
        """Allow other nodes."""
        if self._lock_file is not None:
            self._lock_file.close()
            self._lock_file = None

    def is_locked(self) -> bool:
        """Return whether a node uses it."""
        try:
            with (self.folder / "lock").open("r+") as file:
                return not try_lock(file)
        except FileNotFoundError:
            return False

    def free_bytes(self) -> int:
        """Return the room that is left on the disk."""
        return shutil.disk_usage(self.folder).free

    def store(
        self, parts: Iterable[bytes | memoryview], *, written: Callable[[Path], None] | None = None
    ) -> tuple[str, int]:
        """Write a file that was received, synced to the disk; return its name and size.

        Nothing is left behind if the disk cannot take it.
        """
        name = secrets.token_hex(8)
        path = self.source(name)
        try:
            with path.open("xb") as file:
                size = sum(file.write(part) for part in parts)
                file.flush()
                if written is not None:
                    written(path)
                os.fsync(file.fileno())
            _sync(self.incoming)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return name, size

    def source(self, name: str) -> Path:
        """Return the path of what was received under a name."""
        return self.incoming / f"{name}.dcm"

    def objects(self, name: str) -> list[Path]:
        """Return the results of a name, in the order of their names."""
        return sorted(self.results.joinpath(name).glob("*.dcm"))

    def reset_results(self, name: str) -> Path:
        """Return an empty folder for the results of a name; those of an interrupted run are deleted."""
        folder = self.results / name
        try:
            if folder.exists():
                shutil.rmtree(folder)
            folder.mkdir()
        except OSError as error:
            raise OutputError(f"{folder}: cannot be made ({error.strerror}); free space") from error
        return folder

    def sync_results(self, name: str) -> None:
        """Sync the folders of the results of a name to the disk; the files were synced when they were written."""
        _sync(self.results / name)
        _sync(self.results)

    def delete(self, name: str, *, source: bool = True, results: bool = True) -> None:
        """Delete the files of a name."""
        if source:
            self.source(name).unlink(missing_ok=True)
        if results:
            shutil.rmtree(self.results / name, ignore_errors=True)

    def sweep(self, queue: Queue) -> None:
        """Delete files that no row needs: those of a step that was cut off before, or after, its row was written."""
        rows = {row.name: row.state for row in queue.rows()}
        for path in self.incoming.iterdir():
            if rows.get(path.stem) not in ("received", "failed"):
                path.unlink(missing_ok=True)
        for path in self.results.iterdir():
            if rows.get(path.name) not in ("screened", "failed"):
                shutil.rmtree(path, ignore_errors=True)


def _sync(path: Path) -> None:
    """Return when a file, or the entries of a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
