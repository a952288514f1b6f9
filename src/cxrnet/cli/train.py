"""`cxrnet train` and `cxrnet ensemble`: models from a user's own films."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from cxrnet.cli.data import GROUP, IMAGE, LABEL, MASK, PATIENT, SPLIT, WHERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cxrnet.data.manifest import Manifest

Preset = TypeVar("Preset")

app = typer.Typer(help="Train a segmenter, or the folds of a classifier.", no_args_is_help=True)

MANIFEST = typer.Option(..., "--manifest", "-m", help="CSV of films, masks and labels.", show_default=False)
RUN = typer.Option(..., "--out", "-o", help="Folder for the run.", show_default=False)
CONFIG = typer.Option(None, help="YAML with settings that differ from the preset's.")
PRESET = typer.Option("default", help="Preset to start from.")
RESUME = typer.Option(False, "--resume", help="Go on from the last checkpoint in the folder.")
SEED = typer.Option(None, min=0, help="Of everything random.")
ACCELERATOR = typer.Option("cpu", help="What trains, as Lightning calls it: cpu, gpu, mps, ...")
THREADS = typer.Option(None, min=1, help="Threads of PyTorch; default: one a core.")


@app.command()
def segmenter(
    manifest: Path = MANIFEST,
    out: Path = RUN,
    preset: str = PRESET,
    config: Path | None = CONFIG,
    resume: bool = RESUME,
    seed: int | None = SEED,
    start: str | None = typer.Option(None, help="Bundle whose segmenter to start from; default: random weights."),
    where: list[str] = WHERE,
    image_column: str = IMAGE,
    mask_column: str = MASK,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    split_column: str = SPLIT,
    workers: int = typer.Option(0, min=0, help="Processes that move films."),
    accelerator: str = ACCELERATOR,
    threads: int | None = THREADS,
) -> None:
    """Train Module 1 on films and lung masks. Presets: default, paper-jms, paper-v7."""
    from cxrnet.errors import require

    with require("train", "train"):
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.config import SEGMENTER_PRESETS, read_training
        from cxrnet.training.run import check_accelerator, use_machine
        from cxrnet.training.segmenter_run import train_segmenter

    check_accelerator(accelerator)
    settings = read_training(_preset(SEGMENTER_PRESETS, preset), config, {"seed": seed})
    films = _read(
        manifest,
        where,
        image=image_column,
        mask=mask_column,
        group=group_column,
        patient=patient_column,
        split=split_column,
    )
    use_machine(threads)
    begun = open_bundle(start) if start is not None else None
    options = {"accelerator": accelerator}
    result = train_segmenter(films, out, settings, resume=resume, start=begun, workers=workers, trainer_options=options)
    typer.echo(f"{out}: {result['epochs']} epochs, best Dice {result['val_dice']:.4f} in epoch {result['best_epoch']}")


@app.command()
def classifier(
    manifest: Path = MANIFEST,
    out: Path = RUN,
    lungs: str = typer.Option(..., "--lungs", help="Bundle whose segmenter finds the lungs.", show_default=False),
    preset: str = PRESET,
    config: Path | None = CONFIG,
    resume: bool = RESUME,
    seed: int | None = SEED,
    folds: int | None = typer.Option(None, min=2, help="Folds of the cross-validation."),
    only: list[int] = typer.Option([], "--only", help="Train this fold; repeat it; default: all."),
    features: Path | None = typer.Option(
        None, help="Folder for lung masks and scattering coefficients, which runs may share; default: OUT/features."
    ),
    where: list[str] = WHERE,
    image_column: str = IMAGE,
    label_column: str = LABEL,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    accelerator: str = ACCELERATOR,
    threads: int | None = THREADS,
) -> None:
    """Train the folds of Module 2 on films and labels. Presets: default, paper."""
    from cxrnet.errors import require

    with require("train", "train"):
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.classifier_run import train_classifier
        from cxrnet.training.config import CLASSIFIER_PRESETS, read_training
        from cxrnet.training.run import check_accelerator, use_machine

    check_accelerator(accelerator)
    settings = read_training(_preset(CLASSIFIER_PRESETS, preset), config, {"seed": seed, "folds": folds})
    films = _read(manifest, where, image=image_column, label=label_column, group=group_column, patient=patient_column)
    use_machine(threads)
    segmenter = open_bundle(lungs)
    options = {"accelerator": accelerator}
    results = train_classifier(
        films, out, settings, segmenter, only=only, resume=resume, features=features, trainer_options=options
    )
    for number, result in zip(only or range(settings.folds), results, strict=True):
        typer.echo(f"fold {number}: {result['epochs']} epochs, best loss {result['val_loss']:.4f}")


@app.command()
def gate(
    manifest: Path = MANIFEST,
    others: Path = typer.Option(..., help="Folder of pictures that are no chest radiographs.", show_default=False),
    out: Path = typer.Option(..., "--out", "-o", help="ONNX file of the gate's network.", show_default=False),
    epochs: int | None = typer.Option(None, min=1, help="Passes over the pictures."),
    seed: int | None = SEED,
    where: list[str] = WHERE,
    image_column: str = IMAGE,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    split_column: str = SPLIT,
    threads: int | None = THREADS,
) -> None:
    """Train the gate: what a frontal chest radiograph looks like, upright and with bright bones."""
    from cxrnet.errors import require

    with require("train", "train"):
        from cxrnet.training.gate_run import GateTraining, train_gate
        from cxrnet.training.run import use_machine

    told = {name: value for name, value in (("epochs", epochs), ("seed", seed)) if value is not None}
    columns = {"image": image_column, "group": group_column, "patient": patient_column, "split": split_column}
    films = _read(manifest, where, **columns)
    use_machine(threads)
    facts = train_gate(films, others, out, GateTraining(**told), tell=lambda line: typer.echo(line, err=True))
    limits = ", ".join(f"{name} {value:.3g}" for name, value in facts.limits.items())
    typer.echo(f"{out}: {facts.films} films; limits {limits}")


def ensemble(
    runs: list[Path] = typer.Argument(
        ..., metavar="RUN...", help="A segmenter's run; or a classifier's, in one folder or its folds in several."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the bundle.", show_default=False),
    lungs: str | None = typer.Option(None, help="Bundle of the segmenter that a classifier was trained with."),
    name: str | None = typer.Option(None, help="Name of the bundle; default: that of the folder."),
    heart: bool = typer.Option(True, help="Whether a segmenter's lungs run behind the heart."),
    weights: str = typer.Option("last", help="Of the last or the best epoch of each fold: last, best."),
    overwrite: bool = typer.Option(False, help="Replace a bundle that is there."),
) -> None:
    """Join runs into one bundle with one graph: a segmenter, or a segmenter and the folds of a classifier."""
    from cxrnet.errors import UsageError, require

    with require("train", "ensemble"):
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.callbacks import BEST, LAST
        from cxrnet.training.ensemble import build_ensemble, build_segmenter
        from cxrnet.training.run import read_record

    if weights not in ("last", "best"):
        raise UsageError(f"--weights {weights}: is not known; choose last or best")
    chosen = {"last": LAST, "best": BEST}[weights]
    label, kinds = name or out.name, [read_record(run)["kind"] for run in runs]
    if "fold" in kinds:
        raise UsageError(f"{runs[kinds.index('fold')]}: is a single fold; give the folder above it")
    if "segmenter" in kinds and len(runs) > 1:
        msg = f"{runs[kinds.index('segmenter')]}: is the training of a segmenter, which goes into a bundle alone"
        raise UsageError(f"{msg}; give that bundle to a classifier's runs with --lungs")
    if kinds == ["segmenter"]:
        bundle = build_segmenter(
            runs[0], out, name=label, lungs_include_heart=heart, weights=chosen, overwrite=overwrite
        )
    elif lungs is None:
        raise UsageError("ensemble: --lungs is missing; name the bundle that the classifier was trained with")
    else:
        bundle = build_ensemble(runs, open_bundle(lungs), out, name=label, weights=chosen, overwrite=overwrite)
    typer.echo(f"{bundle.label}: {bundle.folder}")


def _preset(presets: Mapping[str, Preset], name: str) -> Preset:
    from cxrnet.errors import UsageError

    if name not in presets:
        raise UsageError(f"--preset {name}: is not known; choose from {', '.join(presets)}")
    return presets[name]


def _read(path: Path, where: Sequence[str], **columns: str) -> Manifest:
    from cxrnet.data.manifest import Columns, parse_where, read_manifest

    return read_manifest(path, columns=Columns(**columns), where=parse_where(list(where)))
