"""What can be handed over in place of a path: open files and bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cxrnet.imaging.radiograph import Fault, fault

_UNNAMED = "file"


@contextmanager
def as_file(source: Any) -> Iterator[tuple[str | os.PathLike[str], str]]:
    """A path that another process can open, and the name for messages, of a path, an open file or bytes.

    Raises:
        RadiographError: UNREADABLE for anything else, and for a file that is closed or opened as text.
    """
    if isinstance(source, str | os.PathLike):
        yield source, Path(source).name or os.fsdecode(source)
        return
    given = getattr(source, "name", None)
    name = (Path(given).name if isinstance(given, str) else "") or _UNNAMED
    content = _read_all(source) if hasattr(source, "read") else source
    if not isinstance(content, bytes | bytearray | memoryview):
        problem = f"{type(source).__name__} is not a path, a file open for reading in binary mode, bytes or an array"
        raise fault(Fault.UNREADABLE, name, problem, "give one of these, or a Radiograph")
    with tempfile.TemporaryDirectory(prefix="cxrnet-") as folder:
        path = Path(folder) / _UNNAMED
        path.write_bytes(content)
        yield path, name


def _read_all(source: Any) -> object:
    """The whole content of an open file, None where it cannot be read."""
    try:
        if source.seekable():
            source.seek(0)
        return source.read()
    except (OSError, ValueError, AttributeError):
        return None
