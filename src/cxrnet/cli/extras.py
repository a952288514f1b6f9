"""What the command line says when the libraries of an extra are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from cxrnet.errors import MissingExtraError


def needs_training(verb: str) -> AbstractContextManager[None]:
    """Turn the missing library of an import into one line that names the extra `train`.

    Raises:
        MissingExtraError: A library is not installed.
    """
    return _needs("train", verb)


def needs_dicom(verb: str) -> AbstractContextManager[None]:
    """Turn the missing library of an import into one line that names the extra `dicom`.

    Raises:
        MissingExtraError: A library is not installed.
    """
    return _needs("dicom", verb)


@contextmanager
def _needs(extra: str, verb: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cxrnet"):
            raise
        msg = f"{verb}: {error.name} is not installed; pip install 'cxrnet[{extra}]'"
        raise MissingExtraError(msg) from error
