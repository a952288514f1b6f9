"""`cxrnet screen`: scores, lungs and heat maps of radiographs."""

from __future__ import annotations

from pathlib import Path

import typer

from cxrnet.cli.options import BUNDLE, JOBS, OUT
from cxrnet.screening.options import Backend, Options, Provider

INPUTS = typer.Argument(..., metavar="INPUT", help="Files, folders, patterns, or a CSV manifest.", show_default=False)
COLUMN = typer.Option("image", "--image-column", help="Column of the manifest that holds the image paths.")
PROVIDER = typer.Option("cpu", "--provider", help="ONNX Runtime execution provider; all but cpu must be installed.")
RESUME = typer.Option(False, "--resume", help="Resume an interrupted run; skip images already processed.")
IDENTIFIERS = typer.Option(
    False, "--include-identifiers", help="Write patient ID, accession number and UIDs into records and tables."
)


def screen(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("json,png", help="Comma-separated: json, png, npz, npz-full; DICOM: seg, sr, sc, gsps."),
    jobs: int | None = JOBS,
    auto_correct: bool = typer.Option(
        False, "--auto-correct", help="Correct inverted or rotated images when confidence is at least 90 %."
    ),
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
    backend: Backend = typer.Option("local", "--backend", help="Where to run: this machine, or a Ray cluster."),
    provider: Provider = PROVIDER,
    auto_correct_alias: bool = typer.Option(False, "--mend", hidden=True),
    engine: Backend | None = typer.Option(None, "--engine", hidden=True),
) -> None:
    """Score radiographs, with lung masks and heat maps.

    Writes OUT/findings.csv, one row per input, and per input OUT/<name>/finding.json, lungs.png and panel.png; and
    DICOM objects for a PACS where --save names them.
    """
    from cxrnet.node.objects import OBJECTS, check_installed, write_objects
    from cxrnet.screening.saves import SAVES, parse_saves

    kinds = parse_saves(save, (*SAVES, *OBJECTS))
    if kinds & OBJECTS.keys():
        check_installed()
    options = Options(
        bundle=bundle,
        save=kinds,
        jobs=jobs,
        image_column=image_column,
        auto_correct=auto_correct or auto_correct_alias,  # old names of two options
        resume=resume,
        identifiers=include_identifiers,
        provider=provider,
        backend=engine or backend,
        write_objects=write_objects,
    )
    run(inputs, out, options)


def run(inputs: list[str], out: Path, options: Options) -> None:
    """Do the run with its progress on the terminal, and exit with the code of its outcome."""
    from cxrnet.screening.run import open_run

    with open_run(inputs, out, options) as opened:
        from cxrnet.cli.progress import show_progress  # after the readers have started

        for note in opened.inputs.notes:
            typer.echo(note, err=True)
        code = show_progress(opened.outcomes, total=len(opened.inputs.items), table=opened.table)
    raise typer.Exit(code)
