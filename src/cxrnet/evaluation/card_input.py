"""From the folder of an evaluation to what a model card says about it."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cxrnet.errors import UsageError
from cxrnet.evaluation.audit.record import AuditRecord
from cxrnet.evaluation.record import EvaluationRecord, read_record
from cxrnet.evaluation.request import read_table
from cxrnet.model.bundle import Bundle
from cxrnet.model.facts import EvaluationFacts, Role, WorstCase

METRICS, PER_IMAGE = "metrics.json", "per_image.csv"
KEPT = (
    "schema", "task", "model", "manifest", "cxrnet", "bootstrap", "status", "reasons", "warned", "classes",
    "positive_class", "single_class", "folds", "is_out_of_fold", "patient", "without_patient", "gate", "overall", "by",
)  # fmt: skip
"""Fields of `metrics.json` that a bundle keeps: neither the command, which names folders, nor single images."""

MAX_WORST_CASES = 8
"""Maximum number of groups that a card lists."""


def read_evaluation(folder: Path, *, name: str, role: Role, bundle: Bundle) -> EvaluationFacts:
    """Return what the folder of `cxrnet evaluate` says, for the card of `bundle`."""
    record = read_record(folder / METRICS)
    task = "segmenter" if bundle.config.classifier is None else "classifier"
    if role != "comparison" and record.task != task:
        raise UsageError(f"{folder}: evaluates a {record.task}; {bundle.config.name} is a {task}")
    training = bundle.facts.training if bundle.facts else None
    model = record.model
    if role == "own" and model.sha256 not in (bundle.sha256, training and training.sha256):
        found = f"{model.name} {model.version} ({model.sha256[:8]})"
        remedy = "give it with --control or --compare"
        raise UsageError(f"{folder}: evaluates {found}, not {bundle.label} or its folds; {remedy}")
    worst = _find_worst(folder / PER_IMAGE, record) if role == "own" else ()
    kept = {key: value for key, value in record.content().items() if key in KEPT}
    return EvaluationFacts(name=name, role=role, metrics=kept, worst=worst)


def read_audit(folder: Path, *, bundle: Bundle) -> dict[str, Any]:
    """Return what the folder of `cxrnet evaluate audit` says, without the command, for the card of `bundle`."""
    try:
        record = AuditRecord.model_validate_json((folder / "metrics.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise UsageError(f"{folder}: holds no audit; give what `cxrnet evaluate audit` wrote") from error
    if record.model["sha256"] != bundle.sha256:
        raise UsageError(f"{folder}: audits {record.model['name']} {record.model['version']}, not {bundle.label}")
    return record.model_dump(mode="json", exclude={"command"})


def _find_worst(path: Path, record: EvaluationRecord) -> tuple[WorstCase, ...]:
    """Return the worst image of each group, for the groups with the worst results."""
    if not path.is_file():
        raise UsageError(f"{path}: is not there; give the whole folder that `cxrnet evaluate` wrote")
    samples = read_table(path, record.manifest.columns)
    images = {str(sample.image) for sample in samples}
    found: dict[str, WorstCase] = {}
    for sample in samples:
        label = sample.label or ""
        text = sample.values.get("dice" if record.task == "segmenter" else f"score_{label}")
        if not text:
            continue
        group = Path(sample.group).name if sample.group in images else sample.group
        if group not in found or float(text) < found[group].value:
            found[group] = WorstCase(
                group=group,
                source=sample.source,
                view=sample.view,
                metric="dice" if record.task == "segmenter" else "score",
                value=float(text),
                label=label,
            )
    return tuple(sorted(found.values(), key=lambda one: (one.value, one.group))[:MAX_WORST_CASES])
