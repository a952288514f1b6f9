"""The tables of a run, one row per input: which columns there are, and what a cell may hold."""

import csv
import functools
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cxrnet.imaging.radiograph import IDENTIFIERS
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.segmentation import Segmentation

Row = dict[str, str]

LUNG_COLUMNS = (
    "input", "status", "reasons", "lung_area_fraction", "lung_area_cm2", "warnings", "folder", "model", "model_version",
    "model_sha256",
)  # fmt: skip
"""Columns of `lungs.csv`."""

FLAGS = frozenset({"calibrated", "uncertain"})
"""Columns with true or false."""

_DECIMALS = {"spread": 4, "lung_area_fraction": 4, "lung_area_cm2": 1}
_SCORES = ("score_", "low_", "high_")

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and what turns the writing direction: a terminal obeys them, and a reader sees another text."""

_FORMULA = ("=", "+", "-", "@")


def finding_columns(classes: Iterable[str], *, patient: bool = False) -> tuple[str, ...]:
    """Return the columns of `findings.csv`; `low` and `high` are the ends of a score's interval over the folds.

    A model that takes patient data adds the column `patient`: where each value came from.
    """
    scores = (f"{kind}_{name}" for name in classes for kind in ("score", "low", "high"))
    rest = ("calibrated", "uncertain", "spread", "lung_area_fraction", "corrections", "warnings", "folder")
    model = ("model", "model_version", "model_sha256")
    data = ("patient",) if patient else ()
    times = ("read_ms", "prepare_ms", "gate_ms", "network_ms")
    return ("input", "status", "reasons", *scores, *data, *rest, *model, *times)


@functools.cache
def decimals(column: str) -> int | None:
    """Return with how many decimals a column of numbers is written; None for any other column."""
    if column.startswith(_SCORES):
        return 6
    return 1 if column.endswith("_ms") else _DECIMALS.get(column)


def cell_text(value: object, column: str) -> str:
    """Return a value as the text of its cell, on one line and as valid Unicode: a file name may hold anything."""
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:.{decimals(column)}f}" if isinstance(value, float) else str(value)
    if text.isprintable():
        return text
    line = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), " ".join(text.splitlines()))
    return line.encode("utf-8", "backslashreplace").decode()


def finding_row(finding: Finding, item: Input) -> Row:
    """Return one row of `findings.csv`; what a refused or failed input does not have is left out."""
    row = _common(item, finding.status, finding.reasons, finding.warnings, finding.model)
    row["corrections"] = " | ".join(finding.corrections)
    if finding.patient is not None:
        row["patient"] = finding.patient_origins
    row |= {f"score_{name}": score for name, score in finding.scores.items()}
    for name, (low, high) in finding.interval.items():
        row |= {f"low_{name}": low, f"high_{name}": high}
    if finding.is_uncertain is not None:
        row["uncertain"] = finding.is_uncertain
    row |= {f"{stage}_ms": milliseconds for stage, milliseconds in finding.timing_ms.items()}
    if finding.lung_area_fraction is not None:
        row["lung_area_fraction"] = finding.lung_area_fraction
    if finding.spread is not None:
        row |= {"spread": finding.spread, "calibrated": finding.is_calibrated}
    return _cells(row | _identifiers(finding.identifiers))


def lungs_row(found: Segmentation | Reason, item: Input, model: Mapping[str, str]) -> Row:
    """Return one row of `lungs.csv`: the lungs that were found, or why the input failed."""
    if isinstance(found, Reason):
        return _cells(_common(item, "failed", (found,), (), model))
    row = _common(item, "segmented", (), found.radiograph.warnings, model)
    row["lung_area_fraction"] = found.area_fraction
    row["lung_area_cm2"] = "" if found.area_cm2 is None else found.area_cm2
    return _cells(row | _identifiers(found.radiograph.identifiers))


def with_identifiers(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table that tells whose images they are."""
    return (*columns, *IDENTIFIERS)


def table_lines(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield a table as lines of UTF-8 CSV, its header first."""
    yield _line(dict(zip(columns, columns, strict=True)), columns)
    for row in rows:
        yield _line(row, columns)


def _common(
    item: Input, status: str, reasons: Iterable[Reason], warnings: Iterable[str], model: Mapping[str, str]
) -> dict[str, Any]:
    """Return the cells that both tables have."""
    path = item.text
    return {
        "input": f"./{path}" if path.startswith(_FORMULA) else path,  # the same file, and no formula
        "status": status,
        "reasons": " | ".join(f"{reason.code}: {reason.text}" for reason in reasons),
        "warnings": " | ".join(warnings),
        "folder": item.folder,
        "model": model["name"],
        "model_version": model["version"],
        "model_sha256": model["sha256"],
    }


def _identifiers(found: Mapping[str, str] | None) -> dict[str, str]:
    """Return the identifiers as cells that no spreadsheet takes for a formula."""
    return {name: f"'{text}" if text.startswith(_FORMULA) else text for name, text in (found or {}).items()}


def _cells(row: Mapping[str, Any]) -> Row:
    return {name: cell_text(value, name) for name, value in row.items()}


def _line(row: Mapping[str, str], columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, lineterminator="\n").writerow(row)
    return text.getvalue().encode("utf-8", "backslashreplace")
