"""Many images: read, screened and written in several threads, reported in the order of the inputs.

At most `jobs` threads read and run the graph at a time. There are half as many more, so that the next image is under
way while a thread draws a panel and waits for the disk.

An input that fails gets a row and a record of its own; the others are still done. Each input that is done is recorded
in a progress log, so that an interrupted run can be resumed.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, InstanceOf

from cxrnet.atomic import remove, remove_partial_files, write_atomic
from cxrnet.errors import CxrNetError, ObjectError, RadiographError
from cxrnet.model.bundle import Bundle
from cxrnet.parallel import cpu_count, parallel_map
from cxrnet.screening.csv_output import (
    LUNG_COLUMNS,
    finding_columns,
    finding_row,
    lungs_row,
    table_lines,
    with_identifiers,
)
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.options import Options
from cxrnet.screening.outputs import clear, write_finding, write_segmentation
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.progress_log import ProgressLog, fingerprint
from cxrnet.screening.store import local_copy

INTERNAL = "INTERNAL"
"""Code of an input that met a fault of this program, not of its own."""


class Outcome(BaseModel):
    """What became of one input, as the progress log keeps it.

    Attributes:
        item: The input; not in the log.
        status: scored, segmented, refused or failed.
        reasons: Why it was refused or failed, or what the gate warns of.
        row: Its row of the table.
        warnings: What is odd about the input but did not stop it.
        missing: Why results that were asked for could not be made, although the input is done.
        is_recalled: Whether an earlier run did it.
    """

    model_config = ConfigDict(frozen=True)

    item: Annotated[InstanceOf[Input], Field(exclude=True)]
    status: str
    reasons: tuple[Reason, ...] = ()
    row: dict[str, str]
    warnings: tuple[str, ...] = ()
    missing: tuple[Reason, ...] = ()
    is_recalled: bool = False

    @classmethod
    def from_json(cls, item: Input, text: str) -> Outcome:
        """Return the outcome of `item` from its JSON, which leaves the item out."""
        return cls(item=item, **pydantic_core.from_json(text))


def run_batch(pipeline: Pipeline, items: Sequence[Input], out: Path, options: Options) -> Generator[Outcome]:
    """Screen or segment `items` into `out`, and yield each outcome in their order.

    `out/findings.csv` (`lungs.csv`) has one row per input, written when the run ends or is stopped; `out/<folder>/`
    holds what `options.save` names. The results of an input come first, then its entry in the progress log, then the
    outcome.
    """
    options = replace(options, identifiers=pipeline.decoders.identifiers)
    table = out / table_name(options)
    columns = batch_columns(pipeline.bundle, options)
    do, threads = worker(pipeline, out, options, len(items))
    with ProgressLog(out, batch_settings(pipeline.bundle, options), resume=options.resume) as log:
        remove_partial_files(out)
        if not log.is_continued:
            remove(table)  # of a run whose results are about to be replaced
        try:
            for outcome, file in parallel_map(partial(_resume_or_run, log, do), items, jobs=threads):
                if not outcome.is_recalled:
                    log.add(outcome.item, file, outcome.model_dump_json())
                yield outcome
        finally:
            rows = (pydantic_core.from_json(text)["row"] for text in log.outcomes(items))
            write_atomic(table, table_lines(rows, columns))
        log.finish()


def worker(pipeline: Pipeline, out: Path, options: Options, count: int) -> tuple[Callable[[Input], Outcome], int]:
    """Return what does one of `count` inputs and writes its results into `out`, and in how many threads to call it.

    At most `options.jobs` of the threads read or run the graph at a time.
    """
    jobs = max(1, min(options.jobs or cpu_count(), count))
    turns = threading.BoundedSemaphore(jobs)
    do = partial(_screen if options.task == "screen" else _segment, pipeline, out, options, turns)
    return do, max(1, min(jobs + (jobs + 1) // 2, count))


def table_name(options: Options) -> str:
    """Return the name of the table of a run."""
    return "findings.csv" if options.task == "screen" else "lungs.csv"


def batch_columns(bundle: Bundle, options: Options) -> tuple[str, ...]:
    """Return the columns of the table of a run."""
    classifier = bundle.config.classifier
    names = finding_columns(classifier.classes if classifier else (), patient=bool(bundle.config.patient_columns))
    columns = names if options.task == "screen" else LUNG_COLUMNS
    return with_identifiers(columns) if options.identifiers else columns


def failure_reason(error: Exception) -> Reason:
    """Return why an input failed; a fault of this program keeps its traceback on standard error.

    It raises what was not the fault of the input (the model, the disk): the next one would fail as well.
    """
    if isinstance(error, RadiographError):
        return Reason(error.code, str(error))
    if isinstance(error, CxrNetError):
        raise error
    traceback.print_exception(error, file=sys.stderr)
    return Reason(INTERNAL, f"internal error in cxrnet, {type(error).__name__}; please report it with the lines above")


def _resume_or_run(log: ProgressLog, do: Callable[[Input], Outcome], item: Input) -> tuple[Outcome, list[int] | None]:
    """Return the outcome of one input, and the fingerprint of its file before it was read."""
    text = log.recorded(item)
    if text is not None:
        with suppress(ValueError, TypeError):  # a damaged entry: the image is done again
            return Outcome.from_json(item, text).model_copy(update={"is_recalled": True}), None
    file = fingerprint(item)
    return do(item), file


def _screen(pipeline: Pipeline, out: Path, options: Options, turns: threading.BoundedSemaphore, item: Input) -> Outcome:
    folder = out / item.folder
    missing: tuple[Reason, ...] = ()
    clear(folder)
    try:
        with local_copy(item.source, pipeline.decoders.limits) as path:
            with turns:
                finding = pipeline.screen(
                    path,
                    name=item.address or None,
                    auto_correct=options.auto_correct,
                    patient=item.patient,
                    patient_from="csv",
                )
            notes, missing = _write_objects(finding, path, folder, options)
        finding = finding.model_copy(update={"warnings": (*finding.warnings, *notes)})
        write_finding(finding, folder, options.save)
    except Exception as error:
        finding = Finding.failed(item.text, failure_reason(error), pipeline.bundle)
        clear(folder)
        write_finding(finding, folder, options.save)
    return Outcome(
        item=item,
        status=finding.status,
        reasons=finding.reasons,
        row=finding_row(finding, item),
        warnings=finding.warnings,
        missing=missing,
    )


def _segment(
    pipeline: Pipeline, out: Path, options: Options, turns: threading.BoundedSemaphore, item: Input
) -> Outcome:
    model = pipeline.bundle.identity
    clear(out / item.folder)
    try:
        with local_copy(item.source, pipeline.decoders.limits) as path:
            with turns:
                found = pipeline.segment(pipeline.read(path, name=item.address or None))
            finding = Finding(
                input=item.text,
                status="scored",
                model=model,
                radiograph=found.radiograph,
                lung_probability=found.probability,
                anatomy=found.anatomy,
            )
            notes, missing = _write_objects(finding, path, out / item.folder, options)
        write_segmentation(found, out / item.folder, options.save)
    except Exception as error:
        reason = failure_reason(error)
        return Outcome(item=item, status="failed", reasons=(reason,), row=lungs_row(reason, item, model))
    row = lungs_row(found, item, model)
    warnings = (*found.radiograph.warnings, *notes)
    return Outcome(item=item, status="segmented", row=row, warnings=warnings, missing=missing)


def _write_objects(
    finding: Finding, path: Path, folder: Path, options: Options
) -> tuple[tuple[str, ...], tuple[Reason, ...]]:
    """Write the DICOM objects that are asked for; return notes for people, and why there are none."""
    if options.write_objects is None:
        return (), ()
    try:
        written = options.write_objects(finding, path, options.save, folder)
    except ObjectError as error:
        return (str(error),), (Reason(error.code, str(error)),)
    return tuple(f"DICOM objects: {each}" for each in written.corrections), ()


def batch_settings(bundle: Bundle, options: Options) -> dict[str, Any]:
    """Return everything but the input that results depend on."""
    return {
        "command": options.task,
        "version": version("cxrnet"),
        "bundle": bundle.label,
        "bundle sha256": bundle.sha256,
        "save": sorted(options.save),
        "auto-correct": options.auto_correct,
        "identifiers": options.identifiers,
    }
