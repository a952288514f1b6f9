"""`cxrnet reproduce paper`: each table and figure of the paper next to what a model gives on other data.

    OUT/report.html                 everything
    OUT/table-1-..., table-2, ...   each step: its evaluation (metrics.json, per_image.csv, report.html) and pictures
    OUT/bundles                     bundles made for the run

A step is done once: `step.json`, written last, holds what it was made from, and a later run uses it if that is equal.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from cxrnet.atomic import write_atomic
from cxrnet.errors import BundleError, UsageError
from cxrnet.evaluation.report import render
from cxrnet.evaluation.reproduction import paper
from cxrnet.evaluation.reproduction.steps import classification_steps, network_section, segmentation_steps
from cxrnet.evaluation.reproduction.task import MANIFEST, Make, Section, Task
from cxrnet.export.published import import_published
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.screening.finding import NOTICE

STEP = "step.json"


class StepRecord(BaseModel):
    """What `step.json` holds: the digest of what a step was made from, and its sections."""

    model_config = ConfigDict(extra="forbid")

    made_from: str
    sections: tuple[Section, ...]


def published_bundles(weights: Path, folder: Path) -> list[Bundle]:
    """Return the published weights as bundles in `folder`; those of an earlier run are used again."""
    try:
        return [read_bundle(folder / f"published-{name}") for name in ("v7", "jms")]
    except BundleError:
        inside = weights / "weights"
        return import_published([inside if inside.is_dir() else weights], folder, overwrite=True)


def reproduce(task: Task) -> Path:
    """Make all tables and figures that the models and the data allow, and return the path of the report."""
    if task.manifest("segmentation") is None and task.manifest("classification") is None:
        wanted = " or ".join(f"{name}/{MANIFEST}" for name in ("segmentation", "classification"))
        raise UsageError(f"{task.data}: has no {wanted}; give the folder of the data")
    sections = [network_section(task)]
    for name, inputs, make in (*segmentation_steps(task), *classification_steps(task)):
        sections += run_step(task, name, inputs, make)
    sections += [Section(title=f"{name}: not available", text=why) for name, why in paper.UNAVAILABLE.items()]
    pictures = [picture.file for section in sections for picture in section.pictures]
    page = render(
        "reproduction/report.html.j2",
        sections=[section.model_dump() for section in sections],
        title=f"The CXR-Net paper, with {' and '.join(bundle.label for bundle in task.bundles)}",
        text="Figures of the paper are on a blue ground; all others were computed by this run.",
        data={file: base64.b64encode((task.out / file).read_bytes()).decode() for file in pictures},
        notice=NOTICE,
    )
    write_atomic(task.out / "report.html", page)
    return task.out / "report.html"


def run_step(task: Task, name: str, inputs: Mapping[str, object], make: Make) -> tuple[Section, ...]:
    """Return the sections of a step, those of an earlier run if they were made from the same."""
    made_from = hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()
    path = task.out / name / STEP
    try:
        record = StepRecord.model_validate_json(path.read_bytes())
        files = [task.out / picture.file for section in record.sections for picture in section.pictures]
        if record.made_from == made_from and all(file.is_file() for file in files):
            return record.sections
    except (OSError, ValidationError):
        pass  # not made yet, or interrupted
    record = StepRecord(made_from=made_from, sections=tuple(make(task.out / name)))
    write_atomic(path, record.model_dump_json(indent=2).encode())
    return record.sections
