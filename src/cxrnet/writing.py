"""Files that are whole or not there: written aside, synced, renamed into place."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cxrnet.errors import OutputError


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` so that whoever looks, at any time and after any crash, finds the old file or the new.

    Raises:
        OutputError: The folder cannot be made or the disk cannot take it; nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        raise OutputError(msg) from error
