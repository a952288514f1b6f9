"""What the command line says when the libraries of an extra are not installed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from cxrnet.errors import MissingExtraError


@contextmanager
def needs_training(verb: str) -> Iterator[None]:
    """Turn the missing library of an import into one line that names the extra `train`.

    Raises:
        MissingExtraError: A library is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cxrnet"):
            raise
        msg = f"{verb}: {error.name} is not installed; pip install 'cxrnet[train]'"
        raise MissingExtraError(msg) from error
