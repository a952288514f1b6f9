"""`cxrnet train` and `cxrnet ensemble`: models from a user's own images."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from cxrnet.cli.data import MASK_VALUES, VOID_VALUE
from cxrnet.cli.options import MANIFEST, Selection, manifest_options

if TYPE_CHECKING:
    from cxrnet.training.preflight import RunOptions

app = typer.Typer(help="Train a segmenter, or the folds of a classifier.", no_args_is_help=True)

RUN = typer.Option(..., "--out", "-o", help="Folder for the run.", show_default=False)
CONFIG = typer.Option(None, help="YAML file with settings that differ from the preset.")
RESUME = typer.Option(False, "--resume", help="Resume from the last checkpoint.")
SEED = typer.Option(None, min=0, help="Random seed (default: that of the preset).")
INIT_FROM = typer.Option(
    None, "--init-from", metavar="MODEL", help="Bundle to initialise the weights from (default: random weights)."
)
ACCELERATOR = typer.Option("cpu", help="Lightning accelerator: cpu, gpu, mps.")
THREADS = typer.Option(None, min=1, max=1024, help="Threads of PyTorch (default: number of cores).")
PACK = typer.Option(
    None,
    help="HDF5 file of cxrnet data pack, read if it fits, else written (default: OUT/images.h5).",
    show_default=False,
)
ALLOW_LEAKS = typer.Option(
    False,
    "--allow-leaks",
    help="Train even though patients, groups or images are in two splits or folds, or labels disagree; recorded.",
)


@app.command()
@manifest_options("image", "mask", "label", "group", "patient", "source", "split")
def segmenter(
    manifest: Path = MANIFEST,
    out: Path = RUN,
    preset: Literal["default", "paper-jms", "paper-v7"] = typer.Option("default", help="Preset to start from."),
    config: Path | None = CONFIG,
    resume: bool = RESUME,
    seed: int | None = SEED,
    init_from: str | None = INIT_FROM,
    start: str | None = typer.Option(None, "--start", hidden=True),
    mask_values: str | None = MASK_VALUES,
    void_value: str | None = VOID_VALUE,
    pack: Path | None = PACK,
    allow_leaks: bool = ALLOW_LEAKS,
    workers: int = typer.Option(0, min=0, max=256, help="Data-loading worker processes."),
    accelerator: str = ACCELERATOR,
    threads: int | None = THREADS,
    *,
    selection: Selection,
) -> None:
    """Train Module 1 on images and lung masks.

    Rows of the split train are trained on, those of val choose the best epoch; rows of test are not read.
    """
    from cxrnet.errors import require

    with require("train", "train"):
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.config import SEGMENTER_PRESETS, read_training
        from cxrnet.training.fit import check_accelerator, use_machine
        from cxrnet.training.segmenter_run import train_segmenter

    check_accelerator(accelerator)
    settings = read_training(SEGMENTER_PRESETS[preset], config, {"seed": seed})
    images = selection.read(manifest)
    options = _run_options(resume, pack, allow_leaks, accelerator, mask_values, void_value)
    use_machine(threads)
    bundle = init_from or start
    result = train_segmenter(
        images,
        out,
        settings,
        start=None if bundle is None else open_bundle(bundle),
        workers=workers,
        options=options,
    )
    typer.echo(f"{out}: {result['epochs']} epochs, best Dice {result['val_dice']:.4f} in epoch {result['best_epoch']}")


@app.command()
@manifest_options("image", "label", "group", "patient", "source", "split")
def classifier(
    manifest: Path = MANIFEST,
    out: Path = RUN,
    lungs: str = typer.Option(
        ..., "--lungs", metavar="MODEL", help="Bundle whose segmenter finds the lungs.", show_default=False
    ),
    preset: Literal["default", "paper"] = typer.Option("default", help="Preset to start from."),
    config: Path | None = CONFIG,
    resume: bool = RESUME,
    seed: int | None = SEED,
    init_from: str | None = INIT_FROM,
    folds: int | None = typer.Option(None, min=2, max=64, help="Cross-validation folds (default: that of the preset)."),
    fold: list[int] = typer.Option([], "--fold", help="Train only this fold (repeatable).", show_default=False),
    only: list[int] = typer.Option([], "--only", hidden=True),
    patient_data: list[str] = typer.Option(
        [],
        "--patient-data",
        metavar="NAME[=KIND]",
        help="Column with patient data for a third input, such as age; KIND: number, category (repeatable).",
        show_default=False,
    ),
    features: Path | None = typer.Option(
        None, help="Folder for lung masks and scattering coefficients, which runs may share (default: OUT/features)."
    ),
    pack: Path | None = PACK,
    allow_leaks: bool = ALLOW_LEAKS,
    accelerator: str = ACCELERATOR,
    threads: int | None = THREADS,
    *,
    selection: Selection,
) -> None:
    """Train the folds of Module 2 on images and labels.

    Folds are those of the column fold, if there is one. Rows of the split test are not read.
    """
    from cxrnet.errors import require

    with require("train", "train"):
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.classifier_run import train_classifier
        from cxrnet.training.config import CLASSIFIER_PRESETS, read_training
        from cxrnet.training.fit import check_accelerator, use_machine

    check_accelerator(accelerator)
    patient = {"columns": patient_data} if patient_data else None
    settings = read_training(CLASSIFIER_PRESETS[preset], config, {"seed": seed, "folds": folds, "patient": patient})
    images = selection.read(manifest)
    use_machine(threads)
    numbers = [*fold, *only]
    results = train_classifier(
        images,
        out,
        settings,
        open_bundle(lungs),
        start=None if init_from is None else open_bundle(init_from),
        only=numbers,
        features=features,
        options=_run_options(resume, pack, allow_leaks, accelerator),
    )
    for number, result in zip(numbers or range(settings.folds), results, strict=True):
        typer.echo(f"fold {number}: {result['epochs']} epochs, best loss {result['val_loss']:.4f}")


def ensemble(
    runs: list[Path] = typer.Argument(
        ..., metavar="RUN...", help="Run of a segmenter; or of a classifier, in one folder or its folds in several."
    ),
    out: Path = typer.Option(..., "--out", "-o", help="Folder for the bundle.", show_default=False),
    lungs: str | None = typer.Option(
        None, metavar="MODEL", help="Bundle of the segmenter that a classifier was trained with."
    ),
    name: str | None = typer.Option(None, help="Name of the bundle (default: name of the folder)."),
    version: str = typer.Option("1.0", metavar="X.Y", help="Version of the bundle."),
    description: str | None = typer.Option(None, help="One line on the model, for its card.", show_default=False),
    include_heart: bool = typer.Option(
        True, "--include-heart/--exclude-heart", help="Whether the training masks include the heart shadow."
    ),
    heart: bool | None = typer.Option(None, "--heart/--no-heart", hidden=True),
    weights: Literal["last", "best"] = typer.Option("last", help="Weights of the last or of the best epoch."),
    overwrite: bool = typer.Option(False, help="Replace an existing bundle."),
) -> None:
    """Export trained runs as one bundle: a segmenter, or a segmenter and the folds of a classifier."""
    from cxrnet.errors import UsageError, require

    with require("train", "ensemble"):
        from cxrnet.model.config import NAME, VERSION
        from cxrnet.model.registry import open_bundle
        from cxrnet.training.ensemble import build_ensemble, build_segmenter
        from cxrnet.training.run import BEST, LAST, read_record

    chosen = {"last": LAST, "best": BEST}[weights]
    label = name or out.resolve().name
    if not re.fullmatch(NAME, label):
        raise UsageError(f"name {label!r}: give 1 to 64 lowercase letters, digits and . _ - with --name")
    if not re.fullmatch(VERSION, version):
        raise UsageError(f"--version {version!r}: give numbers with dots, such as 1.0 or 2.1.3")
    kinds = [read_record(run)["kind"] for run in runs]
    if "fold" in kinds:
        raise UsageError(f"{runs[kinds.index('fold')]}: is a single fold; give the folder above it")
    if "segmenter" in kinds and len(runs) > 1:
        problem = "is the training of a segmenter, which goes into a bundle alone"
        remedy = "give that bundle to a classifier's runs with --lungs"
        raise UsageError(f"{runs[kinds.index('segmenter')]}: {problem}; {remedy}")
    if kinds == ["segmenter"]:
        with_heart = include_heart if heart is None else heart
        bundle = build_segmenter(
            runs[0],
            out,
            name=label,
            version=version,
            description=description,
            lungs_include_heart=with_heart,
            weights=chosen,
            overwrite=overwrite,
        )
    elif lungs is None:
        raise UsageError("ensemble: --lungs is missing; name the bundle that the classifier was trained with")
    else:
        bundle = build_ensemble(
            runs,
            open_bundle(lungs),
            out,
            name=label,
            version=version,
            description=description,
            weights=chosen,
            overwrite=overwrite,
        )
    typer.echo(f"{bundle.label}: {bundle.folder}")


def _run_options(
    resume: bool,
    pack: Path | None,
    allow_leaks: bool,
    accelerator: str,
    mask_values: str | None = None,
    void_value: str | None = None,
) -> RunOptions:
    from cxrnet.data.mask_values import parse_mask_values
    from cxrnet.imaging.radiograph import printable
    from cxrnet.training.preflight import RunOptions

    return RunOptions(
        resume=resume,
        values=parse_mask_values(mask_values, void_value),
        pack=pack,
        allow_leaks=allow_leaks,
        trainer={"accelerator": accelerator},
        say=lambda line: typer.echo(printable(line), err=True),
    )
