"""Finds what a killed batch has lost, doubled or torn, by comparing its folder with that of an unbroken run."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from cxrnet.screening.progress_log import PROGRESS


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
    return found


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


def damage_of_log(out: Path) -> list[Damage]:
    """Return the missing results of inputs that the progress log calls done, at any moment of a batch."""
    found = []
    for folder, outputs in logged(out):
        for name, size in outputs.items():
            path = out / folder / name
            if not path.is_file() or path.stat().st_size != size:
                found.append(Damage("lost", f"{folder}/{name}, which the progress log calls done"))
    return found


def damage_of_table(table: Path, unbroken: Path) -> list[Damage]:
    """Return the rows that are missing, there twice, or not those of the unbroken run."""
    rows, expected = _rows(table), _rows(unbroken)
    count = Counter(row["input"] for row in rows)
    found = [Damage("lost", f"row of {row['input']}") for row in expected if not count[row["input"]]]
    found += [Damage("doubled", f"row of {name}") for name, times in count.items() if times > 1]
    found += [Damage("torn", f"row {row}") for row in rows if row not in expected]
    return found


def logged(out: Path) -> list[tuple[str, dict[str, int]]]:
    """Return folder and results of each input that the progress log calls done.

    The log is read from a copy: a reader would clean up what a kill has left, which is for the next run to do.
    """
    if not (out / PROGRESS).is_file():
        return []
    with tempfile.TemporaryDirectory() as place:
        for path in out.glob(f"{PROGRESS}*"):
            shutil.copy(path, place)
        with closing(sqlite3.connect(Path(place) / PROGRESS)) as database:
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'done'").fetchall():
                return []
            rows = database.execute("SELECT folder, outputs FROM done").fetchall()
    return [(folder, json.loads(outputs)) for folder, outputs in rows]


def _content(path: Path) -> object:
    """Return what must be the same in every run: all but the times."""
    data = path.read_bytes()
    if path.suffix == ".sqlite":
        return None  # `logged` reads it
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
