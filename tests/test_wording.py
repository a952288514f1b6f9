"""Words of a private language stay out of code and documents."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
BANNED = (
    r"\bwrite_whole\b",
    r"\bmap_ordered\b",
    r"\bdefault_jobs\b",
    r"\bexport_again\b",
    r"\bnought\b",
    r"\blumber[- ]room\b",
    r"\bwhat is none\b",
    r"\bset right\b",
)
"""Regular expressions, matched without regard to case. Add a word here as soon as its last use is gone."""


def test_banned_words_are_not_used():
    files = [path for place in ("src", "docs", "examples", "benchmarks") for path in (ROOT / place).rglob("*")]
    files = [*files, *ROOT.glob("*.md")]
    pattern = re.compile("|".join(BANNED), re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in sorted(files)
        if path.suffix in (".py", ".md", ".j2", ".html", ".ts")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for match in pattern.finditer(line)
    ]
    assert found == []
