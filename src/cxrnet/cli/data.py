"""`cxrnet data`: manifests of public collections, checks, folds, packs."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cxrnet.data.check import Report
    from cxrnet.data.manifest import Columns

app = typer.Typer(help="Manifests, checks, folds and packs of films to train on.", no_args_is_help=True)

CSV = typer.Argument(..., metavar="CSV", help="The manifest.", show_default=False)
IMAGE = typer.Option("image", "--image-column", help="Column with the paths of the images.")
MASK = typer.Option("mask", "--mask-column", help="Column with the paths of the lung masks.")
LABEL = typer.Option("label", "--label-column", help="Column with the class names.")
GROUP = typer.Option("group_id", "--group-column", help="Column with what never crosses a fold.")
PATIENT = typer.Option("patient_id", "--patient-column", help="Column with the patients.")
SOURCE = typer.Option("source", "--source-column", help="Column that tells where images come from.")
SPLIT = typer.Option("split", "--split-column", help="Column with the splits.")
WHERE = typer.Option([], "--where", metavar="COLUMN=VALUE", help="Rows to take; repeat it; a,b takes either value.")
JOBS = typer.Option(None, "--jobs", "-j", min=1, max=64, help="Files read at once; default: one a core.")
SIMILARITY = typer.Option(
    0.7, "--similarity", min=0.5, max=1.0, help="Correlation of detail from which two films are near-duplicates."
)


@app.command()
def manifest(
    layout: str = typer.Argument(
        ..., metavar="LAYOUT", help="jsrt, montgomery, shenzhen, darwin, covid-image-data or folders."
    ),
    folder: Path = typer.Argument(..., metavar="FOLDER", help="What the collection unpacks to."),
    out: Path = typer.Option(..., "--out", "-o", help="The CSV file to write.", show_default=False),
    masks: Path | None = typer.Option(
        None, help="Folder for masks that are joined or drawn, and for raw films; default: masks beside the CSV."
    ),
    prepare: Path | None = typer.Option(None, help="Folder for copies of all films and masks at 300 x 340."),
) -> None:
    """Write the manifest of a public collection as its owners publish it."""
    from cxrnet.data.datasets.build import build_manifest

    built = build_manifest(layout, folder, out, masks=masks, prepare=prepare)
    typer.echo(f"{out}: {built.rows} films, {built.masks} with a lung mask")
    for reason, count in built.left_out.items():
        typer.echo(f"left out {count}: {reason}")
    for note in built.notes:
        typer.echo(f"note: {note}")


@app.command()
def check(
    csv: Path = CSV,
    json: Path | None = typer.Option(None, help="File for the report as JSON."),
    image_column: str = IMAGE,
    mask_column: str = MASK,
    label_column: str = LABEL,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    source_column: str = SOURCE,
    split_column: str = SPLIT,
    where: list[str] = WHERE,
    similarity: float = SIMILARITY,
    jobs: int | None = JOBS,
) -> None:
    """Look for what is wrong in a manifest and its files. Exit code 1 when there is an error."""
    from cxrnet.atomic import write_atomic
    from cxrnet.data.check import check_manifest
    from cxrnet.data.manifest import parse_where

    columns = _columns(
        image_column, mask_column, label_column, group_column, patient_column, source_column, split_column
    )
    with _progress("reading") as progress:
        report = check_manifest(
            csv, columns=columns, where=parse_where(where), similarity=similarity, jobs=jobs, progress=progress
        )
    if json is not None:
        write_atomic(json, report.to_json().encode())
    _print_report(report)
    raise typer.Exit(1 if report.has_errors else 0)


@app.command()
def split(
    csv: Path = CSV,
    out: Path = typer.Option(..., "--out", "-o", help="The manifest to write, with a column fold.", show_default=False),
    folds: int = typer.Option(6, min=0, help="Folds for cross-validation; 0 makes none."),
    seed: int = typer.Option(0, min=0, help="Of the order in which groups are dealt."),
    holdout: float = typer.Option(0.0, min=0.0, max=0.9, help="Share of the images that becomes the split test."),
    leave_out: list[str] = typer.Option(
        [], metavar="SOURCE,...", help="Make a fold of these sources; repeat it until each source is in one."
    ),
    merge_duplicates: bool = typer.Option(True, help="Keep near-duplicates together; reads every image."),
    image_column: str = IMAGE,
    mask_column: str = MASK,
    label_column: str = LABEL,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    source_column: str = SOURCE,
    split_column: str = SPLIT,
    where: list[str] = WHERE,
    similarity: float = SIMILARITY,
    jobs: int | None = JOBS,
) -> None:
    """Deal rows into folds, stratified by class, without dividing a group, a patient or a repeated film.

    Writes the chosen rows with a column fold (and split, with --holdout), and a picture of the folds beside them.
    """
    from cxrnet.data.manifest import parse_where, read_manifest
    from cxrnet.data.split import split_manifest

    columns = _columns(
        image_column, mask_column, label_column, group_column, patient_column, source_column, split_column
    )
    films = read_manifest(csv, columns=columns, where=parse_where(where))
    for line in split_manifest(
        films,
        out,
        folds=folds,
        seed=seed,
        holdout=holdout,
        leave_out=[[name.strip() for name in names.split(",")] for names in leave_out],
        similarity=similarity if merge_duplicates else None,
        columns=columns,
        jobs=jobs,
    ):
        typer.echo(line)


@app.command()
def pack(
    csv: Path = CSV,
    out: Path = typer.Option(..., "--out", "-o", help="The HDF5 file to write.", show_default=False),
    height: int = typer.Option(300, min=32, max=4096, help="Of the prepared images, in pixels."),
    width: int = typer.Option(340, min=32, max=4096, help="Of the prepared images, in pixels."),
    interpolation: str = typer.Option("area", help="area, or bilinear as the published program."),
    masks: bool = typer.Option(True, help="Pack the masks that the manifest names."),
    like: Path | None = typer.Option(None, help="Pack of the training films, for the pack of a test set."),
    image_column: str = IMAGE,
    mask_column: str = MASK,
    label_column: str = LABEL,
    group_column: str = GROUP,
    patient_column: str = PATIENT,
    source_column: str = SOURCE,
    split_column: str = SPLIT,
    where: list[str] = WHERE,
    jobs: int | None = JOBS,
) -> None:
    """Write prepared films, masks, classes and class weights into one HDF5 file for training."""
    from cxrnet.data.manifest import parse_where, read_manifest
    from cxrnet.data.pack import Pack
    from cxrnet.data.packing import write_pack
    from cxrnet.errors import UsageError
    from cxrnet.model.config import PreparationConfig

    if interpolation not in ("area", "bilinear"):
        raise UsageError(f"--interpolation {interpolation}: is not known; choose area or bilinear")
    columns = _columns(
        image_column, mask_column, label_column, group_column, patient_column, source_column, split_column
    )
    films = read_manifest(csv, columns=columns, where=parse_where(where))
    preparation = PreparationConfig.model_validate(
        {"height": height, "width": width, "interpolation": interpolation, "depth": "full"}
    )
    header = None
    if like is not None:
        with Pack(like) as other:
            header = other.header
    with _progress("packing") as progress:
        written = write_pack(
            films, out, preparation=preparation, masks=masks, like=header, jobs=jobs, progress=progress
        )
    grey = written.standardisation
    shares = ", ".join(f"{name} {weight:.3f}" for name, weight in zip(written.classes, written.weights, strict=True))
    typer.echo(f"{out}: {len(films.samples)} films, {out.stat().st_size / 1e6:.1f} MB")
    typer.echo(f"mean {grey.mean:.3f}, standard deviation {grey.std:.3f}; class weights: {shares or 'no classes'}")


def _columns(image: str, mask: str, label: str, group: str, patient: str, source: str, split: str) -> Columns:
    from cxrnet.data.manifest import Columns

    return Columns(image=image, mask=mask, label=label, group=group, patient=patient, source=source, split=split)


@contextmanager
def _progress(task: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where that is a terminal; the function moves it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(task, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def _print_report(report: Report) -> None:
    from cxrnet.imaging.radiograph import printable

    shown = 20
    typer.echo(
        f"{report.manifest}: {report.rows} rows, {report.films} films, {report.masks} masks, "
        f"{report.groups} groups, {report.patients} patients"
    )
    labels = sorted({label for row in report.table.values() for label in row})
    wide = max([6, *map(len, report.table)])
    typer.echo(f"{'source':<{wide}}  " + "  ".join(f"{label or '(none)':>12}" for label in labels))
    for source, row in report.table.items():
        typer.echo(f"{source or '(none)':<{wide}}  " + "  ".join(f"{row.get(label, 0):>12}" for label in labels))
    for kind in ("error", "warning", "note"):
        found = [problem for problem in report.problems if problem.kind == kind]
        for problem in found[:shown]:
            typer.echo(f"{kind.upper()} {problem.code} {printable(problem.text)}")
        if len(found) > shown:
            typer.echo(f"{kind.upper()} and {len(found) - shown} more; --json FILE lists all")
    counts = [sum(problem.kind == kind for problem in report.problems) for kind in ("error", "warning", "note")]
    typer.echo(f"{counts[0]} errors, {counts[1]} warnings, {counts[2]} notes")
