"""`cxrnet screen`: scores, lungs and heat maps of radiographs."""

import gc
from pathlib import Path

import typer

from cxrnet.cli.options import BUNDLE, JOBS
from cxrnet.screening.options import Backend, Options, Provider, Table

INPUTS = typer.Argument(
    ...,
    metavar="INPUT",
    help="Files, folders, patterns, s3:// addresses, or a manifest (CSV, Parquet).",
    show_default=False,
)
COLUMN = typer.Option("image", "--image-column", help="Column of the manifest that holds the image paths.")
PROVIDER = typer.Option("cpu", "--provider", help="ONNX Runtime execution provider; all but cpu must be installed.")
RESUME = typer.Option(False, "--resume", help="Resume an interrupted run; skip images already processed.")
PLACE = typer.Option(
    ..., "--out", "-o", metavar="PATH", help="Folder for the results, or s3://bucket/prefix.", show_default=False
)
IDENTIFIERS = typer.Option(
    False, "--include-identifiers", help="Write patient ID, accession number and UIDs into records and tables."
)


def screen(
    inputs: list[str] = INPUTS,
    out: str = PLACE,
    bundle: str = BUNDLE,
    save: str | None = typer.Option(
        None,
        help="Comma-separated: json, png, npz, npz-full; DICOM: seg, sr, sc, gsps.  [default: json,png; with --table "
        "parquet none]",
        show_default=False,
    ),
    jobs: int | None = JOBS,
    auto_correct: bool = typer.Option(
        False, "--auto-correct", help="Correct inverted or rotated images when confidence is at least 90 %."
    ),
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
    backend: Backend = typer.Option("local", "--backend", help="Where to run: this machine, or a Ray cluster."),
    table: Table = typer.Option("csv", "--table", help="One findings.csv, or findings/*.parquet by partition."),
    partition: int | None = typer.Option(
        None,
        "--partition",
        min=1,
        help="Images per partition, of --table parquet and --backend ray (default: 500, fewer in a short run).",
        show_default=False,
    ),
    provider: Provider = PROVIDER,
    auto_correct_alias: bool = typer.Option(False, "--mend", hidden=True),
    engine: Backend | None = typer.Option(None, "--engine", hidden=True),
) -> None:
    """Score radiographs, with lung masks and heat maps.

    Writes OUT/findings.csv, one row per input, and per input OUT/<name>/finding.json, lungs.png and panel.png; and
    DICOM objects for a PACS where --save names them. For an archive, --table parquet writes OUT/findings/*.parquet
    alone, also to s3://.
    """
    from cxrnet.node.objects import OBJECTS, check_installed, write_objects
    from cxrnet.screening.saves import SAVES, parse_saves

    kinds = parse_saves(("" if table == "parquet" else "json,png") if save is None else save, (*SAVES, *OBJECTS))
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
        table=table,
        partition=partition,
        write_objects=write_objects,
    )
    run(inputs, out, options)


def run(inputs: list[str], out: Path | str, options: Options) -> None:
    """Do the run with its progress on the terminal, and exit with the code of its outcome."""
    from cxrnet.screening.run import open_run

    with open_run(inputs, out, options) as opened:
        from cxrnet.cli.progress import show_progress  # after the readers have started

        gc.enable()
        for note in opened.notes:
            typer.echo(note, err=True)
        code = show_progress(opened.outcomes, total=opened.total, table=opened.table)
    raise typer.Exit(code)
