"""`cxrnet segment`: lung masks alone."""

from __future__ import annotations

from pathlib import Path

import typer

from cxrnet.cli.options import JOBS, OUT
from cxrnet.cli.screen import COLUMN, IDENTIFIERS, INPUTS, RESUME, run
from cxrnet.screening.options import LUNGS_BUNDLE, Options

BUNDLE = typer.Option(
    LUNGS_BUNDLE,
    "--bundle",
    "-b",
    metavar="MODEL",
    help="Model bundle: a name or a path; lungs-no-heart leaves the heart out.",
)


def segment(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("png", help="Comma-separated: png (always written), npz."),
    jobs: int | None = JOBS,
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
) -> None:
    """Find the lungs in radiographs.

    Writes OUT/lungs.csv, one row per input, and per input OUT/<name>/lungs.png at the radiograph's own size.
    """
    from cxrnet.screening.saves import parse_saves

    options = Options(
        bundle=bundle,
        task="segment",
        save=parse_saves(save),
        jobs=jobs,
        image_column=image_column,
        resume=resume,
        identifiers=include_identifiers,
    )
    run(inputs, out, options)
