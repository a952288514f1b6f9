"""The folds of a cross-validation on the images that each was not trained on.

Scores are calibrated like those of a bundle, but the images of one fold with a fit on those of the others, so that the
calibration error is out of fold as well.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.data.check import FOLD_COLUMN
from cxrnet.data.manifest import Sample
from cxrnet.errors import UsageError
from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.evaluation.classifier import check_labels, own_columns, score_evaluation, without_patient
from cxrnet.evaluation.evaluation import Evaluation, ModelInfo, Observe, ignore, outcome_of
from cxrnet.evaluation.metrics import classifier_statistic
from cxrnet.evaluation.request import Request
from cxrnet.evaluation.summary import FOLD_METRICS, labels_of, over_folds, scores_of
from cxrnet.screening.conformal import conformal_set
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.classifier_run import FOLDS
from cxrnet.training.out_of_fold import read_out_of_fold
from cxrnet.training.run import LAST, OUT_OF_FOLD, read_record


def evaluate_folds(run: Path, request: Request, *, observe: Observe = ignore) -> Evaluation:
    """Score every image of a cross-validation by the fold that was not trained on it."""
    request = replace(request, manifest=run / FOLDS)
    model = _describe_run(run)
    own = own_columns(model.classes)[:-1]  # the lungs are not found again
    manifest, by = request.read(own_columns=own)
    check_labels(request, manifest, model)
    samples = manifest.samples
    numbers = np.array([int(sample.values[FOLD_COLUMN]) for sample in samples])
    logits = np.empty((len(samples), len(model.classes)))
    missing = np.full_like(logits, np.nan)
    labels = np.empty(len(samples), np.int64)
    for fold in np.unique(numbers):
        members = np.flatnonzero(numbers == fold)
        table = read_out_of_fold(run / f"fold{fold}" / OUT_OF_FOLD, model.classes)
        table.check_rows([samples[member] for member in members])
        logits[members], labels[members] = table.logits, table.labels
        if table.without_patient is not None:
            missing[members] = table.without_patient
    cases = _calibrated_cases(samples, logits, labels, numbers, model.classes)
    for case in cases:
        observe(outcome_of(case, model.classes), len(samples))
    more: dict[str, object] = {"folds": _fold_metrics(cases, model.classes, numbers), "is_out_of_fold": True}
    if np.isfinite(missing).all():
        hidden = _calibrated_cases(samples, logits, labels, numbers, model.classes, scored=missing)
        more["without_patient"] = without_patient(request, model.classes, hidden, by=by)
    return score_evaluation(request, manifest, model, cases, by=by, own=own, **more)


def _calibrated_cases(
    samples: Sequence[Sample],
    logits: Float64,
    labels: Int64,
    folds: Int64,
    classes: Sequence[str],
    *,
    scored: Float64 | None = None,
) -> list[ClassifierCase]:
    calibrated, sets = calibrated_across(logits, labels, folds, classes, scored=scored)
    cases = []
    for sample, scores, chosen in zip(samples, calibrated, sets, strict=True):
        values = tuple(map(float, scores))
        cases.append(
            ClassifierCase(
                sample=sample, status="scored", scores=values, folds=(values,), spread=0.0, conformal_set=chosen
            )
        )
    return cases


def calibrated_across(
    logits: Float64, labels: Int64, folds: Int64, classes: Sequence[str], *, scored: Float64 | None = None
) -> tuple[Float32, list[tuple[str, ...]]]:
    """Return calibrated scores, float32 [image, class], and prediction sets; those of a fold by a fit on the others.

    Args:
        logits: float64 [image, class], out of fold.
        labels: int64 [image], index of the true class.
        folds: int64 [image].
        classes: Names of the classes.
        scored: float64 [image, class], what is calibrated with these fits; None calibrates `logits`.
    """
    scored = logits if scored is None else scored
    scores = np.empty(logits.shape, np.float32)
    sets: list[tuple[str, ...]] = [()] * len(logits)
    for fold in np.unique(folds):
        is_own = folds == fold
        calibration = fit_calibration(logits[~is_own], labels[~is_own], classes)
        assert calibration.conformal is not None  # fitted, since the classes are named
        scores[is_own] = calibration.probabilities(scored[is_own])
        for image in np.flatnonzero(is_own):
            values = dict(zip(classes, map(float, scores[image]), strict=True))
            sets[image] = conformal_set(values, calibration.conformal.thresholds)
    return scores, sets


def _fold_metrics(cases: Sequence[ClassifierCase], classes: Sequence[str], numbers: Int64) -> dict[str, object]:
    found = []
    for fold in np.unique(numbers):
        members = [case for case, number in zip(cases, numbers, strict=True) if number == fold]
        statistic = classifier_statistic(labels_of(members, classes), scores_of(members, classes))
        found.append(statistic(np.ones((1, len(members)))))
    return {name: over_folds(np.array([metrics[name][0] for metrics in found])) for name in FOLD_METRICS}


def _describe_run(run: Path) -> ModelInfo:
    record = read_record(run)
    if record["kind"] != "classifier":
        raise UsageError(f"{run}: is a {record['kind']} run; give the run of a classifier")
    settings, sha = record["settings"], hashlib.sha256()
    for number in range(settings["folds"]):
        path = run / f"fold{number}" / LAST
        if not path.is_file():
            raise UsageError(f"{run}: fold {number} is not finished; train it first, for example with --resume")
        sha.update(path.read_bytes())
    digest = sha.hexdigest()
    masks = f"{record['segmenter']['name']} {record['segmenter']['version']}"
    return ModelInfo(
        identity={"name": run.name, "version": "cross-validation", "sha256": digest},
        label=f"{run.name}, {settings['folds']} folds ({digest[:8]})",
        description=(
            f"Each image scored by the fold that was not trained on it; lung masks of {masks}; "
            f"augmentation {json.dumps(settings['augmentation'])}"
        ),
        classes=tuple(settings["classifier"]["classes"]),
    )
