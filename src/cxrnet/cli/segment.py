"""`cxrnet segment`: lung masks alone."""

from __future__ import annotations

from pathlib import Path

import typer

from cxrnet.cli.screen import COLUMN, IDENTIFIERS, INPUTS, JOBS, OUT, RESUME, find_inputs, open_pipeline

LUNGS = typer.Option("lungs", "--bundle", "-b", help="Name of a bundle, or its folder; lungs-no-heart leaves it out.")


def segment(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = LUNGS,
    save: str = typer.Option("png", help="Comma-separated: png (always written), npz."),
    jobs: int | None = JOBS,
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
) -> None:
    """Find the lungs in radiographs.

    Writes OUT/lungs.csv, a row an input, and per input OUT/<name>/lungs.png at the radiograph's own size.
    """
    from cxrnet.cli.progress import follow
    from cxrnet.screening.batch import segment_archive
    from cxrnet.screening.outputs import parse_saves

    kinds = parse_saves(save)
    found = find_inputs(inputs, image_column, out)
    with open_pipeline(bundle, jobs, found, identifiers=include_identifiers) as (pipeline, jobs):
        outcomes = segment_archive(pipeline, found, out, save=kinds, jobs=jobs, resume=resume)
        code = follow(outcomes, total=len(found), table=out / "lungs.csv")
    raise typer.Exit(code)
