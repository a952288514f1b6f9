"""Files that are whole or not there: written aside, synced, renamed into place."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from cxrnet.errors import OutputError

_ASIDE = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def write_atomic(path: Path, content: bytes | Iterable[bytes]) -> None:
    """Write `content` so that whoever looks, at any time and after any crash, finds the old file or the new.

    The folder is made if need be. Of content in several pieces one is held in memory at a time.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.writelines([content] if isinstance(content, bytes) else content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError.of(path, error) from error


def remove(path: Path) -> None:
    """Remove a file, if it is there; OutputError if it cannot be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{path}: cannot be replaced ({error.strerror}); remove it or choose another folder"
        raise OutputError(msg) from error


def remove_partial_files(folder: Path) -> None:
    """Remove what a killed `write_atomic` has left in a folder; nobody else may be writing there."""
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if _ASIDE.fullmatch(path.name):
            remove(path)
