"""`cxrnet segment`: lung masks alone."""

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
    save: str = typer.Option("png", help="Comma-separated: png (always written), overlay, npz; DICOM: seg."),
    jobs: int | None = JOBS,
    image_column: str = COLUMN,
    resume: bool = RESUME,
    include_identifiers: bool = IDENTIFIERS,
) -> None:
    """Find the lungs in radiographs.

    Writes OUT/lungs.csv, one row per input, and per input OUT/<name>/lungs.png at the radiograph's own size; with a
    bundle of more classes labels.png, the index of the class of each pixel. --save overlay adds OUT/<name>/overlay.png,
    the radiograph with each region in its colour.
    """
    from cxrnet.node.objects import check_installed, write_objects
    from cxrnet.screening.saves import SEGMENT_SAVES, parse_saves

    kinds = parse_saves(save, SEGMENT_SAVES)
    if "seg" in kinds:
        check_installed()

    options = Options(
        bundle=bundle,
        task="segment",
        save=kinds,
        jobs=jobs,
        image_column=image_column,
        resume=resume,
        identifiers=include_identifiers,
        write_objects=write_objects,
    )
    run(inputs, out, options)
