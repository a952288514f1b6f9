"""From trained runs to a bundle: a segmenter, and the folds of a classifier if there are any (paper Fig. 5)."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from pydantic import ValidationError

from cxrnet.arrays import Float64, Int64
from cxrnet.errors import UsageError
from cxrnet.export.bundle import build_bundle, load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import BundleConfig, Standardisation
from cxrnet.nn.network import Network
from cxrnet.training.artifacts import BEST, LAST, OUT_OF_FOLD, RESULT, read_checked, read_weights
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.classifier_run import FOLD_COLUMN, FOLDS, STANDARDISATION, run_identity
from cxrnet.training.config import ClassifierTraining, SegmenterTraining
from cxrnet.training.out_of_fold import read_out_of_fold
from cxrnet.training.provenance import read_facts
from cxrnet.training.run import read_record


def build_segmenter(
    run: Path, out: Path, *, name: str, lungs_include_heart: bool, weights: str = BEST, overwrite: bool = False
) -> Bundle:
    """Write the bundle of a trained segmenter.

    Raises:
        UsageError: The run is not one of a segmenter, or has not ended an epoch.
        BundleError: The folder exists and `overwrite` is not set.
    """
    record = _record(run, "segmenter")
    config = SegmenterTraining.model_validate_json(json.dumps(record["settings"]))
    network = Network(
        BundleConfig(
            name=name,
            version="1.0",
            description="Lung segmenter trained with cxrnet",
            lungs_include_heart=lungs_include_heart,
            preparation=config.preparation,
            segmenter=config.segmenter,
        )
    )
    network.segmenter.load_state_dict(read_weights(run, weights), strict=True)
    facts = read_facts(run, {run.name: run}, weights=weights)
    return build_bundle(network.eval(), out, facts=facts, overwrite=overwrite)


def build_ensemble(
    runs: Sequence[Path], segmenter: Bundle, out: Path, *, name: str, weights: str = LAST, overwrite: bool = False
) -> Bundle:
    """Write the bundle of a segmenter and of the folds of a classifier, trained in one run or in several.

    Args:
        runs: Folders of `cxrnet train classifier`: one training, of which each has some folds.
        segmenter: The bundle that its lung masks came from.
        out: Folder of the bundle.
        name: Name of the bundle.
        weights: Those of the last epoch, or of the best one by the images that the fold was not trained on. Scores
            are calibrated with those of the last only: a choice by the same images would make them look too good.
        overwrite: Whether a bundle that stands there is replaced.

    Raises:
        UsageError: A run is not one of a classifier, its masks came from another segmenter, a fold is missing or is
            there twice, or the runs differ in their images, folds or settings.
        BundleError: The folder exists and `overwrite` is not set.
    """
    run = runs[0]
    record = _record(run, "classifier")
    if record["segmenter"]["sha256"] != segmenter.sha256:
        name = f"{record['segmenter']['name']} {record['segmenter']['version']}"
        raise UsageError(f"{run}: was trained on the lung masks of {name}, not of {segmenter.label}; give that bundle")
    config = ClassifierTraining.model_validate_json(json.dumps(record["settings"]))
    if config.lungs != "kept":
        raise UsageError(f"{run}: is a control that has not seen the lungs; `cxrnet evaluate folds` measures it")
    for other in runs[1:]:
        check_alike(run, other)
    folders = find_folds(runs, config.folds)
    rows = _read_folds(run)
    for number, folder in enumerate(folders):
        check_fold(folder, number, record, run)
    states = [read_weights(folder, weights) for folder in folders]
    logits, labels = _read_logits(folders, rows, config.classifier.classes)
    calibration = fit_calibration(logits, labels, config.classifier.classes) if weights == LAST else None
    network = Network(
        BundleConfig(
            name=name,
            version="1.0",
            description=f"Ensemble of {config.folds} folds trained with cxrnet",
            lungs_include_heart=segmenter.config.lungs_include_heart,
            preparation=config.preparation,
            segmenter=segmenter.config.segmenter,
            lung_mask=config.lung_mask,
            classifier=config.classifier,
            folds=config.folds,
            standardisation=_read_standardisation(run),
            calibration=calibration,
        )
    )
    network.segmenter.load_state_dict(load_network(segmenter).segmenter.state_dict(), strict=True)
    for fold, state in zip(network.ensemble.folds, states, strict=True):
        fold.load_state_dict(state, strict=True)
    parts = {folder.name: folder for folder in folders}
    facts = read_facts(run, parts, weights=weights, segmenter=segmenter)
    return build_bundle(network.eval(), out, facts=facts, overwrite=overwrite)


def check_alike(run: Path, other: Path) -> None:
    """Hold that two runs are parts of one training of a classifier.

    Raises:
        UsageError: They differ in lung masks, images, settings, or in what follows from these.
    """
    one, two = _record(run, "classifier"), _record(other, "classifier")
    if one["segmenter"]["sha256"] != two["segmenter"]["sha256"]:
        names = [f"{record['segmenter']['name']} {record['segmenter']['version']}" for record in (two, one)]
        msg = f"{other}: was trained on the lung masks of {names[0]}, {run} on those of {names[1]}"
        raise UsageError(f"{msg}; join runs with the same --lungs")
    settings, others = one["settings"], two["settings"]
    differing = sorted(key for key in settings.keys() | others.keys() if settings.get(key) != others.get(key))
    if differing:
        raise UsageError(
            f"{other}: was trained with other {', '.join(differing)} than {run}; join runs with the same settings"
        )
    if one["films"]["sha256"] != two["films"]["sha256"]:
        counts = f"{two['films']['all']} images, {run} on {one['films']['all']}"
        raise UsageError(
            f"{other}: was trained on {counts}, and their rows differ; join runs with the same manifest and --where"
        )
    if [row[FOLD_COLUMN] for row in _read_folds(run)] != [row[FOLD_COLUMN] for row in _read_folds(other)]:
        raise UsageError(
            f"{other}: has other images in its folds than {run}; give both trainings a manifest with a column fold"
        )
    if _file(run, STANDARDISATION).read_bytes() != _file(other, STANDARDISATION).read_bytes():
        raise UsageError(
            f"{other}: its images have another mean or deviation than those of {run}; train with the same files"
        )


def check_fold(folder: Path, number: int, record: Mapping[str, Any], run: Path) -> None:
    """Check that a folder holds fold `number` of the training with this record, and not another one's.

    Raises:
        UsageError: It holds another fold, or one of another training.
    """
    fold = _record(folder, "fold")
    if fold.get("fold") != number:
        raise UsageError(f"{folder}: holds fold {fold.get('fold')}; give each fold its own folder, as training made it")
    if fold["settings"] != record["settings"]:
        settings, others = record["settings"], fold["settings"]
        names = sorted(key for key in settings.keys() | others.keys() if settings.get(key) != others.get(key))
        raise UsageError(f"{folder}: was trained with other {', '.join(names)} than its run; train the fold again")
    if fold.get("run", run_identity(run)) != run_identity(run):
        problem = "belongs to a training with other images, folds or lung masks"
        raise UsageError(f"{folder}: {problem}; train the fold again")


def _read_logits(
    folders: Sequence[Path], rows: Sequence[Mapping[str, str]], classes: Sequence[str]
) -> tuple[Float64, Int64]:
    """Return logits, float64 [image, class], and labels, int64 [image]; every fold has just the rows of `folds.csv`.

    Raises:
        UsageError: A fold has other rows, or its file is not the one that training wrote.
    """
    tables = []
    for number, folder in enumerate(folders):
        read_checked(folder, OUT_OF_FOLD)
        table = read_out_of_fold(folder / OUT_OF_FOLD, classes)
        wanted = [set(row.values()) for row in rows if row[FOLD_COLUMN] == str(number)]
        found = [(name, classes[label]) for name, label in zip(table.images, table.labels, strict=True)]
        if len(found) != len(wanted) or not all(map(_is_row, found, wanted)):
            problem = f"has other images or labels than {FOLDS} lists for fold {number}"
            raise UsageError(f"{table.path}: {problem}; train the fold again")
        tables.append(table)
    return np.concatenate([table.logits for table in tables]), np.concatenate([table.labels for table in tables])


def _is_row(found: tuple[str, str], cells: set[str]) -> bool:
    """Whether a row of a manifest, whose columns can have any name, is of this image and label."""
    name, label = found
    return label in cells and any(PurePath(cell).name == name for cell in cells)


def find_folds(runs: Sequence[Path], folds: int) -> list[Path]:
    """Return the folder of each fold, in their order: in the one run, or in that of several in which it has ended.

    Raises:
        UsageError: Of several runs none or more than one has a fold.
    """
    if len(runs) == 1:
        return [runs[0] / f"fold{number}" for number in range(folds)]
    found = []
    for number in range(folds):
        homes = [run for run in runs if (run / f"fold{number}" / RESULT).is_file()]
        if not homes:
            msg = f"ensemble: fold {number} has ended in none of {', '.join(map(str, runs))}"
            raise UsageError(f"{msg}; train it with --fold {number}, or give the run that has it")
        if len(homes) > 1:
            msg = f"ensemble: fold {number} is in {' and in '.join(map(str, homes))}"
            raise UsageError(f"{msg}; give each fold once: move one of the two folders away")
        found.append(homes[0] / f"fold{number}")
    return found


def _read_folds(run: Path) -> list[dict[str, str]]:
    path = _file(run, FOLDS)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [dict(row) for row in csv.DictReader(file)]
    except (csv.Error, ValueError) as error:
        raise UsageError(f"{path}: is damaged; run the training again with --resume") from error
    if not rows or any(not row.get(FOLD_COLUMN) or None in row.values() for row in rows):
        raise UsageError(f"{path}: has no rows, or a row without a fold; run the training again with --resume")
    return rows


def _read_standardisation(run: Path) -> Standardisation:
    path = _file(run, STANDARDISATION)
    try:
        return Standardisation.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise UsageError(f"{path}: is damaged; run the training again with --resume") from error


def _record(run: Path, kind: str) -> dict[str, Any]:
    record = read_record(run)
    if record["kind"] != kind:
        raise UsageError(f"{run}: is the training of a {record['kind']}; that of a {kind} is needed")
    return record


def _file(run: Path, name: str) -> Path:
    path = run / name
    if not path.is_file():
        raise UsageError(f"{run}: has no {name}; its training has not come so far")
    return path
