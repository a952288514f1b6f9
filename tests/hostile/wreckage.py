"""Finds what a killed batch has lost, doubled or torn, by comparing its folder with that of an unbroken run."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Damage(NamedTuple):
    """One thing that is wrong: `kind` is `lost`, `doubled`, `torn` or `left`; `what` is the row or file."""

    kind: str
    what: str


def damage_at_the_end(out: Path, unbroken: Path) -> list[Damage]:
    """Return what is wrong with a batch that was resumed until it was complete."""
    found = damage_of_files(out, unbroken)
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    expected = {str(path.relative_to(unbroken)) for path in unbroken.rglob("*") if path.is_file()}
    found += [Damage("lost", name) for name in sorted(expected - names)]
    found += [Damage("left", name) for name in sorted(names - expected)]
    found += damage_of_table(out / "findings.csv", unbroken / "findings.csv")
    journal = Counter(line["input"] for line in journal_lines(out) if "input" in line)
    return found + [Damage("doubled", f"{name} in the journal") for name, count in journal.items() if count > 1]


def damage_of_files(out: Path, unbroken: Path) -> list[Damage]:
    """Return the files with a final name that are not whole, at any moment of a batch."""
    found = []
    for path in sorted(out.glob("*/*")):
        if path.name.startswith("."):
            continue
        twin = unbroken / path.relative_to(out)
        if not twin.is_file():
            found.append(Damage("left", str(path.relative_to(out))))
        elif _content(path) != _content(twin):
            found.append(Damage("torn", str(path.relative_to(out))))
    return found


def damage_of_journal(out: Path) -> list[Damage]:
    """Return the results that are not there although the journal calls their input done, at any moment of a batch."""
    found = []
    for line in journal_lines(out):
        for name, size in line.get("outputs", {}).items():
            path = out / line["folder"] / name
            if not path.is_file() or path.stat().st_size != size:
                found.append(Damage("lost", f"{line['folder']}/{name}, which the journal calls done"))
    return found


def damage_of_table(table: Path, unbroken: Path) -> list[Damage]:
    """Return the rows that are missing, there twice, or not those of the unbroken run."""
    rows, expected = _rows(table), _rows(unbroken)
    count = Counter(row["input"] for row in rows)
    found = [Damage("lost", f"row of {row['input']}") for row in expected if not count[row["input"]]]
    found += [Damage("doubled", f"row of {name}") for name, times in count.items() if times > 1]
    found += [Damage("torn", f"row {row}") for row in rows if row not in expected]
    return found


def journal_lines(out: Path) -> list[dict]:
    """Return the whole lines of the journal; a torn last line is what a kill may leave, another is a fault."""
    path = out / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    if lines and not lines[-1].endswith(b"\n"):
        lines.pop()
    return [json.loads(line) for line in lines]


def _content(path: Path) -> object:
    """Return what must be the same in every run: all but the times."""
    data = path.read_bytes()
    if path.suffix != ".json":
        return data
    try:
        return {key: value for key, value in json.loads(data).items() if key != "timing_ms"}
    except ValueError:
        return None


def _rows(table: Path) -> list[dict]:
    if not table.is_file():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{key: value for key, value in row.items() if not str(key).endswith("_ms")} for row in rows]
