"""Reading files in a child process that may hang, crash or run out of memory in place of the program.

`subprocess` and not `multiprocessing`: a script without `if __name__ == "__main__"` works too.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from cxrnet.errors import RadiographError, UsageError
from cxrnet.imaging.child import Child, take_child
from cxrnet.imaging.protocol import receive, receive_pixels, send
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, fault

if TYPE_CHECKING:
    from cxrnet.imaging.label_map import LabelMap
from cxrnet.imaging.sources import as_file

FileSource = str | os.PathLike[str] | bytes | BinaryIO
"""A file by its path, as its bytes, or open in binary mode."""

_START_SECONDS = 60.0
_REPLACED_AFTER = (Fault.DECODER_MEMORY, Fault.DECODER_DIED)  # the child ends itself after these


class Decoder:
    """Reads files one after the other in a child process that it starts, watches and replaces.

    Use it as a context manager, from one thread at a time; several threads take one each. Where there is no
    `resource` module (Windows) only the time of a file is limited, not its memory.

    Args:
        limits: What one file may cost.
        identifiers: Whether the radiographs tell whose they are.
    """

    def __init__(self, limits: Limits | None = None, *, identifiers: bool = False) -> None:
        self.limits = limits or Limits()
        self.identifiers = identifiers
        self._child: Child | None = None
        self._is_ready = self._is_closed = False
        self._served = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def start(self) -> None:
        """Start the child without waiting for it: it gets ready while the caller does other things."""
        if self._child is None:
            self._child = take_child()
            self._is_ready, self._served = False, 0

    def close(self) -> None:
        """End the child; nothing can be read any more."""
        self._is_closed = True
        self._end()

    def _end(self) -> None:
        """End the child; the next `read` starts another."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    def read(self, source: FileSource, *, name: str | None = None) -> Radiograph:
        """The radiograph in a file: DICOM, PNG, JPEG, TIFF, WebP, BMP or still GIF, by its content.

        Args:
            source: A regular file, by its path, open in binary mode, or as its bytes; or a pydicom data set.
            name: What messages and results call it; default: the name of the file.

        Raises:
            RadiographError: It is not a readable radiograph; `code` is a `Fault`.
            UsageError: The decoder is closed.
        """
        with as_file(source) as (path, own_name):
            return _unpack(self._ask(path, str(name or own_name), labels=False))

    def read_labels(self, path: str | os.PathLike[str]) -> LabelMap:
        """The stored values of the mask in a file, unscaled.

        Args:
            path: A regular file.

        Raises:
            RadiographError: It is not a readable mask; `code` is a `Fault`.
        """
        from cxrnet.imaging.label_map import LabelMap  # Pillow is not needed before

        answer = self._ask(path, Path(path).name or os.fsdecode(path), labels=True)
        fields = answer["fields"]
        palette = tuple((int(entry), int(colour)) for entry, colour in fields.pop("palette"))
        return LabelMap(values=answer["pixels"], palette=palette, **fields)

    def _ask(self, path: str | os.PathLike[str], name: str, *, labels: bool) -> dict[str, Any]:
        """The child's answer about a file, pixels included."""
        if self._is_closed:
            raise UsageError("decoder: is closed; open another")
        check_file(path, name, self.limits)
        self.start()
        child = cast(Child, self._child)
        try:
            if not self._is_ready:
                terms = {"limits": asdict(self.limits), "identifiers": self.identifiers}
                _exchange(child, terms, name, _START_SECONDS, self.limits)
                self._is_ready = True
            request = {"path": os.path.abspath(os.fsdecode(path)), "name": name, "labels": labels}
            answer = _exchange(child, request, name, self.limits.seconds, self.limits)
        except BaseException:  # an interrupted exchange leaves half an answer behind
            self._end()
            raise
        self._served += 1
        if self._served >= self.limits.files_per_child or answer.get("code") in _REPLACED_AFTER:
            self._end()
        if "code" in answer:
            raise RadiographError(Fault(answer["code"]), answer["line"])
        return answer


def read_radiograph(source: FileSource, *, limits: Limits | None = None) -> Radiograph:
    """The radiograph in one file, decoded by a child process of its own; for many files, use a `Decoder`.

    Args:
        source: A regular file, by its path, open in binary mode, or as its bytes; or a pydicom data set.
        limits: What the file may cost.

    Raises:
        RadiographError: It is not a readable radiograph; `code` is a `Fault`.
    """
    with Decoder(limits) as decoder:
        return decoder.read(source)


def check_file(path: str | os.PathLike[str], name: str, limits: Limits) -> None:
    """Refuse what is not a regular file of an acceptable size, without opening it: a FIFO would block.

    Raises:
        RadiographError: NOT_FOUND, NOT_A_FILE, UNREADABLE or TOO_LARGE.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        problem = "a link to nothing" if os.path.islink(path) else "no such file"
        raise fault(Fault.NOT_FOUND, name, problem, "give an existing file") from error
    except PermissionError as error:
        raise fault(Fault.UNREADABLE, name, "permission denied", "a readable file is needed") from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long, or one with a null byte
        raise fault(Fault.NOT_FOUND, name, "not a usable path", "give an existing file") from error
    if not stat.S_ISREG(status.st_mode):
        problem = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, pipe or socket"
        if stat.S_ISDIR(status.st_mode) and not os.access(path, os.R_OK | os.X_OK):
            problem = "a folder that cannot be listed"
        raise fault(Fault.NOT_A_FILE, name, problem, "give a regular file")
    if status.st_size == 0:
        raise fault(Fault.UNREADABLE, name, "the file is empty", "copy or export it again")
    if status.st_size > limits.file_bytes:
        problem = f"the file is {status.st_size} bytes"
        raise fault(Fault.TOO_LARGE, name, problem, f"at most {limits.file_bytes} bytes are read")


class _Clock:
    """Kills a process when a block of code takes too long."""

    def __init__(self, seconds: float, process: subprocess.Popen[bytes]) -> None:
        self.has_struck = False
        self._process = process
        self._timer = threading.Timer(seconds, self._strike)
        self._timer.daemon = True

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _strike(self) -> None:
        self.has_struck = True
        self._process.kill()


def _exchange(child: Child, message: dict[str, Any], name: str, seconds: float, limits: Limits) -> dict[str, Any]:
    """The child's answer, pixels included, within `seconds`.

    The clock kills the child, which ends the blocking read: this works on the pipes of every platform.
    """
    clock = _Clock(seconds, child.process)
    try:
        with clock:
            send(child.requests, message)
            answer = receive(child.answers)
            if "shape" in answer:
                answer["pixels"] = receive_pixels(child.answers, answer["shape"], most=limits.pixels)
    except (EOFError, OSError, ValueError) as error:
        if clock.has_struck:
            problem = f"decoding took longer than {seconds:g} s"
            raise fault(Fault.DECODER_TIME, name, problem, "the file is damaged or far too large") from error
        problem = f"the decoder died ({_cause_of_death(child.process)})"
        raise fault(Fault.DECODER_DIED, name, problem, "the file is damaged") from error
    return answer


def _cause_of_death(process: subprocess.Popen[bytes]) -> str:
    """How a child ended, for example "SIGSEGV"; one that does not speak the protocol is killed for it."""
    try:
        code = process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return "answered with nonsense"
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _unpack(answer: dict[str, Any]) -> Radiograph:
    """The radiograph in the child's answer."""
    fields = answer["fields"]
    spacing = fields.pop("spacing_mm")
    curve = fields.pop("tone_curve")
    return Radiograph(
        pixels=answer["pixels"],
        spacing_mm=None if spacing is None else (spacing[0], spacing[1]),
        history=tuple(fields.pop("history")),
        warnings=tuple(fields.pop("warnings")),
        tone_curve=tuple((float(value), float(shown)) for value, shown in curve),
        **fields,
    )
