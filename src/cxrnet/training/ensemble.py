"""From trained runs to a bundle: a segmenter, and the folds of a classifier if there are any (paper Fig. 5)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from cxrnet.bundle.config import BundleConfig, Standardisation
from cxrnet.bundle.folder import Bundle
from cxrnet.errors import UsageError
from cxrnet.nn.build import build_bundle, load_network
from cxrnet.nn.network import Network
from cxrnet.training.calibration import fit_calibration, read_out_of_fold
from cxrnet.training.callbacks import BEST, LAST
from cxrnet.training.classifier_run import STANDARDISATION
from cxrnet.training.config import ClassifierTraining, SegmenterTraining
from cxrnet.training.record import read_facts
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
    run: Path, segmenter: Bundle, out: Path, *, name: str, weights: str = LAST, overwrite: bool = False
) -> Bundle:
    """Write the bundle of a segmenter and of the folds of a classifier run.

    Args:
        run: Folder of `cxrnet train classifier`.
        segmenter: The bundle that its lung masks came from.
        out: Folder of the bundle.
        name: Name of the bundle.
        weights: Those of the last epoch, or of the best one by the films that the fold was not trained on. Scores
            are calibrated with those of the last only: a choice by the same films would make them look too good.
        overwrite: Whether a bundle that stands there is replaced.

    Raises:
        UsageError: The run is none of a classifier, a fold is missing, or its masks came from another segmenter.
        BundleError: The folder exists and `overwrite` is not set.
    """
    record = _record(run, "classifier")
    if record["segmenter"]["sha256"] != segmenter.sha256:
        told = f"{record['segmenter']['name']} {record['segmenter']['version']}"
        msg = f"{run}: was trained on the lung masks of {told}, not of {segmenter.label}; give that bundle"
        raise UsageError(msg)
    config = ClassifierTraining.model_validate_json(json.dumps(record["settings"]))
    if config.lungs != "kept":
        msg = f"{run}: is a control that has not seen the lungs; `cxrnet evaluate folds` measures it"
        raise UsageError(msg)
    folders = [run / f"fold{number}" for number in range(config.folds)]
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


def _record(run: Path, kind: str) -> dict[str, Any]:
    record = read_record(run)
    if record["kind"] != kind:
        msg = f"{run}: is the training of a {record['kind']}; that of a {kind} is needed"
        raise UsageError(msg)
    return record


def _file(run: Path, name: str) -> Path:
    path = run / name
    if not path.is_file():
        msg = f"{run}: has no {name}; its training has not come so far"
        raise UsageError(msg)
    return path
