"""`cxrnet screen`: scores, lungs and heat maps of radiographs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from cxrnet.screening.inputs import Input
    from cxrnet.screening.pipeline import Pipeline

INPUTS = typer.Argument(
    ..., metavar="INPUT...", help="Files, folders, patterns, or a CSV manifest.", show_default=False
)
OUT = typer.Option(..., "--out", "-o", help="Folder for the results.", show_default=False)
BUNDLE = typer.Option("covid", "--bundle", "-b", help="Name of a bundle, or its folder.")
JOBS = typer.Option(None, "--jobs", "-j", min=1, max=64, help="Images worked on at once; default: one a core.")
COLUMN = typer.Option("image", "--image-column", help="Column of the manifest that holds the paths.")


def find_inputs(named: list[str], image_column: str) -> Sequence[Input]:
    """Return the images behind what the user named, and say how many files in folders are left out."""
    from cxrnet.screening.inputs import gather

    found = gather(named, image_column=image_column)
    if found.skipped:
        typer.echo(f"{found.skipped} files in folders are no images by their names and are left out", err=True)
    return found.items


@contextmanager
def open_pipeline(bundle: str, jobs: int | None, items: Sequence[Input]) -> Iterator[tuple[Pipeline, int]]:
    """Give a pipeline, and how many images are worked on at once; the cores are shared between them."""
    from cxrnet.ordered import default_jobs
    from cxrnet.screening.pipeline import Pipeline

    jobs = min(jobs or default_jobs(), len(items))
    with Pipeline.load(bundle, threads=max(1, default_jobs() // jobs)) as pipeline:
        yield pipeline, jobs


def screen(
    inputs: list[str] = INPUTS,
    out: Path = OUT,
    bundle: str = BUNDLE,
    save: str = typer.Option("json,png", help="Comma-separated: json, png, npz, npz-full."),
    jobs: int | None = JOBS,
    mend: bool = typer.Option(False, "--mend", help="Put inverted and turned films right where there is no doubt."),
    image_column: str = COLUMN,
) -> None:
    """Score radiographs, with lung masks and heat maps.

    Writes OUT/findings.csv, a row an input, and per input OUT/<name>/finding.json, lungs.png and panel.png.
    """
    from cxrnet.cli.progress import follow
    from cxrnet.screening.archive import screen_archive
    from cxrnet.screening.outputs import parse_saves

    kinds = parse_saves(save)
    found = find_inputs(inputs, image_column)
    with open_pipeline(bundle, jobs, found) as (pipeline, jobs):
        outcomes = screen_archive(pipeline, found, out, save=kinds, jobs=jobs, mend=mend)
        code = follow(outcomes, total=len(found), table=out / "findings.csv")
    raise typer.Exit(code)
