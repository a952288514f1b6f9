"""Logs without identifiers."""

import hashlib
import logging
import threading
import traceback
import warnings
from pathlib import Path


def configure_logging() -> None:
    """Log the messages of cxrnet on standard error, and none of the libraries.

    Messages of pydicom and pynetdicom, and the text of exceptions, can quote a file: of an exception the class and the
    line are logged, and nothing else.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    own = logging.getLogger("cxrnet")
    own.handlers, own.propagate = [handler], False
    own.setLevel(logging.INFO)
    for name in ("pydicom", "pynetdicom", "highdicom", "dicomweb_client", "urllib3"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [logging.NullHandler()], False
    warnings.simplefilter("ignore")

    def log_exception(arguments: threading.ExceptHookArgs) -> None:
        name = arguments.thread.name if arguments.thread else "a thread"
        own.error("%s ended (%s)", name, error_location(arguments.exc_value) if arguments.exc_value else "unknown")

    threading.excepthook = log_exception


def error_location(error: BaseException) -> str:
    """Return the class of an exception and the line it came from; its text, which can quote a file, is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def digest(uid: str) -> str:
    """Return the name of a study or an instance in logs, status and file names: 16 digits of the SHA-256 of its UID.

    With the UID its lines can be found (`printf %s UID | sha256sum`); the UID cannot be found from the lines.
    """
    return hashlib.sha256(uid.encode("utf-8", "surrogateescape")).hexdigest()[:16]
