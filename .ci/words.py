"""Find words in code and documents that are not standard terms; `make lint` runs it.

    python .ci/words.py [PATH...]

Without a path it checks every tracked text file.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTEAD = {
    r"film(s|ed)?": "radiograph, image",
    r"mend(s|ed|ing|able)?": "correct",
    r"judge(s|d|ment|ments)?|judging|judgment": "check, gate result",
    r"lanes?": "fused ensemble",
    r"told": "record, values",
    r"nought": "zero",
    r"(let|lets|letting) go": "close, release",
    r"(go|goes|going|gone) on": "continue, resume",
    r"(take|takes|taken|taking) up": "resume",
    r"(put|puts) right": "correct",
    r"is none": "there is no ...",
    r"none is": "no ... is",
    r"a (row|file|line|folder|mask|copy) (an|a) \w+": "one ... per ...",
    r"one a core": "one per core",
    r"what harm|who may hold": "threat, attacker",
    r"again for more|repeat it|can be repeated": "(repeatable)",
    r"and leave": "and exit",
    r"begun|anew|beside|thrice|whence|betrays?": "started, again, next to",
    r"rivals?": "comparison, baseline",
    r"dealt|deals?": "assigned, split",
    r"write whole|map ordered|default jobs": "write_atomic, parallel_map, cpu_count",
}
PRIVATE_WORDS = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(INSTEAD)})(?![A-Za-z])")
TIGHT_PERCENT = re.compile(r"\d%(?![\w()])")
SUFFIXES = {".md", ".py", ".j2", ".yml", ".yaml", ".toml", ".ts", ".html", ".css"}
NOT_PROSE = ("src/cxrnet/models/", "constraints.txt", ".ci/words.py")
ALLOWED = re.compile(
    r"\"films\"|`films`|\['films'\]|\bfilms(: |=)|other films|\"rival\"|--rival|--films?|--mend|`mended`"
)
"""Names that are part of a file format or an option."""


def tracked_files() -> list[str]:
    """Return the tracked text files that have to be clean, relative to the root."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [name for name in names if name and is_checked(name)]


def is_checked(name: str) -> bool:
    """Return whether a file is text of this project."""
    return Path(name).suffix in SUFFIXES and not name.startswith(NOT_PROSE)


def find_words(text: str, *, is_document: bool = False) -> Iterable[tuple[int, str]]:
    """Yield line number and word for every private word; case counts, since `None` is a name."""
    for number, line in enumerate(text.splitlines(), start=1):
        words = PRIVATE_WORDS.finditer(ALLOWED.sub(" ", line).replace("_", " "))
        yield from ((number, match.group()) for match in words)
        if is_document:
            yield from (
                (number, f"{match.group()}: a space belongs before %") for match in TIGHT_PERCENT.finditer(line)
            )


def main(names: list[str]) -> int:
    """Print each private word with its place; return 1 if there is one."""
    count = 0
    for name in names or tracked_files():
        path = ROOT / name
        if not path.is_file():
            continue
        for number, word in find_words(path.read_text(encoding="utf-8"), is_document=path.suffix == ".md"):
            print(f"{name}:{number}: {word}")
            count += 1
    if count:
        print(f"{count} private words; .ci/words.py lists what to write instead")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
