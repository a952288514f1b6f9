"""What the terminal shows while many images are processed, and afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cxrnet.imaging.radiograph import BURNED_IN, printable

if TYPE_CHECKING:
    from cxrnet.screening.batch import Outcome

LISTED = 20
"""Runs of at most this many inputs are listed input by input."""


def plain_console(**options: Any) -> Console:
    """Return a console that prints text as it is: nothing in a file name is markup or an emoji."""
    return Console(markup=False, emoji=False, highlight=False, soft_wrap=True, **options)


class ProgressReport(AbstractContextManager["ProgressReport"]):
    """A bar on standard error while images are processed, failures as they happen, and a summary at the end.

    The number of images, `total`, may be known only with the first of them.
    """

    def __init__(self, *, total: int | None = None, table: Path | str) -> None:
        self.exit_code = 0
        self._total, self._table = total, table
        self._errors = plain_console(stderr=True)
        self._listed: list[Outcome] = []
        self._counts: Counter[str] = Counter()
        columns = (TextColumn("images", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=self._errors, disable=not self._errors.is_terminal)
        self._bar = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._progress.stop()
        if self._total is None:
            return
        console = plain_console()
        if self._listed:
            console.print(_listing(self._listed), soft_wrap=False)
        by_status = ", ".join(f"{count} {status}" for status, count in sorted(self._counts.items())) or "none done"
        ended = self._counts.total()
        of = f"{ended}" if ended == self._total else f"stopped after {ended} of {self._total}"
        console.print(f"{of} image{'s' if self._total != 1 else ''}: {by_status}; {printable(str(self._table))}")

    def observe(self, outcome: Outcome, total: int) -> None:
        """Show that an image is done, of this total."""
        self._total = total
        self._counts[outcome.status] += 1
        if total <= LISTED:
            self._listed.append(outcome)
        failures = [*(outcome.reasons if outcome.status == "failed" else ()), *outcome.missing]
        if failures or outcome.status == "failed":
            self.exit_code = 1
        for reason in failures:
            self._errors.print(f"ERROR {reason.code} {reason.text}")
        if BURNED_IN in outcome.warnings:
            self._errors.print(f"WARNING {printable(outcome.item.path.name)}: {BURNED_IN}")
        self._progress.update(self._bar, total=total, advance=1)


def show_progress(outcomes: Generator[Outcome], *, total: int, table: Path | str) -> int:
    """Show outcomes as they come and return the exit code: 1 if an input, or a part of its results, failed, else 0.

    Failures are printed at once, one line each, on standard error; the summary goes to standard output.
    """
    with ProgressReport(total=total, table=table) as report, closing(outcomes):
        for outcome in outcomes:
            report.observe(outcome, total)
    return report.exit_code


def _listing(outcomes: list[Outcome]) -> Table:
    scores = list(dict.fromkeys(name for outcome in outcomes for name in outcome.row if name.startswith("score_")))
    table = Table(box=None, pad_edge=False)
    for title in ("input", "status", *(name.removeprefix("score_") for name in scores), "fold sd", "lungs", ""):
        table.add_column(title, overflow="fold")
    for outcome in outcomes:
        row = outcome.row
        area = row.get("lung_area_fraction")
        notes = ["uncertain"] if row.get("uncertain") == "true" else []
        table.add_row(
            printable(outcome.item.path.name),
            outcome.status,
            *(f"{float(row[name]):.3f}" if name in row else "" for name in scores),
            f"{float(row['spread']):.3f}" if "spread" in row else "",
            f"{100 * float(area):.0f} %" if area else "",
            "; ".join([*notes, *(reason.code for reason in (*outcome.reasons, *outcome.missing))]),
        )
    return table
