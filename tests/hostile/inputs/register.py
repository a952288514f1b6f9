"""The list of bad inputs, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

DONE = "DONE"
"""Not a failure: the input looks dangerous, is screened like any other, and nothing is written where it points."""


@dataclass(frozen=True, kw_only=True)
class BadInput:
    """One bad input.

    Attributes:
        name: The function that makes it.
        codes: How it may end: codes of `Fault`, or `DONE`.
        make: Folder -> path of the file in it.
        is_slow: Whether it takes seconds or hundreds of megabytes.
        group: Name of the module that makes it.
    """

    name: str
    codes: frozenset[str]
    make: Callable[[Path], Path]
    is_slow: bool
    group: str


REGISTER: dict[str, BadInput] = {}


def bad(*codes: str, slow: bool = False):
    """Register the function below, whose file ends in one of `codes`."""

    def register(make):
        name = make.__name__
        assert name not in REGISTER, name
        group = make.__module__.rsplit(".", 1)[1]
        REGISTER[name] = BadInput(name=name, codes=frozenset(codes), make=make, is_slow=slow, group=group)
        return make

    return register


def bad_copies(names_and_values, *codes: str, slow: bool = False):
    """Register the function below once for each (name, value), as `<function>_<name>`, called with the value."""

    def register(make):
        for name, value in names_and_values:

            def one(folder, value=value):
                return make(folder, value)

            one.__name__, one.__module__ = f"{make.__name__}_{name}", make.__module__
            bad(*codes, slow=slow)(one)
        return make

    return register


def write(folder: Path, content: bytes, name: str = "xray.dcm") -> Path:
    """Return a file of this content."""
    path = folder / name
    path.write_bytes(content)
    return path
