"""The tables of a run, a row an input: which columns, and what a cell may hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cxrnet.imaging.radiograph import IDENTIFIERS
from cxrnet.screening.finding import Finding, identity
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.pipeline import Pipeline, Segmentation

Row = dict[str, str]

LUNG_COLUMNS = (
    "input", "status", "reasons", "lung_area_fraction", "lung_area_cm2", "warnings", "folder", "model", "model_version",
    "model_sha256",
)  # fmt: skip
"""Columns of `lungs.csv`."""

_FORMULA = ("=", "+", "-", "@")


def finding_columns(classes: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of `findings.csv`; `low` and `high` are the ends of a score's interval over the folds."""
    scores = (f"{kind}_{name}" for name in classes for kind in ("score", "low", "high"))
    rest = ("calibrated", "uncertain", "spread", "lung_area_fraction", "mended", "warnings", "folder")
    model = ("model", "model_version", "model_sha256")
    return ("input", "status", "reasons", *scores, *rest, *model, "read_ms", "prepare_ms", "gate_ms", "network_ms")


def finding_row(finding: Finding, item: Input) -> Row:
    """Return one row of `findings.csv`; what a refused or failed input has not is left out."""
    row: dict[str, Any] = {
        **_beginning(item, finding.status, finding.reasons),
        "mended": " | ".join(finding.mended),
        "warnings": " | ".join(finding.warnings),
        **_model(finding.model),
    }
    row |= {f"score_{name}": f"{score:.6f}" for name, score in finding.scores.items()}
    for name, (low, high) in finding.interval.items():
        row |= {f"low_{name}": f"{low:.6f}", f"high_{name}": f"{high:.6f}"}
        row["uncertain"] = str(finding.is_uncertain).lower()
    row |= {f"{stage}_ms": f"{milliseconds:.1f}" for stage, milliseconds in finding.timing_ms.items()}
    if finding.lung_area_fraction is not None:
        row["lung_area_fraction"] = f"{finding.lung_area_fraction:.4f}"
    if finding.spread is not None:
        row |= {"spread": f"{finding.spread:.4f}", "calibrated": str(finding.is_calibrated).lower()}
    if finding.radiograph is not None:
        row |= _identifiers(finding.radiograph.identifiers)
    return _cells(row)


def lungs_row(pipeline: Pipeline, item: Input, found: Segmentation | Reason) -> Row:
    """Return one row of `lungs.csv`: of the lungs that were found, or of why the input failed."""
    model = _model(identity(pipeline.bundle))
    if isinstance(found, Reason):
        return _cells(_beginning(item, "failed", (found,)) | model)
    area = found.area_cm2
    row: dict[str, Any] = {
        **_beginning(item, "segmented", ()),
        "warnings": " | ".join(found.radiograph.warnings),
        **model,
        "lung_area_fraction": f"{found.area_fraction:.4f}",
        "lung_area_cm2": "" if area is None else f"{area:.1f}",
    }
    return _cells(row | _identifiers(found.radiograph.identifiers))


def with_identifiers(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of a table that tells whose images they are."""
    return (*columns, *IDENTIFIERS)


def table_lines(rows: Iterable[Row], columns: Sequence[str]) -> Iterator[bytes]:
    """Yield a CSV file line by line, in UTF-8; bytes of file names that are not UTF-8 stay as they are."""
    yield _line(dict(zip(columns, columns, strict=True)), columns)
    for row in rows:
        yield _line(row, columns)


def _beginning(item: Input, status: str, reasons: Iterable[Reason]) -> dict[str, Any]:
    told = " | ".join(f"{reason.code}: {reason.text}" for reason in reasons)
    return {"input": _path(item.path), "status": status, "reasons": told, "folder": item.folder}


def _model(model: Mapping[str, str]) -> dict[str, str]:
    return {"model": model["name"], "model_version": model["version"], "model_sha256": model["sha256"]}


def _identifiers(found: Mapping[str, str] | None) -> dict[str, str]:
    """Return the identifiers as cells that no spreadsheet takes for a formula."""
    return {name: f"'{text}" if text.startswith(_FORMULA) else text for name, text in (found or {}).items()}


def _path(path: Path) -> str:
    """Return the path, with "./" before one that a spreadsheet would take for a formula: it is the same file."""
    text = str(path)
    return f"./{text}" if text.startswith(_FORMULA) else text


def _cells(row: Mapping[str, Any]) -> Row:
    """Return each value on one line: a file name may hold a line break."""
    return {name: " ".join(str(value).splitlines()) for name, value in row.items()}


def _line(row: Row, columns: Sequence[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, lineterminator="\n").writerow(row)
    return text.getvalue().encode("utf-8", "surrogateescape")
