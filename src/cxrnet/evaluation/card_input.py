"""From the folder of an evaluation to what a bundle's card tells of it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cxrnet.errors import UsageError
from cxrnet.model.bundle import Bundle
from cxrnet.model.facts import EvaluationFacts, Role, WorstCase

METRICS, PER_IMAGE = "metrics.json", "per_image.csv"
SCHEMA = "cxrnet.evaluation/1"
KEPT = (
    "schema", "task", "model", "manifest", "cxrnet", "bootstrap", "status", "reasons", "warned", "classes",
    "positive_class", "single_class", "folds", "is_out_of_fold", "gate", "overall", "by",
)  # fmt: skip
"""What of `metrics.json` a bundle keeps: neither the command, which names folders, nor single films."""

WORST = 8
"""Groups that a card lists."""


def read_evidence(folder: Path, *, name: str, role: Role, bundle: Bundle) -> EvaluationFacts:
    """Return what the folder of `cxrnet evaluate` says, for the card of `bundle`.

    Raises:
        UsageError: The folder holds no evaluation, or an `own` one is of another model.
    """
    metrics = _read_metrics(folder)
    task = "segmenter" if bundle.config.classifier is None else "classifier"
    if role != "comparison" and metrics["task"] != task:
        raise UsageError(f"{folder}: evaluates a {metrics['task']}; {bundle.config.name} is a {task}")
    training = bundle.facts.training if bundle.facts else None
    if role == "own" and metrics["model"]["sha256"] not in (bundle.sha256, training and training.sha256):
        told = f"{metrics['model']['name']} {metrics['model']['version']} ({metrics['model']['sha256'][:8]})"
        msg = f"{folder}: evaluates {told}, not {bundle.label} or its folds; give it with --control or --compare"
        raise UsageError(msg)
    worst = _worst(folder / PER_IMAGE, metrics) if role == "own" else ()
    kept = {key: metrics[key] for key in KEPT if key in metrics}
    return EvaluationFacts(name=name, role=role, metrics=kept, worst=worst)


def _read_metrics(folder: Path) -> dict[str, Any]:
    try:
        metrics = dict(json.loads((folder / METRICS).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        msg = f"{folder}: has no readable {METRICS}; give the folder that `cxrnet evaluate --out` wrote"
        raise UsageError(msg) from error
    missing = {"task", "model", "manifest", "status", "reasons", "overall", "by"} - metrics.keys()
    if metrics.get("schema") != SCHEMA or missing:
        raise UsageError(f"{folder}: {METRICS} is not of the form {SCHEMA}; evaluate again with this version")
    return metrics


def _worst(path: Path, metrics: Mapping[str, Any]) -> tuple[WorstCase, ...]:
    """The worst film of each group, of the groups that it is worst in; nothing where there is no table."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); give the whole folder that `cxrnet evaluate` wrote"
        raise UsageError(msg) from error
    names = metrics["manifest"]["columns"]
    found: dict[str, WorstCase] = {}
    for row in rows:
        label = row.get(names["label"]) or ""
        metric: Literal["dice", "score"] = "dice" if metrics["task"] == "segmenter" else "score"
        told = row.get("dice" if metric == "dice" else f"score_{label}")
        if told:
            group = row.get(names["group"]) or row.get(names["patient"]) or Path(row[names["image"]]).name
            source, view = row.get(names["source"]) or "", row.get(names["view"]) or ""
            value = float(told)
            if group not in found or value < found[group].value:
                told_of = {"group": group, "source": source, "view": view, "label": label}
                found[group] = WorstCase(metric=metric, value=value, **told_of)
    return tuple(sorted(found.values(), key=lambda one: (one.value, one.group))[:WORST])
