"""`cxrnet segment`: lung masks alone."""

from __future__ import annotations

from pathlib import Path

import typer

from cxrnet.cli.screen import BUNDLE, COLUMN, INPUTS, JOBS, OUT


def segment(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("png", help="Comma-separated: png (always written), npz."),
    jobs: int | None = JOBS,
    image_column: str = COLUMN,
) -> None:
    """Find the lungs in radiographs.

    Writes OUT/lungs.csv, a row an input, and per input OUT/<name>/lungs.png at the radiograph's own size.
    """
    from cxrnet.cli.progress import follow
    from cxrnet.screening.archive import default_jobs, segment_archive
    from cxrnet.screening.inputs import gather
    from cxrnet.screening.outputs import parse_saves
    from cxrnet.screening.pipeline import Pipeline

    kinds = parse_saves(save)
    found = gather(inputs, image_column=image_column)
    if found.skipped:
        typer.echo(f"{found.skipped} files in folders are no images by their names and are left out", err=True)
    jobs = min(jobs or default_jobs(), len(found.items))
    with Pipeline.load(bundle, threads=max(1, default_jobs() // jobs)) as pipeline:
        outcomes = segment_archive(pipeline, found.items, out, save=kinds, jobs=jobs)
        code = follow(outcomes, total=len(found.items), table=out / "lungs.csv")
    raise typer.Exit(code)
