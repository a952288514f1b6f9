"""Files of a run in a folder or in an object store, `s3://bucket/prefix`: each whole or not there.

A store is reached through fsspec, whose package for S3 is s3fs; endpoint and credentials come from where botocore
looks for them: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `~/.aws/config`, the role of the machine.
"""

import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeGuard

from cxrnet.atomic import remove, write_atomic
from cxrnet.errors import CxrNetError, StoreError, require
from cxrnet.imaging.radiograph import Fault, Limits, fault
from cxrnet.imaging.sources import as_file

_ADDRESS = re.compile(r"s3://[^/]+")


def is_address(place: Path | str) -> TypeGuard[str]:
    """Return whether this names an object of a store, and not a file."""
    return isinstance(place, str) and _ADDRESS.match(place) is not None


class Store:
    """The folder of a run, on disk or at an address in an object store."""

    def __init__(self, place: Path | str) -> None:
        self.is_local = not is_address(place)
        self.place = place.rstrip("/") if is_address(place) else str(Path(place).absolute())

    def __str__(self) -> str:
        return self.place

    def names(self, folder: str) -> set[str]:
        """Return the names of the files in a folder; an empty set where there is no such folder."""
        if self.is_local:
            path = Path(self.place, folder)
            return {entry.name for entry in path.iterdir()} if path.is_dir() else set()
        with _errors(self.place):
            try:
                found = _s3().ls(f"{self.place}/{folder}", detail=False)
            except FileNotFoundError:
                return set()
            return {name.rsplit("/", 1)[-1] for name in found}

    def read(self, name: str) -> bytes | None:
        """Return the content of a file, None where it is missing."""
        try:
            if self.is_local:
                return Path(self.place, name).read_bytes()
            with _errors(self.place):
                return bytes(_s3().cat_file(f"{self.place}/{name}"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.place}/{name}: cannot be read ({error.strerror})") from error

    def write(self, name: str, content: bytes) -> None:
        """Write a file in one step: a reader finds the old one or the new."""
        if self.is_local:
            write_atomic(Path(self.place, name), content)
        else:
            with _errors(self.place):
                _s3().pipe_file(f"{self.place}/{name}", content)

    def remove(self, name: str) -> None:
        """Remove a file, if it is there."""
        if self.is_local:
            remove(Path(self.place, name))
        else:
            with _errors(self.place):
                _s3().rm_file(f"{self.place}/{name}")


@contextmanager
def local_copy(place: Path | str, limits: Limits) -> Iterator[Path]:
    """Give the file of an image; an object is copied into a temporary folder.

    Codes of a RadiographError: NOT_FOUND, UNREADABLE, TOO_LARGE.
    """
    if is_address(place):
        with as_file(_object(place, limits)) as (path, _):
            yield Path(path)
    else:
        yield Path(place)


@contextmanager
def open_source(place: Path | str) -> Iterator[IO[bytes]]:
    """Give a file or an object, open for reading; OSError if it cannot be read."""
    if is_address(place):
        with _errors(place):
            opened = _s3().open(place, "rb")
        with opened as file:
            yield file
    else:
        with open(place, "rb") as file:
            yield file


def _object(address: str, limits: Limits) -> bytes:
    try:
        with _errors(address):
            content = bytes(_s3().cat_file(address, start=0, end=limits.file_bytes + 1))
    except EOFError:
        return b""
    except FileNotFoundError as error:
        raise fault(Fault.NOT_FOUND, address, "no such object", "give an existing one") from error
    except PermissionError as error:
        raise fault(Fault.UNREADABLE, address, "permission denied", "a readable object is needed") from error
    if len(content) > limits.file_bytes:
        problem = f"the object is over {limits.file_bytes} bytes"
        raise fault(Fault.TOO_LARGE, address, problem, f"at most {limits.file_bytes} bytes are read")
    return content


@functools.cache
def _s3() -> Any:
    with require("s3", "s3://"):
        import fsspec
        import s3fs  # noqa: F401  # what fsspec needs for S3

    return fsspec.filesystem("s3", use_listings_cache=False)


@contextmanager
def _errors(place: str) -> Iterator[None]:
    """Turn what a store answers into errors of ours.

    But FileNotFoundError says that there is no such object, PermissionError that it may not be read, and EOFError that
    it has no byte of those asked for.
    """
    try:
        yield
    except (FileNotFoundError, CxrNetError):
        raise
    except Exception as error:  # s3fs passes on those of botocore and aiohttp
        code = getattr(error.__cause__, "response", {}).get("Error", {}).get("Code", "")
        if code in ("AccessDenied", "InvalidObjectState"):  # InvalidObjectState: in cold storage
            raise PermissionError(str(error)) from error
        if code == "InvalidRange":
            raise EOFError(place) from error
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"{place}: the store does not answer ({code or type(error).__name__}: {reason})") from error
