"""Many images: read, run and written in several threads, reported in the order of the inputs.

An input that fails gets a row and a record of its own; the others are still done.
"""

from __future__ import annotations

import csv
import io
import sys
import traceback
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrnet.errors import CxrNetError, RadiographError
from cxrnet.ordered import map_ordered
from cxrnet.screening.finding import Finding, identity
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.outputs import write_finding, write_segmentation
from cxrnet.screening.pipeline import Pipeline
from cxrnet.writing import write_whole

INTERNAL = "INTERNAL"
"""Code of an input that met a fault of this program, not of its own."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One input's end: its `status` (scored, segmented, refused, failed), its `reasons`, its `row` of the CSV."""

    item: Input
    status: str
    reasons: tuple[Reason, ...]
    row: Mapping[str, Any]


def screen_archive(
    pipeline: Pipeline, items: Sequence[Input], out: Path, *, save: Collection[str], jobs: int, mend: bool = False
) -> Generator[Outcome]:
    """Screen `items` into `out`, and yield each outcome in their order.

    `out/findings.csv` has a row an input; `out/<folder>/` holds what `save` names.

    Raises:
        OutputError: Results cannot be written; what was done stays.
    """

    def task(item: Input) -> Outcome:
        finding = _screen(pipeline, item, mend=mend)
        write_finding(finding, out / item.folder, save)
        return Outcome(item=item, status=finding.status, reasons=finding.reasons, row=finding_row(finding, item))

    classes = pipeline.bundle.config.classifier.classes if pipeline.bundle.config.classifier else ()
    yield from _record(map_ordered(task, items, jobs=jobs), out / "findings.csv", finding_columns(classes))


def segment_archive(
    pipeline: Pipeline, items: Sequence[Input], out: Path, *, save: Collection[str], jobs: int
) -> Generator[Outcome]:
    """Find the lungs of `items` into `out`, and yield each outcome in their order.

    `out/lungs.csv` has a row an input; `out/<folder>/` holds `lungs.png` and, with `npz`, `maps.npz`.

    Raises:
        OutputError: Results cannot be written; what was done stays.
    """
    model = identity(pipeline.bundle)

    def task(item: Input) -> Outcome:
        row: dict[str, Any] = {
            "input": item.path,
            "folder": item.folder,
            "status": "segmented",
            **_model(model),
        }
        try:
            segmentation = pipeline.segment(item.path)
        except Exception as error:
            reason = explain(error)
            row |= {"status": "failed", "reasons": f"{reason.code}: {reason.text}"}
            return Outcome(item=item, status="failed", reasons=(reason,), row=row)
        write_segmentation(segmentation, out / item.folder, save)
        area = segmentation.area_cm2
        row |= {"lung_area_fraction": f"{segmentation.area_fraction:.4f}"}
        row |= {"lung_area_cm2": "" if area is None else f"{area:.1f}"}
        return Outcome(item=item, status="segmented", reasons=(), row=row)

    yield from _record(map_ordered(task, items, jobs=jobs), out / "lungs.csv", LUNG_COLUMNS)


LUNG_COLUMNS = (
    "input", "status", "reasons", "lung_area_fraction", "lung_area_cm2", "folder", "model", "model_version",
    "model_sha256",
)  # fmt: skip


def finding_columns(classes: Iterable[str]) -> tuple[str, ...]:
    """Return the columns of `findings.csv`; `low` and `high` are the ends of a score's interval over the folds."""
    scores = (f"{kind}_{name}" for name in classes for kind in ("score", "low", "high"))
    rest = ("calibrated", "uncertain", "spread", "lung_area_fraction", "mended", "warnings", "folder")
    model = ("model", "model_version", "model_sha256")
    return ("input", "status", "reasons", *scores, *rest, *model, "read_ms", "prepare_ms", "gate_ms", "network_ms")


def finding_row(finding: Finding, item: Input) -> dict[str, Any]:
    """Return one row of `findings.csv`; what a refused or failed input has not is left out."""
    row: dict[str, Any] = {
        "input": item.path,
        "status": finding.status,
        "reasons": " | ".join(f"{reason.code}: {reason.text}" for reason in finding.reasons),
        "mended": " | ".join(finding.mended),
        "warnings": " | ".join(finding.warnings),
        "folder": item.folder,
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
    return row


def explain(error: Exception) -> Reason:
    """Return why an input failed; a fault of this program keeps its traceback on standard error.

    Raises:
        CxrNetError: It was not the input (the model, the disk): the next one would fail as well.
    """
    if isinstance(error, RadiographError):
        return Reason(error.code, str(error))
    if isinstance(error, CxrNetError):
        raise error
    traceback.print_exception(error, file=sys.stderr)
    return Reason(INTERNAL, f"a fault of cxrnet, {type(error).__name__}; please report it with the lines above")


def _screen(pipeline: Pipeline, item: Input, *, mend: bool) -> Finding:
    try:
        return pipeline.screen(item.path, mend=mend)
    except Exception as error:
        return Finding.failure(str(item.path), explain(error), pipeline.bundle)


def _model(model: Mapping[str, str]) -> dict[str, str]:
    return {"model": model["name"], "model_version": model["version"], "model_sha256": model["sha256"]}


def _record(outcomes: Iterator[Outcome], path: Path, columns: Sequence[str]) -> Iterator[Outcome]:
    """Yield the outcomes and write their rows to `path`, whole, when they end or are stopped."""
    rows: list[Mapping[str, Any]] = []
    try:
        for outcome in outcomes:
            rows.append(outcome.row)
            yield outcome
    finally:
        write_whole(path, _table(rows, columns).encode("utf-8", "surrogateescape"))


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: Any) -> str:
    """Return `value` on one line: a file name may hold a line break."""
    return " ".join(str(value).splitlines())
