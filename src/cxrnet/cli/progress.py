"""What the terminal shows while many images are worked on, and afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cxrnet.imaging.radiograph import BURNED_IN, printable

if TYPE_CHECKING:
    from cxrnet.screening.batch import Outcome

LISTED = 20
"""Runs of at most so many inputs are listed input by input."""


def follow(outcomes: Generator[Outcome], *, total: int, table: Path) -> int:
    """Show outcomes as they come and return the exit code: 1 if an input, or a part of its results, failed, else 0.

    Failures are said at once, one line each, on standard error; the summary goes to standard output.
    """
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    done: list[Outcome] = []
    counts: Counter[str] = Counter()
    is_complete = True
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with (
            closing(outcomes),
            Progress(*columns, console=errors, disable=not errors.is_terminal) as progress,
        ):
            bar = progress.add_task("images", total=total)
            for outcome in outcomes:
                counts[outcome.status] += 1
                if total <= LISTED:
                    done.append(outcome)
                wrong = [*(outcome.reasons if outcome.status == "failed" else ()), *outcome.missing]
                is_complete = is_complete and not wrong and outcome.status != "failed"
                for reason in wrong:
                    errors.print(f"ERROR {reason.code} {reason.text}")
                if BURNED_IN in outcome.warnings:
                    errors.print(f"WARNING {printable(outcome.item.path.name)}: {BURNED_IN}")
                progress.advance(bar)
    finally:
        _summarise(done, counts, total, table)
    return 0 if is_complete else 1


def _summarise(done: list[Outcome], counts: Counter[str], total: int, table: Path) -> None:
    console = Console(highlight=False, markup=False)
    if done:
        console.print(_listing(done))
    ended = counts.total()
    said = ", ".join(f"{count} {status}" for status, count in sorted(counts.items())) or "none done"
    of = f"{ended}" if ended == total else f"stopped after {ended} of {total}"
    console.print(f"{of} image{'s' if total != 1 else ''}: {said}; {table}", soft_wrap=True)


def _listing(done: list[Outcome]) -> Table:
    scores = list(dict.fromkeys(name for outcome in done for name in outcome.row if name.startswith("score_")))
    table = Table(box=None, pad_edge=False)
    for title in (
        "input",
        "status",
        *(name.removeprefix("score_") for name in scores),
        "fold sd",
        "lungs",
        "",
    ):
        table.add_column(title, overflow="fold")
    for outcome in done:
        row = outcome.row
        area = row.get("lung_area_fraction")
        doubts = ["uncertain"] if row.get("uncertain") == "true" else []
        table.add_row(
            printable(outcome.item.path.name),
            outcome.status,
            *(f"{float(row[name]):.3f}" if name in row else "" for name in scores),
            f"{float(row['spread']):.3f}" if "spread" in row else "",
            f"{float(area):.0%}" if area else "",
            "; ".join([*doubts, *(reason.code for reason in (*outcome.reasons, *outcome.missing))]),
        )
    return table
