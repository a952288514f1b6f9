"""What a run over many images has done so far: whole lines on disk that no kill can tear.

    {"journal": "cxrnet.journal/1", "settings": {...}}              what the run was begun with
    {"process": 4711}                                               who writes from here on
    {"input": ..., "folder": ..., "file": ..., "outputs": ..., "entry": ...}     one image that is done
    {"end": 3}                                                      all images are done, and the table is written

A line is written and synced when all results of its image are in place. A torn last line is the trace of a crash, is
told by its missing line break, and is cut off. The last line of an input counts.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from cxrnet.errors import OutputError, UsageError
from cxrnet.screening.inputs import Input

JOURNAL = "journal.jsonl"
FORM = "cxrnet.journal/1"
_OF_IMAGE = {"input", "folder", "file", "outputs", "entry"}


class Journal:
    """The journal of a run in one folder, locked while it is open; use it in a `with` statement.

    Only the place of each line is held in memory, about 150 bytes an image. Several threads may call `recall` while
    one calls `add`. Where there is no `fcntl` module (Windows) a second run into the folder is not noticed.

    Args:
        folder: Where the results are; made if need be.
        settings: All that the results depend on but the input, as JSON.
        resume: Whether a run that is there is continued; otherwise a finished one is begun anew.

    Raises:
        UsageError: Another run is writing there, its run is not finished and `resume` is not set, or it was begun
            with other settings, or the journal is damaged.
        OutputError: The journal cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = folder
        self.path = folder / JOURNAL
        self.is_continued = False
        self._places: dict[str, int] = {}
        self._reading = threading.Lock()
        self._file = self._open()
        try:
            self._lock()
            self._begin(json.loads(json.dumps(settings)), resume)
        except BaseException:
            self._file.close()
            raise

    def recall(self, item: Input) -> Any:
        """Return the entry of an image that is done, None for one to be done.

        One whose file has changed since, or of whose results one is missing or of another size, is done again.
        """
        line = self._line_of(item)
        if line is None or line["folder"] != item.folder or line["file"] != fingerprint(item.path):
            return None
        is_whole = line["outputs"].items() <= sizes(self.folder / item.folder).items()
        return line["entry"] if is_whole else None

    def add(self, item: Input, file: list[int] | None, entry: Any) -> None:
        """Note that all results of an image are in place.

        Args:
            item: The image.
            file: Its `fingerprint` before it was read.
            entry: What `recall` and `entries` give back, as JSON.

        Raises:
            OutputError: The disk cannot take it; the line is not there then.
        """
        outputs = sizes(self.folder / item.folder)
        line = {"input": str(item.path), "folder": item.folder, "file": file, "outputs": outputs, "entry": entry}
        self._places[str(item.path)] = self._append(line)

    def entries(self, items: Sequence[Input]) -> Iterator[Any]:
        """Yield the entries of the images that are done, in the order of `items`, one in memory at a time."""
        for item in items:
            line = self._line_of(item)
            if line is not None:
                yield line["entry"]

    def finish(self) -> None:
        """Note that the run is complete; what follows begins anew.

        Raises:
            OutputError: The disk cannot take it.
        """
        self._append({"end": len(self._places)})

    def close(self) -> None:
        """Let go of the folder."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> BinaryIO:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            return self.path.open("a+b", buffering=0)
        except OSError as error:
            raise self._unwritable(error) from error

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holders = [line["process"] for *_, line in self._lines() if "process" in line]
            who = f"process {holders[-1]}" if holders else "another run"
            raise UsageError(f"{self.folder}: {who} is writing there; wait for it, or choose another folder") from error
        except OSError as error:
            raise self._unwritable(error) from error

    def _begin(self, settings: dict[str, Any], resume: bool) -> None:
        """Take up what is there, or begin anew."""
        begun: dict[str, Any] | None = None
        is_finished, end = False, 0
        for start, end, line in self._lines():  # noqa: B007  (the end of the last whole line is needed below)
            if begun is None:
                begun = line
            elif "input" in line:
                self._places[line["input"]] = start
                is_finished = False
            elif "end" in line:
                is_finished = True
        if begun is not None and not _is_header(begun):
            msg = f"{self.path}: is not a journal of this version of cxrnet; choose another folder, or remove it"
            raise UsageError(msg)
        if begun is None or not self._places or (is_finished and not resume):
            self._places.clear()
            self._cut(0)
            self._append({"journal": FORM, "settings": settings})
        else:
            self._require_same(begun, settings, resume, is_finished)
            self._cut(end)
            self.is_continued = True
        self._append({"process": os.getpid()})

    def _require_same(self, begun: dict[str, Any], settings: dict[str, Any], resume: bool, is_finished: bool) -> None:
        if not resume:
            raise UsageError(
                f"{self.folder}: holds a run that was stopped after {len(self._places)} images; "
                f"continue it with --resume, or choose another folder, or remove {JOURNAL} to begin anew"
            )
        was = begun["settings"]
        for name in sorted(settings.keys() | was.keys()):
            if settings.get(name) != was.get(name):
                raise UsageError(
                    f"{self.folder}: its run was begun with {name} {_said(was.get(name))}, not "
                    f"{_said(settings.get(name))}; resume it with the same, or choose another folder"
                )

    def _lines(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Yield (start, end, line) for each whole line; a torn last one is passed by."""
        with self.path.open("rb") as file:
            end = 0
            for number, text in enumerate(file, start=1):
                start, end = end, end + len(text)
                line = _parse(text)
                if line is not None:
                    yield start, end, line
                elif file.read(1):
                    msg = f"{self.path}: line {number} is damaged; choose another folder, or remove it to begin anew"
                    raise UsageError(msg)

    def _line_of(self, item: Input) -> dict[str, Any] | None:
        place = self._places.get(str(item.path))
        if place is None:
            return None
        with self._reading, self.path.open("rb") as file:
            file.seek(place)
            return _parse(file.readline())

    def _append(self, line: dict[str, Any]) -> int:
        """Write a line and sync it; return where it begins."""
        text = json.dumps(line, separators=(",", ":")).encode("ascii") + b"\n"
        start = self._file.seek(0, os.SEEK_END)
        try:
            written = self._file.write(text)
            if written != len(text):
                self._file.write(text[written:])  # a short write comes before the error that explains it
            os.fsync(self._file.fileno())
        except OSError as error:
            self._file.truncate(start)
            raise self._unwritable(error) from error
        return start

    def _cut(self, length: int) -> None:
        try:
            self._file.truncate(length)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> OutputError:
        return OutputError(f"{self.path}: cannot be written ({error.strerror}); free space or choose another folder")


def fingerprint(path: Path) -> list[int] | None:
    """Return size and time of change of a file in nanoseconds, None where there is none: cheaper than its digest."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return [status.st_size, status.st_mtime_ns]


def sizes(folder: Path) -> dict[str, int]:
    """Return file name -> size of the results in a folder, {} where there is none; files half written do not count."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.stat().st_size for entry in entries if not entry.name.startswith(".")}
    except (FileNotFoundError, NotADirectoryError):
        return {}


def _parse(text: bytes) -> dict[str, Any] | None:
    """Return a whole line, None for a torn one."""
    if not text.endswith(b"\n"):
        return None
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    is_one = isinstance(line, dict) and ("input" not in line or line.keys() == _OF_IMAGE)
    return line if is_one else None


def _is_header(line: dict[str, Any]) -> bool:
    return line.get("journal") == FORM and isinstance(line.get("settings"), dict)


def _said(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)
