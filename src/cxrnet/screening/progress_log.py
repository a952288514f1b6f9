"""What a run over many images has done so far: an SQLite database in the results folder that survives any kill.

A row is committed when all results of its image are in place. Write-ahead logging appends and syncs once per commit;
the exclusive lock keeps a second run out of the folder, and needs no shared memory.
"""

import errno
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from cxrnet.errors import CxrNetError, OutputError, UsageError
from cxrnet.screening.inputs import Input

PROGRESS = "progress.sqlite"
LEGACY = "journal.jsonl"
"""The progress log of cxrnet 0.1, which this version does not read."""

_SCHEMA = (
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "CREATE TABLE IF NOT EXISTS run (settings TEXT, is_finished INTEGER)",
    "CREATE TABLE IF NOT EXISTS done (input BLOB PRIMARY KEY, folder TEXT, file TEXT, outputs TEXT, outcome TEXT)",
)


class ProgressLog:
    """The progress log of a run in one folder, locked while it is open; use it in a `with` statement.

    Several threads may call `recorded` while one calls `add`. `settings` are everything but the input that the results
    depend on. Without `resume` a run that was stopped is refused, and a finished one starts over.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = folder
        self.path = folder / PROGRESS
        self.is_continued = False
        self._lock = threading.Lock()
        if (folder / LEGACY).exists():
            raise UsageError(
                f"{folder}: holds {LEGACY}, the progress log of an older cxrnet; choose another folder, or remove it "
                "to start over"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError.of(folder, error) from error
        try:
            self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        try:
            self._start(json.dumps(settings, sort_keys=True), resume)
        except BaseException:
            self._database.close()
            raise

    def recorded(self, item: Input) -> str | None:
        """Return the outcome of an image that is done, as given to `add`; None for one that is to be done.

        An image is done again if its file or its patient data have changed since, or if one of its results is missing
        or of another size, or its entry is damaged.
        """
        rows = self._execute("SELECT folder, file, outputs, outcome FROM done WHERE input = ?", _key(item))
        for folder, file, outputs, outcome in rows:
            with suppress(ValueError, TypeError, AttributeError):  # a damaged entry
                is_same = folder == item.folder and json.loads(file) == fingerprint(item)
                if is_same and json.loads(outputs).items() <= sizes(self.folder / item.folder).items():
                    return str(outcome)
        return None

    def add(self, item: Input, file: list[int] | None, outcome: str) -> None:
        """Record that all results of an image are in place; `file` is its `fingerprint` before it was read."""
        outputs = json.dumps(sizes(self.folder / item.folder))
        row = (_key(item), item.folder, json.dumps(file), outputs, outcome)
        self._execute("INSERT OR REPLACE INTO done VALUES (?, ?, ?, ?, ?)", *row)

    def outcomes(self, items: Sequence[Input]) -> Iterator[str]:
        """Yield the outcomes of the images that are done, in the order of `items`, one in memory at a time."""
        for item in items:
            for (outcome,) in self._execute("SELECT outcome FROM done WHERE input = ?", _key(item)):
                yield str(outcome)

    def finish(self) -> None:
        """Record that the run is complete; the next one starts over."""
        self._execute("UPDATE run SET is_finished = 1")

    def close(self) -> None:
        """Release the folder."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _start(self, settings: str, resume: bool) -> None:
        """Continue the run that is there, or start over."""
        for statement in _SCHEMA:
            self._execute(statement)
        ((count,),) = self._execute("SELECT count(*) FROM done")
        runs = self._execute("SELECT settings, is_finished FROM run")
        if not count or not runs or (runs[0][1] and not resume):
            for statement in ("BEGIN", "DELETE FROM done", "DELETE FROM run"):
                self._execute(statement)
            self._execute("INSERT INTO run VALUES (?, 0)", settings)
            self._execute("COMMIT")
            return
        try:
            earlier = dict(json.loads(runs[0][0]))
        except (ValueError, TypeError) as error:
            raise self._failure(sqlite3.DatabaseError("its settings cannot be read")) from error
        check_resumable(self.folder, f"{count} images", PROGRESS, earlier, json.loads(settings), resume=resume)
        self._execute("UPDATE run SET is_finished = 0")
        self.is_continued = True

    def _execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._lock:
                return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> CxrNetError:
        """Return what a user can do about an error of the database."""
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_BUSY"):
            return UsageError(f"{self.folder}: another run is writing there; wait for it, or choose another folder")
        if isinstance(error, sqlite3.OperationalError):
            why = os.strerror(errno.ENOSPC) if name == "SQLITE_FULL" else str(error)
            return OutputError.of(self.path, OSError(errno.EIO, why))
        return UsageError(
            f"{self.path}: is not a progress log of this version of cxrnet, or damaged ({error}); choose another "
            "folder, or remove it to start over"
        )


def check_resumable(
    folder: object, done: str, record: str, earlier: Mapping[str, Any], now: Mapping[str, Any], *, resume: bool
) -> None:
    """Check that the run that is in a folder may be continued."""
    if not resume:
        raise UsageError(
            f"{folder}: holds a run that was stopped after {done}; continue it with --resume, "
            f"or choose another folder, or remove {record} to start over"
        )
    for name in sorted(now.keys() | earlier.keys()):
        if now.get(name) != earlier.get(name):
            raise UsageError(
                f"{folder}: its run was started with {name} {_shown(earlier.get(name))}, not "
                f"{_shown(now.get(name))}; resume it with the same, or choose another folder"
            )


def fingerprint(item: Input) -> list[int] | None:
    """Return size and time of change of a file in nanoseconds, None where it is missing: cheaper than its digest.

    Patient data from a table add a checksum of their own. An object in a store is not asked for: that would cost as
    much as reading it.
    """
    try:
        status = None if item.address else item.path.stat()
    except (OSError, ValueError):
        return None
    patient = [zlib.crc32(repr(sorted(item.patient.items())).encode())] if item.patient else []
    return [*((status.st_size, status.st_mtime_ns) if status else ()), *patient]


def sizes(folder: Path) -> dict[str, int]:
    """Return file name -> size of the results in a folder, {} where it is missing; files half written do not count."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if not entry.name.startswith(".")}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _key(item: Input) -> bytes:
    return os.fsencode(item.source)  # a name of any bytes


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
