"""Many images: read, run and written in several threads, reported in the order of the inputs.

An input that fails gets a row and a record of its own; the others are still done. Each input that is done is noted in
a journal, so that a run that was stopped or killed can be taken up where it ended.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.errors import CxrNetError, ObjectError, RadiographError
from cxrnet.parallel import parallel_map
from cxrnet.screening.csv_output import (
    LUNG_COLUMNS,
    Row,
    finding_columns,
    finding_row,
    lungs_row,
    table_lines,
    with_identifiers,
)
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.outputs import clear, write_finding, write_segmentation
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.progress_log import Journal, fingerprint

INTERNAL = "INTERNAL"
"""Code of an input that met a fault of this program, not of its own."""

FINDINGS, LUNGS = "findings.csv", "lungs.csv"
"""Names of the tables."""

Further = Callable[[Finding, Path, Collection[str], Path], object]
"""Writes further results of a finding: its file, what is to be saved, the folder. It may raise `ObjectError`."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One input's end: its `status` (scored, segmented, refused, failed), its `reasons`, its `row` of the CSV.

    `warnings` is what the reader found odd; `missing` is why results that were asked for could not be made, although
    the input is done; `is_recalled` is whether an earlier run did it, by the journal.
    """

    item: Input
    status: str
    reasons: tuple[Reason, ...]
    row: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    missing: tuple[Reason, ...] = ()
    is_recalled: bool = False


def screen_archive(
    pipeline: Pipeline,
    items: Sequence[Input],
    out: Path,
    *,
    save: Collection[str],
    jobs: int,
    mend: bool = False,
    resume: bool = False,
    further: Further | None = None,
) -> Generator[Outcome]:
    """Screen `items` into `out`, and yield each outcome in their order.

    `out/findings.csv` has a row an input; `out/<folder>/` holds what `save` names.

    Args:
        pipeline: What screens.
        items: The inputs.
        out: Folder of the results.
        save: What is written for each, of `cxrnet.screening.outputs.SAVES`.
        jobs: Inputs worked on at once.
        mend: As of `Pipeline.screen`.
        resume: Whether what the journal in `out` says is done stays as it is.
        further: Writes what else `save` names.

    Raises:
        OutputError: Results cannot be written; what was done stays.
        UsageError: `out` holds a run that was stopped, and `resume` is not set or its settings were others; or
            another run is writing there.
    """

    def work(item: Input) -> Outcome:
        finding = _screen(pipeline, item, mend=mend)
        missing: tuple[Reason, ...] = ()
        try:
            if further is not None:
                finding, missing = _add(further, finding, item, save, out / item.folder)
            write_finding(finding, out / item.folder, save)
        except Exception as error:
            finding = Finding.failure(str(item.path), explain(error), pipeline.bundle)
            clear(out / item.folder)
            write_finding(finding, out / item.folder, save)
        row = finding_row(finding, item)
        return Outcome(
            item=item,
            status=finding.status,
            reasons=finding.reasons,
            row=row,
            warnings=finding.warnings,
            missing=missing,
        )

    config = pipeline.bundle.config.classifier
    settings = _settings(pipeline, "screen", save) | {"mend": mend}
    table = (FINDINGS, finding_columns(config.classes if config else ()))
    yield from _run(pipeline, work, items, out, table=table, settings=settings, jobs=jobs, resume=resume)


def segment_archive(
    pipeline: Pipeline,
    items: Sequence[Input],
    out: Path,
    *,
    save: Collection[str],
    jobs: int,
    resume: bool = False,
) -> Generator[Outcome]:
    """Find the lungs of `items` into `out`, and yield each outcome in their order.

    `out/lungs.csv` has a row an input; `out/<folder>/` holds `lungs.png` and, with `npz`, `maps.npz`. Arguments and
    errors are those of `screen_archive`.
    """

    def work(item: Input) -> Outcome:
        try:
            segmentation = pipeline.segment(item.path)
            write_segmentation(segmentation, out / item.folder, save)
        except Exception as error:
            reason = explain(error)
            return Outcome(item=item, status="failed", reasons=(reason,), row=lungs_row(pipeline, item, reason))
        row = lungs_row(pipeline, item, segmentation)
        warnings = segmentation.radiograph.warnings
        return Outcome(item=item, status="segmented", reasons=(), row=row, warnings=warnings)

    settings = _settings(pipeline, "segment", save)
    table = (LUNGS, LUNG_COLUMNS)
    yield from _run(pipeline, work, items, out, table=table, settings=settings, jobs=jobs, resume=resume)


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


def _add(
    further: Further, finding: Finding, item: Input, save: Collection[str], folder: Path
) -> tuple[Finding, tuple[Reason, ...]]:
    """Write further results, and return the finding and why there are none; it warns of that in its record."""
    try:
        further(finding, item.path, save, folder)
    except ObjectError as error:
        return replace(finding, warnings=(*finding.warnings, str(error))), (Reason(error.code, str(error)),)
    return finding, ()


def _settings(pipeline: Pipeline, verb: str, save: Collection[str]) -> dict[str, Any]:
    """Return all but the input that results depend on, as the journal keeps it."""
    return {
        "command": verb,
        "version": version("cxrnet"),
        "bundle": pipeline.bundle.label,
        "bundle sha256": pipeline.bundle.sha256,
        "save": sorted(save),
        "identifiers": pipeline.identifiers,
    }


def _run(
    pipeline: Pipeline,
    work: Callable[[Input], Outcome],
    items: Sequence[Input],
    out: Path,
    *,
    table: tuple[str, Sequence[str]],
    settings: Mapping[str, Any],
    jobs: int,
    resume: bool,
) -> Generator[Outcome]:
    """Yield the outcomes of `work`, or of the journal; write the `table` (name, columns) when they end or are stopped.

    The results of an input come first, then its line in the journal, then the outcome.
    """
    name, columns = table
    columns = with_identifiers(columns) if pipeline.identifiers else columns
    with Journal(out, settings, resume=resume) as journal:
        remove_partial_files(out)
        if not journal.is_continued:
            remove(out / name)  # of a run whose results are about to be replaced

        def task(item: Input) -> tuple[Outcome, list[int] | None]:
            entry = journal.recall(item)
            if entry is not None:
                return _recalled(item, entry), None
            clear(out / item.folder)
            file = fingerprint(item.path)
            return work(item), file

        try:
            for outcome, file in parallel_map(task, items, jobs=jobs):
                if not outcome.is_recalled:
                    journal.add(outcome.item, file, _entry(outcome))
                yield outcome
        finally:
            write_atomic(out / name, table_lines(_rows(journal, items), columns))
        journal.finish()


def _rows(journal: Journal, items: Sequence[Input]) -> Iterable[Row]:
    return (entry["row"] for entry in journal.entries(items))


def _entry(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the journal keeps it."""
    return {
        "status": outcome.status,
        "reasons": outcome.reasons,
        "row": outcome.row,
        "warnings": outcome.warnings,
        "missing": outcome.missing,
    }


def _recalled(item: Input, entry: Mapping[str, Any]) -> Outcome:
    """Return an outcome as the journal has it."""
    return Outcome(
        item=item,
        status=entry["status"],
        reasons=tuple(Reason(code, text) for code, text in entry["reasons"]),
        row=entry["row"],
        warnings=tuple(entry["warnings"]),
        missing=tuple(Reason(code, text) for code, text in entry["missing"]),
        is_recalled=True,
    )
