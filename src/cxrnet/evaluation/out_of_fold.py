"""The folds of a cross-validation on the images that each was not trained on.

Scores are calibrated like those of a bundle, but the images of one fold with a fit on those of the others, so that the
calibration error is out of fold as well.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.data.manifest import FOLD_COLUMN, Sample
from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.evaluation.classifier import check_labels, own_columns, score_evaluation, without_patient
from cxrnet.evaluation.evaluation import Evaluation, ModelInfo, Observe, ignore, outcome_of
from cxrnet.evaluation.request import Request
from cxrnet.evaluation.summary import labels_of, over_folds, scores_of
from cxrnet.screening.conformal import conformal_set
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.classifier_run import FOLDS
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.fold_runs import FoldRuns, find_folds
from cxrnet.training.run import LAST, RECORD, as_record, read_checked, read_record


def evaluate_folds(runs: Sequence[Path], request: Request, *, observe: Observe = ignore) -> Evaluation:
    """Score every image of a cross-validation, trained in one run or in several, by the fold not trained on it."""
    run = runs[0]
    request = replace(request, manifest=run / FOLDS)
    config = as_record(ClassifierTraining, read_record(run, "classifier")["settings"], run / RECORD)
    found = find_folds(runs, config.folds)
    model = _describe_run(run, config, found)
    own = own_columns(model.classes)[:-1]  # the lungs are not found again
    manifest, by = request.read(own_columns=own)
    check_labels(request, manifest, model)
    samples = manifest.samples
    numbers = np.array([int(sample.values[FOLD_COLUMN]) for sample in samples])
    logits = np.empty((len(samples), len(model.classes)))
    missing = np.full_like(logits, np.nan)
    labels = np.empty(len(samples), np.int64)
    for fold, table in enumerate(found.read_tables(model.classes)):
        members = np.flatnonzero(numbers == fold)
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

    `logits`, float64 [image, class], are out of fold; `scored`, of the same shape, are calibrated with these fits in
    their place.
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
    numbered = list(zip(cases, numbers, strict=True))
    folds = ([case for case, number in numbered if number == fold] for fold in np.unique(numbers))
    return over_folds((labels_of(members, classes), scores_of(members, classes)) for members in folds)


def _describe_run(run: Path, config: ClassifierTraining, found: FoldRuns) -> ModelInfo:
    record, sha = read_record(run), hashlib.sha256()
    for folder in found.folders:
        sha.update(read_checked(folder, LAST))
    digest = sha.hexdigest()
    masks = f"{record['segmenter']['name']} {record['segmenter']['version']}"
    return ModelInfo(
        identity={"name": run.name, "version": "cross-validation", "sha256": digest},
        label=f"{run.name}, {config.folds} folds ({digest[:8]})",
        description=(
            f"Each image scored by the fold that was not trained on it; lung masks of {masks}; "
            f"augmentation {config.augmentation.model_dump_json()}"
        ),
        classes=config.classifier.classes,
    )
