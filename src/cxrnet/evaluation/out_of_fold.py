"""The folds of a cross-validation on the films that each has not seen: the honest figure of a training.

Scores are calibrated as those of a bundle are, but for the films of one fold with a fit on those of the others, so that
the calibration error is out of fold as well.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.data.manifest import Sample
from cxrnet.errors import UsageError
from cxrnet.evaluation.cases import ClassifierCase
from cxrnet.evaluation.evaluation import Request
from cxrnet.evaluation.folds import FOLD_METRICS, spread
from cxrnet.evaluation.metrics import classifier_statistic
from cxrnet.evaluation.model_info import Subject
from cxrnet.evaluation.summary import labels_of, scores_of
from cxrnet.evaluation.tasks import ScoreEvaluation
from cxrnet.screening.calibration import calibrate
from cxrnet.training.artifacts import LAST
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.classifier_run import FOLD_COLUMN, FOLDS, OUT_OF_FOLD
from cxrnet.training.run import read_record


class OutOfFoldEvaluation(ScoreEvaluation):
    """A classifier run against its own films, each scored by the fold that was not trained on it.

    Args:
        run: Folder of `cxrnet train classifier`, all folds trained.
        request: Its `manifest` is the run's `folds.csv`.
        out: Folder for the results.

    Raises:
        UsageError: The folder is no classifier run, or a fold is missing.
    """

    def __init__(self, run: Path, request: Request, out: Path) -> None:
        self.run_folder = run
        super().__init__(_subject(run), request, out)

    @property
    def own_columns(self) -> tuple[str, ...]:
        """Columns that `per_image.csv` adds."""
        return ("status", "reasons", *(f"score_{name}" for name in self.classes), "answer", "spread")

    def _cases(self) -> Iterator[ClassifierCase]:
        numbers = np.array([int(sample.values[FOLD_COLUMN]) for sample in self.samples])
        logits = np.empty((len(self.samples), len(self.classes)))
        for fold in np.unique(numbers):
            members = np.flatnonzero(numbers == fold)
            path = self.run_folder / f"fold{fold}" / OUT_OF_FOLD
            logits[members] = read_logits(path, [self.samples[member] for member in members], self.classes)
        labels = np.array([self.classes.index(str(sample.label)) for sample in self.samples], np.int64)
        for sample, scores in zip(self.samples, calibrated_across(logits, labels, numbers), strict=True):
            told = tuple(map(float, scores))
            yield ClassifierCase(sample=sample, status="scored", scores=told, folds=(told,), spread=0.0)

    def _details(self, cases: Sequence[ClassifierCase]) -> dict[str, Any]:
        members: dict[str, list[ClassifierCase]] = {}
        for case in cases:
            members.setdefault(case.sample.values[FOLD_COLUMN], []).append(case)
        found = []
        for fold in sorted(members, key=int):
            labels, scores = labels_of(members[fold], self.classes), scores_of(members[fold], self.classes)
            found.append(classifier_statistic(labels, scores)(np.ones((1, len(labels)))))
        table = {name: spread(np.array([metrics[name][0] for metrics in found])) for name in FOLD_METRICS}
        return super()._details(cases) | {"folds": table, "is_out_of_fold": True}


def calibrated_across(logits: Float64, labels: Int64, folds: Int64) -> Float32:
    """Return calibrated scores, float32 [film, class]; those of a fold by a fit on the other folds.

    Args:
        logits: float64 [film, class], out of fold.
        labels: int64 [film], index of the true class.
        folds: int64 [film].
    """
    scores = np.empty(logits.shape, np.float32)
    for fold in np.unique(folds):
        is_own = folds == fold
        scores[is_own] = calibrate(logits[is_own], fit_calibration(logits[~is_own], labels[~is_own]))
    return scores


def read_logits(path: Path, samples: Sequence[Sample], classes: Sequence[str]) -> Float64:
    """Return float64 [sample, class] of a fold's out-of-fold file, whose rows are these samples.

    Raises:
        UsageError: The file is not there, or has other rows.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        told = [(Path(row["image"]).name, row["label"]) for row in rows]
        logits = np.array([[float(row[f"logit_{name}"]) for name in classes] for row in rows])
    except (OSError, KeyError, ValueError) as error:
        msg = f"{path}: holds no logits of this fold ({type(error).__name__}); train all folds to their end first"
        raise UsageError(msg) from error
    if told != [(sample.image.name, str(sample.label)) for sample in samples]:
        raise UsageError(f"{path}: has other films than {FOLDS} says; train the folds anew")
    return logits


def _subject(run: Path) -> Subject:
    record = read_record(run)
    if record["kind"] != "classifier":
        raise UsageError(f"{run}: is a {record['kind']} run; give that of a classifier, with its folds")
    settings, sha = record["settings"], hashlib.sha256()
    for number in range(settings["folds"]):
        path = run / f"fold{number}" / LAST
        if not path.is_file():
            raise UsageError(f"{run}: fold {number} has not ended; train it first, as with --resume")
        sha.update(path.read_bytes())
    digest = sha.hexdigest()
    masks = record["segmenter"]
    told = json.dumps(settings["augmentation"])
    return Subject(
        identity={"name": run.name, "version": "cross-validation", "sha256": digest},
        label=f"{run.name}, {settings['folds']} folds ({digest[:8]})",
        description=(
            f"Each film scored by the fold that was not trained on it; lung masks of {masks['name']} "
            f"{masks['version']}; augmentation {told}"
        ),
        classes=tuple(settings["classifier"]["classes"]),
    )
