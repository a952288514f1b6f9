"""From trained runs to a bundle: a segmenter, and the folds of a classifier if there are any (paper Fig. 5)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from cxrnet.errors import UsageError
from cxrnet.export.bundle import build_bundle, load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import BundleConfig, Standardisation
from cxrnet.nn.network import Network
from cxrnet.training.calibration import fit_calibration, read_out_of_fold
from cxrnet.training.callbacks import BEST, LAST, RESULT
from cxrnet.training.classifier_run import FOLD_COLUMN, FOLDS, STANDARDISATION
from cxrnet.training.config import ClassifierTraining, SegmenterTraining
from cxrnet.training.provenance import read_facts
from cxrnet.training.run import read_record


def build_segmenter(
    run: Path, out: Path, *, name: str, lungs_include_heart: bool, weights: str = BEST, overwrite: bool = False
) -> Bundle:
    """Write the bundle of a trained segmenter.

    Raises:
        UsageError: The run is none of a segmenter, or has not ended an epoch.
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
    network.segmenter.load_state_dict(load_file(_file(run, weights)), strict=True)
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
        weights: Those of the last epoch, or of the best one by the films that the fold was not trained on. Scores
            are calibrated with those of the last only: a choice by the same films would make them look too good.
        overwrite: Whether a bundle that stands there is replaced.

    Raises:
        UsageError: A run is none of a classifier, its masks came from another segmenter, a fold is missing or is
            there twice, or the runs differ in their films, folds or settings.
        BundleError: The folder exists and `overwrite` is not set.
    """
    run = runs[0]
    record = _record(run, "classifier")
    if record["segmenter"]["sha256"] != segmenter.sha256:
        told = f"{record['segmenter']['name']} {record['segmenter']['version']}"
        raise UsageError(f"{run}: was trained on the lung masks of {told}, not of {segmenter.label}; give that bundle")
    config = ClassifierTraining.model_validate_json(json.dumps(record["settings"]))
    if config.lungs != "kept":
        raise UsageError(f"{run}: is a control that has not seen the lungs; `cxrnet evaluate folds` measures it")
    for other in runs[1:]:
        check_alike(run, other)
    folders = find_folds(runs, config.folds)
    states = [load_file(_file(folder, weights)) for folder in folders]
    calibration = None
    if weights == LAST:
        calibration = fit_calibration(*read_out_of_fold(folders, config.classifier.classes))
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
            standardisation=Standardisation.model_validate_json(_file(run, STANDARDISATION).read_bytes()),
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
        UsageError: They differ in lung masks, films, settings, or in what follows from these.
    """
    one, two = _record(run, "classifier"), _record(other, "classifier")
    if one["segmenter"]["sha256"] != two["segmenter"]["sha256"]:
        names = [f"{record['segmenter']['name']} {record['segmenter']['version']}" for record in (two, one)]
        msg = f"{other}: was trained on the lung masks of {names[0]}, {run} on those of {names[1]}"
        raise UsageError(f"{msg}; join runs with the same --lungs")
    settings, others = one["settings"], two["settings"]
    differing = sorted(key for key in settings.keys() | others.keys() if settings.get(key) != others.get(key))
    if differing:
        msg = f"{other}: was trained with other {', '.join(differing)} than {run}; join runs with the same settings"
        raise UsageError(msg)
    if one["films"]["sha256"] != two["films"]["sha256"]:
        counts = f"{two['films']['all']} films, {run} on {one['films']['all']}"
        msg = f"{other}: was trained on {counts}, and their rows differ; join runs with the same manifest and --where"
        raise UsageError(msg)
    if _fold_numbers(run) != _fold_numbers(other):
        msg = f"{other}: has other films in its folds than {run}; give both trainings a manifest with a column fold"
        raise UsageError(msg)
    if _file(run, STANDARDISATION).read_bytes() != _file(other, STANDARDISATION).read_bytes():
        msg = f"{other}: its films have another mean or deviation than those of {run}; train with the same files"
        raise UsageError(msg)


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
            raise UsageError(f"{msg}; train it with --only {number}, or give the run that has it")
        if len(homes) > 1:
            msg = f"ensemble: fold {number} is in {' and in '.join(map(str, homes))}"
            raise UsageError(f"{msg}; give each fold once: move one of the two folders away")
        found.append(homes[0] / f"fold{number}")
    return found


def _fold_numbers(run: Path) -> list[str]:
    with _file(run, FOLDS).open(newline="", encoding="utf-8") as file:
        return [row.get(FOLD_COLUMN, "") for row in csv.DictReader(file)]


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
