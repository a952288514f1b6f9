"""A sentence of a document whose numbers come from a file."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

GAP = r"(\d[\d.,]*(?: \[\d\.\d+, \d\.\d+\])?)"
"""A number, or a number with its interval."""


@dataclass(frozen=True)
class Statement:
    """A sentence of a document with `{}` for each value, and the values."""

    document: str
    sentence: str
    values: Sequence[str]

    def pattern(self) -> re.Pattern[str]:
        """Return what finds the sentence, whatever its values are."""
        return re.compile(GAP.join(map(re.escape, self.sentence.split("{}"))))


def write_statements(statements: Iterable[Statement], root: Path, *, is_check: bool) -> Iterator[str]:
    """Write the values into the documents below `root`, or only compare them; yield what differed."""
    for statement in statements:
        path = root / statement.document
        text = path.read_text(encoding="utf-8")
        found = list(statement.pattern().finditer(text))
        if len(found) != 1:
            yield f"{statement.document}: {statement.sentence!r} stands {len(found)} times, not once"
        elif list(found[0].groups()) != list(statement.values):
            stands, right = found[0].group(), statement.sentence.format(*statement.values)
            yield f"{statement.document}: {stands!r}, by the files {right!r}"
            if not is_check:
                path.write_text(text.replace(stands, right), encoding="utf-8")
