"""`cxrnet screen`: scores, lungs and heat maps of radiographs."""

from __future__ import annotations

from pathlib import Path

import typer

INPUTS = typer.Argument(
    ..., metavar="INPUT...", help="Files, folders, patterns, or a CSV manifest.", show_default=False
)
OUT = typer.Option(..., "--out", "-o", help="Folder for the results.", show_default=False)
BUNDLE = typer.Option("published-v7", "--bundle", "-b", help="Name of a bundle, or its folder.")
JOBS = typer.Option(None, "--jobs", "-j", min=1, max=64, help="Images worked on at once; default: one a core.")
COLUMN = typer.Option("image", "--image-column", help="Column of the manifest that holds the paths.")


def screen(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("json,png", help="Comma-separated: json, png, npz, npz-full."),
    jobs: int | None = JOBS,
    image_column: str = COLUMN,
) -> None:
    """Score radiographs, with lung masks and heat maps.

    Writes OUT/findings.csv, a row an input, and per input OUT/<name>/finding.json, lungs.png and panel.png.
    """
    from cxrnet.cli.progress import follow
    from cxrnet.screening.archive import default_jobs, screen_archive
    from cxrnet.screening.inputs import gather
    from cxrnet.screening.outputs import parse_saves
    from cxrnet.screening.pipeline import Pipeline

    kinds = parse_saves(save)
    found = gather(inputs, image_column=image_column)
    if found.skipped:
        typer.echo(f"{found.skipped} files in folders are no images by their names and are left out", err=True)
    jobs = min(jobs or default_jobs(), len(found.items))
    with Pipeline.load(bundle, threads=max(1, default_jobs() // jobs)) as pipeline:
        outcomes = screen_archive(pipeline, found.items, out, save=kinds, jobs=jobs)
        code = follow(outcomes, total=len(found.items), table=out / "findings.csv")
    raise typer.Exit(code)
