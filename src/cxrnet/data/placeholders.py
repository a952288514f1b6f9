"""Words in a manifest that stand for a patient or group that is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING

from cxrnet.data.problem import Problem, name_lines
from cxrnet.model.patient import MISSING_WORDS

if TYPE_CHECKING:
    from cxrnet.data.manifest import Columns

EMPTY_WORDS = frozenset(
    {"nan", "nat", "<na>", "#n/a", "#na", "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "(null)", "\\n"}
)
"""What programs and spreadsheets write, in any case, for an empty cell, and nobody for anything else."""

PLACEHOLDERS = (
    MISSING_WORDS
    | EMPTY_WORDS
    | {"anonymous", "anonymized", "anonymised", "anon", "missing", "not available", "not known", "n.a.", "undefined"}
    | {"tbd", ".", "--", "---", "xx", "xxx"}
)
"""What stands in columns of patients and groups, in any case, where they are not known."""
_NO_MASK = MISSING_WORDS | EMPTY_WORDS
_NO_LABEL = EMPTY_WORDS | {"na", "n/a", "null", "-", "?"}  # `none` and `unknown` can be classes


class Placeholders:
    """Words such as `nan` and `unknown`, taken out of the columns that this program uses, and counted.

    Args:
        columns: Names of the columns.
    """

    def __init__(self, columns: Columns) -> None:
        self._words = {columns.group: PLACEHOLDERS, columns.patient: PLACEHOLDERS}
        self._words |= {columns.mask: _NO_MASK, columns.label: _NO_LABEL}
        self._names = tuple(getattr(columns, field.name) for field in fields(columns))
        self._found: dict[tuple[str, str], list[int]] = {}

    def removed(self, line: int, values: Mapping[str, str]) -> dict[str, str]:
        """Return the cells of a row with "" in place of such a word."""
        known = dict(values)
        for name in self._names:
            word = values.get(name, "").casefold()
            if word in self._words.get(name, EMPTY_WORDS):
                known[name] = ""
                self._found.setdefault((name, values[name]), []).append(line)
        return known

    def problems(self) -> Iterator[Problem]:
        """Yield a warning per column and word."""
        for (name, word), lines in self._found.items():
            text = f"{name_lines(lines)}: {name} is {word}, which was read as not known"
            yield Problem(kind="warning", code="PLACEHOLDER", text=text, lines=tuple(lines))
