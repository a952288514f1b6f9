"""`cxrnet train classifier`: from a manifest and a segmenter to the folds of a cross-validation.

The run is a folder:

    features/               lung masks, and scattering coefficients of images and augmented copies, shared by the folds
    standardisation.json    mean and standard deviation of the images
    folds.csv               the manifest's rows with their fold
    fold0/ ...              one run each, with out_of_fold.csv: logits of the images that the fold has not seen
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from cxrnet.arrays import Int64
from cxrnet.atomic import write_atomic
from cxrnet.data.check import check_rows, require_sound
from cxrnet.data.folds import assign_folds
from cxrnet.data.manifest import FOLD_COLUMN, Manifest, Sample, write_manifest
from cxrnet.errors import UsageError
from cxrnet.export.bundle import load_network
from cxrnet.model.bundle import Bundle
from cxrnet.model.config import Standardisation
from cxrnet.training.callbacks import weights_of
from cxrnet.training.classification import FoldModule
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.dataset import ImageSet, digest
from cxrnet.training.features import Features, FeatureSource, open_features, open_lungs
from cxrnet.training.fit import fit
from cxrnet.training.out_of_fold import write_out_of_fold
from cxrnet.training.patient import PatientInputs, encode_samples, find_shortcuts, fit_patient
from cxrnet.training.preflight import RunOptions, check_data, choose_rows, read_data, start_run
from cxrnet.training.run import (
    LAST,
    OUT_OF_FOLD,
    is_finished,
    is_first_process,
    load_weights,
    lock_run,
    open_run,
    read_record,
    read_result,
    require_resume,
    write_result,
)
from cxrnet.training.sampling import fold_draws
from cxrnet.training.segmenter_run import draw_curves

START_WARNING = (
    "WARNING {start} may have been trained on these images: out-of-fold figures hold for images that are new to it, "
    "or for the folds of its own training"
)
STANDARDISATION, FOLDS = "standardisation.json", "folds.csv"


def train_classifier(
    manifest: Manifest,
    folder: Path,
    config: ClassifierTraining,
    segmenter: Bundle,
    *,
    start: Bundle | None = None,
    only: Sequence[int] = (),
    features: Path | None = None,
    options: RunOptions | None = None,
) -> list[dict[str, Any]]:
    """Train the folds of Module 2 on the images of a manifest into the run `folder`; return the result of each.

    Folds are those of the manifest's column `fold` where it has one, else they are made: stratified by label, never
    dividing a group. Rows of the split `test` are not read. Lung masks come from `segmenter`, once for each image.

    Each fold starts from the fold of the same number of the bundle `start`, or from random weights; so do layers of
    another size where the number of classes differs. `only` names the folds to train, all if it is empty. Several
    trainings may share `features`, a folder for lung masks and scattering coefficients.
    """
    options = options or RunOptions()
    settings = config.model_dump(mode="json")
    if start is not None:
        _check_start(start, config)
    require_resume(folder, resume=options.resume, settings=settings)
    samples = choose_rows(manifest.samples, options.say)
    labels = _label_indices(samples, config.classifier.classes)
    folds = _given_folds(samples, config)
    if unknown := sorted(set(only) - set(range(config.folds))):
        numbers = ", ".join(map(str, unknown))
        raise UsageError(f"--fold {numbers}: no such fold; there are 0 to {config.folds - 1}")
    require_sound(check_rows(manifest.samples), allow_leaks=options.allow_leaks)
    # Without given folds, which are made below, two would have to share every class at least.
    _check_classes(labels, np.arange(len(labels)) if folds is None else folds, config.classifier.classes)
    patient = _patient_inputs(manifest, samples, config, options)
    with lock_run(folder):
        data = read_data(samples, folder, config.preparation, options, with_masks=False)
        if folds is None:
            folds = assign_folds(samples, folds=config.folds, seed=config.seed, duplicates=data.duplicates)
            _check_classes(labels, folds, config.classifier.classes)
        accepted = check_data(manifest, data, [f"fold {fold}" for fold in folds], options, what="fold")
        record = {
            "kind": "classifier",
            "manifest": manifest.path.name,
            "films": {"all": len(samples), "sha256": digest(samples)},
            "segmenter": segmenter.identity,
            "settings": settings,
        }
        if start is not None:
            record["start"] = start.identity
            options.say(START_WARNING.format(start=start.label))
        if patient is not None:
            record["patient"] = patient.config.model_dump(mode="json")
        start_run(folder, record, data, manifest, {"all": samples}, accepted, resume=options.resume)
        images = ImageSet.of(data.pack, config.preparation)
        prepared = images.prepared
        normalisation = Standardisation(mean=float(prepared.mean()), std=float(prepared.std()))
        write_atomic(folder / STANDARDISATION, normalisation.model_dump_json().encode())
        rows = ({**sample.values, FOLD_COLUMN: str(fold)} for sample, fold in zip(samples, folds, strict=True))
        fields = [name for name in manifest.fields if name != FOLD_COLUMN]
        write_manifest(folder / FOLDS, [*fields, FOLD_COLUMN], rows)
        kept = features or folder / "features"
        lungs = open_lungs(kept, segmenter, prepared)
        source = FeatureSource(images=images.images, lungs=lungs, normalisation=normalisation, config=config)
        maps = open_features(kept, source)
    return [
        _train_fold(number, folder, config, maps, patient, labels, folds, samples, options, start)
        for number in only or range(config.folds)
    ]


def _train_fold(
    number: int,
    run: Path,
    config: ClassifierTraining,
    features: Features,
    patient: PatientInputs | None,
    labels: Int64,
    folds: Int64,
    samples: Sequence[Sample],
    options: RunOptions,
    start: Bundle | None,
) -> dict[str, Any]:
    """Train one fold into its folder of a run and write its logits of the images it has not seen; return its result."""
    folder = run / f"fold{number}"
    record = {
        "kind": "fold",
        "fold": number,
        "settings": config.model_dump(mode="json"),
        "run": run_identity(run),
        "standardisation": json.loads((run / STANDARDISATION).read_bytes()),
    }
    with lock_run(folder):
        open_run(folder, record, resume=True)
        if is_finished(folder, LAST, OUT_OF_FOLD):
            return read_result(folder) or {}
        torch.manual_seed(config.seed)  # all folds start from the same weights, as the published ones did
        train, validation = np.flatnonzero(folds != number), np.flatnonzero(folds == number)
        draws = fold_draws(config, samples, labels, train)
        names = [sample.image.name for sample in samples]
        module = FoldModule(config, features, labels, train, validation, draws=draws, patient=patient, names=names)
        if start is not None:
            _load_fold(module, start, number)
        return fit_fold(module, folder, [samples[int(index)] for index in validation], options)


def fit_fold(module: FoldModule, folder: Path, held_out: Sequence[Sample], options: RunOptions) -> dict[str, Any]:
    """Train a fold into `folder`, write its logits of the images it has not seen, and return its result."""
    config = module.config
    result = fit(
        module,
        folder,
        epochs=config.epochs,
        monitor="val_loss",
        is_better_higher=False,
        patience=config.patience,
        draw=draw_curves,
        trainer_options=options.trainer,
    )
    load_weights(module.network, folder, LAST)  # it may have been trained in another process
    if config.settles:
        module.recompute_batch_norm()
        if is_first_process():
            write_atomic(folder / LAST, save(weights_of(module)))
    write_out_of_fold(
        folder / OUT_OF_FOLD,
        held_out,
        module.held_out_logits(),
        config.classifier.classes,
        without_patient=module.held_out_logits(hides_patient=True) if module.takes_patient_data else None,
    )
    if is_first_process():
        write_result(folder, result)
    return result


def _check_start(start: Bundle, config: ClassifierTraining) -> None:
    """Check that a bundle has a fold of the same network for each fold, whatever its classes and patient data are."""
    given = start.config.classifier
    free = {"classes": config.classifier.classes, "patient": None}
    if given is None or given.model_copy(update=free) != config.classifier:
        raise UsageError(f"{start.label}: has another classifier than the settings; give its `classifier` in --config")
    if start.config.folds != config.folds:
        raise UsageError(f"{start.label}: has {start.config.folds} folds, the training {config.folds}; give --folds")


def _load_fold(module: FoldModule, start: Bundle, number: int) -> None:
    """Load the weights of a bundle's fold into the network; layers of another size keep their random weights.

    So do those of patient data, whose encoding is another one.
    """
    network = module.network.state_dict()
    given = load_network(start).ensemble.folds[number].state_dict()
    fitting = {
        name: values
        for name, values in given.items()
        if not name.startswith("patient.") and values.shape == network[name].shape
    }
    module.network.load_state_dict(network | fitting)


def run_identity(run: Path) -> str:
    """Return what tells the folds of one training from those of others: its rows, folds and lung masks."""
    record = read_record(run)
    content = [record["films"]["sha256"], record["segmenter"]["sha256"], (run / FOLDS).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _patient_inputs(
    manifest: Manifest, samples: Sequence[Sample], config: ClassifierTraining, options: RunOptions
) -> PatientInputs | None:
    """The patient data of the rows, with an encoding that is fitted on all of them; None where none are asked for."""
    if config.patient is None:
        return None
    fitted = fit_patient(manifest, samples, config.patient)
    for line in find_shortcuts(samples, fitted):
        options.say(f"WARNING {line}")
    values = encode_samples(samples, fitted)
    return PatientInputs(config=fitted, values=values, hide=config.patient.hide, seed=config.seed)


def _label_indices(samples: Sequence[Sample], classes: Sequence[str]) -> Int64:
    for sample in samples:
        if sample.label not in classes:
            raise UsageError(
                f"manifest: line {sample.line} has label {sample.label!r}; classes are {', '.join(classes)}; "
                "name them in the config, or choose rows with --where"
            )
    return np.array([classes.index(str(sample.label)) for sample in samples], np.int64)


def _given_folds(samples: Sequence[Sample], config: ClassifierTraining) -> Int64 | None:
    """The folds of the column `fold`, int64 [sample]; None where the manifest has none."""
    given = [sample.values.get(FOLD_COLUMN, "") for sample in samples]
    if not any(given):
        return None
    if set(given) != {str(number) for number in range(config.folds)}:
        values = ", ".join(sorted(fold or "nothing" for fold in set(given)))
        raise UsageError(
            f"manifest: column fold holds {values}; every row needs one of 0 to {config.folds - 1}, and all are needed"
        )
    return np.array([int(fold) for fold in given], np.int64)


def _check_classes(labels: Int64, folds: Int64, classes: Sequence[str]) -> None:
    """Check that every fold is trained on images of every class."""
    for fold in np.unique(folds):
        for index, name in enumerate(classes):
            if not np.any(labels[folds != fold] == index):
                raise UsageError(
                    f"manifest: no image of class {name} is left to train fold {fold}; add images, or name other "
                    "classes"
                )
