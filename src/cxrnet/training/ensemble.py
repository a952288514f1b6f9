"""From trained runs to a bundle: a segmenter, and the folds of a classifier if there are any (paper Fig. 5)."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from cxrnet.errors import UsageError
from cxrnet.export.bundle import build_bundle, load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import BundleConfig
from cxrnet.model.facts import DataFacts, Facts, SegmenterFacts, TrainingFacts
from cxrnet.model.patient import PatientConfig
from cxrnet.model.segmenter_classes import has_label_maps
from cxrnet.nn.network import Network
from cxrnet.training.calibration import fit_calibration
from cxrnet.training.config import ClassifierTraining, SegmenterTraining
from cxrnet.training.fold_runs import find_folds
from cxrnet.training.preflight import DATA
from cxrnet.training.run import (
    BEST,
    DIGESTS,
    LAST,
    RECORD,
    as_record,
    load_weights,
    read_checked,
    read_record,
    read_result,
)


def build_segmenter(
    run: Path,
    out: Path,
    *,
    name: str,
    version: str,
    description: str | None = None,
    lungs_include_heart: bool,
    weights: str = BEST,
    overwrite: bool = False,
) -> Bundle:
    """Write the bundle of a trained segmenter. Lungs do not include a heart that is a class of its own."""
    record = read_record(run, "segmenter")
    config = as_record(SegmenterTraining, record["settings"], run / RECORD)
    classes = config.segmenter.classes
    what = f"Segmenter of {', '.join(classes[1:])}" if has_label_maps(classes) else "Lung segmenter"
    network = Network(
        BundleConfig(
            name=name,
            version=version,
            description=description or f"{what} trained with cxrnet",
            lungs_include_heart=lungs_include_heart and "heart" not in classes,
            preparation=config.preparation,
            segmenter=config.segmenter,
        )
    )
    load_weights(network.segmenter, run, weights)
    facts = _facts(run, {run.name: run}, weights)
    return build_bundle(network.eval(), out, facts=facts, overwrite=overwrite)


def build_ensemble(
    runs: Sequence[Path],
    segmenter: Bundle,
    out: Path,
    *,
    name: str,
    version: str,
    description: str | None = None,
    weights: str = LAST,
    overwrite: bool = False,
) -> Bundle:
    """Write the bundle of a segmenter and of the folds of a classifier, trained in one run or in several.

    `segmenter` is the bundle that its lung masks came from. The weights are those of the last epoch, or of the best one
    by the images that the fold was not trained on. Scores are calibrated with those of the last only: a choice by the
    same images would make them look too good.
    """
    run = runs[0]
    record = read_record(run, "classifier")
    if record["segmenter"]["sha256"] != segmenter.sha256:
        masks = f"{record['segmenter']['name']} {record['segmenter']['version']}"
        raise UsageError(f"{run}: was trained on the lung masks of {masks}, not of {segmenter.label}; give that bundle")
    config = as_record(ClassifierTraining, record["settings"], run / RECORD)
    if config.lungs != "kept":
        raise UsageError(f"{run}: is a control that has not seen the lungs; `cxrnet evaluate folds` measures it")
    folds = find_folds(runs, config.folds)
    classes = config.classifier.classes
    tables = folds.read_tables(classes)
    logits = np.concatenate([table.logits for table in tables])
    labels = np.concatenate([table.labels for table in tables])
    patient = None if config.patient is None else as_record(PatientConfig, record.get("patient"), run / RECORD)
    network = Network(
        BundleConfig(
            name=name,
            version=version,
            description=description or f"Ensemble of {config.folds} folds trained with cxrnet",
            lungs_include_heart=segmenter.config.lungs_include_heart,
            preparation=config.preparation,
            segmenter=segmenter.config.segmenter,
            lung_mask=config.lung_mask,
            classifier=config.classifier.model_copy(update={"patient": patient}),
            folds=config.folds,
            standardisation=folds.standardisation,
            calibration=fit_calibration(logits, labels, classes) if weights == LAST else None,
        )
    )
    network.segmenter.load_state_dict(load_network(segmenter).segmenter.state_dict(), strict=True)
    for fold, folder in zip(network.ensemble.folds, folds.folders, strict=True):
        load_weights(fold, folder, weights)
    facts = _facts(run, {folder.name: folder for folder in folds.folders}, weights)
    known = segmenter.facts or Facts()
    masks_from = SegmenterFacts(
        name=segmenter.config.name,
        version=segmenter.config.version,
        sha256=segmenter.sha256,
        training=known.training,
        data=known.data,
    )
    facts = facts.model_copy(update={"segmenter": masks_from})
    return build_bundle(network.eval(), out, facts=facts, overwrite=overwrite)


def _facts(run: Path, parts: Mapping[str, Path], weights: str) -> Facts:
    """What is known of the bundle of a run, with the name and folder of each network that was trained."""
    record, sha, results = read_record(run), hashlib.sha256(), {}
    for name, folder in parts.items():
        sha.update(read_checked(folder, weights))
        result = read_result(folder) or {}
        results[name] = {field: value for field, value in result.items() if field != DIGESTS}
    training = TrainingFacts(
        kind=record["kind"],
        settings=record["settings"],
        weights="last" if weights == LAST else "best",
        start=record.get("start"),
        results=results,
        sha256=sha.hexdigest(),
    )
    path, data = run / DATA, None
    if path.is_file():  # runs of before there was such a file get it with --resume
        try:
            data = DataFacts.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise UsageError(
                f"{path}: is not of this version's form; train with --resume and the same options to write it again"
            ) from error
        if data.sha256 != record["films"]["sha256"]:
            raise UsageError(f"{path}: is of other images than the training; train with --resume and the same options")
    return Facts(training=training, data=data)
