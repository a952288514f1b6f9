"""What can be handed over in place of a path: open files and bytes."""

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cxrnet.imaging.radiograph import Fault, fault, refusing

_UNNAMED = "file"


@contextmanager
def as_file(source: Any) -> Iterator[tuple[str | os.PathLike[str], str]]:
    """A path that another process can open, and the name for messages: of a path, a file, bytes or a pydicom data set.

    Raises:
        RadiographError: UNREADABLE for anything else, and for a file that is closed or opened as text.
    """
    if isinstance(source, str | os.PathLike):
        path = os.fsdecode(source)
        yield path, Path(path).name or path
        return
    given = getattr(source, "name", None)
    name = (Path(given).name if isinstance(given, str) else "") or _UNNAMED
    if type(source).__module__.startswith("pydicom."):
        content: object = _encode(source, name)
    else:
        content = _read_all(source) if hasattr(source, "read") else source
    if not isinstance(content, bytes | bytearray | memoryview):
        problem = f"{type(source).__name__} is not a path, a file open for reading in binary mode, bytes or an array"
        raise fault(Fault.UNREADABLE, name, problem, "give one of these, or a Radiograph")
    with tempfile.TemporaryDirectory(prefix="cxrnet-") as folder:
        copy = Path(folder) / _UNNAMED
        copy.write_bytes(content)
        yield copy, name


def _read_all(source: Any) -> object:
    """The whole content of an open file, None where it cannot be read."""
    try:
        if not hasattr(source, "seekable") or source.seekable():
            with suppress(AttributeError):
                source.seek(0)
        return source.read()
    except Exception:  # whatever the file of another library raises
        return None


def _encode(dataset: Any, name: str) -> bytes:
    """The file of a pydicom data set."""
    buffer = io.BytesIO()
    with refusing(name, "encoding the data set"):
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
