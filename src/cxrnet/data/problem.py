"""Findings of a check: an error, a warning or a note, with the lines of the manifest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from cxrnet.imaging.radiograph import escaped

Kind = Literal["error", "warning", "note"]
LEAKS = frozenset({"PATIENT_LEAK", "GROUP_LEAK", "IMAGE_LEAK", "DUPLICATE_LEAK", "LABELS", "DUPLICATE_LABELS"})
"""Errors that `--allow-leaks` accepts: the images can be read, but a figure measured on them is not to be trusted."""

_MAX_LINES = 6


class Line(Protocol):
    """Anything with the number of its line in the manifest."""

    @property
    def line(self) -> int:
        """Number of the line; the header is line 1."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One finding: how bad it is, a code for programs, a line for people, the lines of the manifest."""

    kind: Kind
    code: str
    text: str
    lines: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Escape what cells of the manifest hold, so that the text is one line wherever it is written."""
        object.__setattr__(self, "text", escaped(self.text))


def problem_at(rows: Iterable[Line], kind: Kind, code: str, text: str) -> Problem:
    """The problem of some rows; the text begins with the numbers of their lines."""
    lines = tuple(sorted(row.line for row in rows))
    return Problem(kind=kind, code=code, text=f"{name_lines(lines)}: {text}", lines=lines)


def name_lines(lines: Sequence[int]) -> str:
    """`line 3`, or `lines 3, 5 and 20 more`."""
    shown = ", ".join(map(str, lines[:_MAX_LINES]))
    more = f" and {len(lines) - _MAX_LINES} more" if len(lines) > _MAX_LINES else ""
    return f"line{'s' if len(lines) > 1 else ''} {shown}{more}"


def sort_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Errors, then warnings, then notes, each in their order."""
    return tuple(sorted(problems, key=lambda problem: ("error", "warning", "note").index(problem.kind)))
