"""The command line: one command per file.

Exit code: 0 all inputs processed, 1 some inputs failed, 2 wrong usage, 130 stopped by Ctrl-C.
"""

import gc
import os
import sys
from errno import EACCES, EDQUOT, EIO, ELOOP, EMFILE, ENAMETOOLONG, ENFILE, ENOSPC, EPERM, EROFS, ESTALE
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from cxrnet.errors import CxrNetError, OutputError, UsageError
from cxrnet.imaging import child

if TYPE_CHECKING:
    import typer

    app: typer.Typer

__all__ = ["app", "main"]

READING = ("screen", "segment")
"""Commands that read files at once."""

_ENVIRONMENT = frozenset({EACCES, EPERM, EROFS, ENOSPC, EDQUOT, EIO, ELOOP, ENAMETOOLONG, EMFILE, ENFILE, ESTALE})
"""Errors of a file that are no fault of the program, wherever they come up."""


def main() -> None:
    """Run the command line; an error that a user caused is one line on standard error."""
    try:
        _refuse_empty(sys.argv[1:])
        _prepare(sys.argv[1:])
        from cxrnet.cli.commands import build_app

        build_app(sys.argv[1] if len(sys.argv) > 1 else None)()
    except CxrNetError as error:
        print(f"ERROR {error}", file=sys.stderr)
        sys.exit(1 if isinstance(error, OutputError) else 2)
    except OSError as error:
        if error.filename is None or error.errno not in _ENVIRONMENT:
            raise
        print(f"ERROR {os.fsdecode(error.filename)[:255]!r}: {error.strerror}; it must be accessible", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(130)
    finally:
        gc.enable()
        child.discard_early()


def _refuse_empty(arguments: list[str]) -> None:
    """Refuse an empty path, as of a variable without a value, which would stand for the current folder."""
    for before, argument in pairwise(("", *arguments)):
        is_value = before.startswith("-") and before not in ("--out", "-o")
        if argument == "--out=" or not (argument or is_value):
            raise UsageError(f"an argument after {before or 'the command'} is empty; give a path")


def _prepare(arguments: list[str]) -> None:
    """Start what takes long before the libraries of the command line are imported."""
    os.environ.setdefault(
        "PYDANTIC_DISABLE_PLUGINS", "__all__"
    )  # searching every installed package for them takes 15 ms
    if arguments[:1] and arguments[0] in READING and "--help" not in arguments:
        child.launch_early()
        gc.disable()  # until the first image: imports leave no garbage, and looking for it takes a fifth of their time
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy would start threads that nothing here uses


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cxrnet.cli.commands import build_app

    globals()["app"] = build_app()
    return globals()["app"]
