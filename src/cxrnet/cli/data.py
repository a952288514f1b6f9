"""`cxrnet data`: manifests of public collections, checks, folds, packs."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from cxrnet.cli.options import JOBS, SEED, Selection, manifest_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from cxrnet.data.check import Report
    from cxrnet.data.problem import Problem

app = typer.Typer(help="Build, check, split and pack the manifest of a data set.", no_args_is_help=True)

LISTED = 20
"""Problems of a kind that are printed."""

CSV = typer.Argument(..., metavar="CSV", help="The manifest.", show_default=False)
SIMILARITY = typer.Option(
    0.7, "--similarity", min=0.5, max=1.0, help="Correlation of detail from which two images are near-duplicates."
)
MASK_VALUES = typer.Option(
    None,
    "--mask-values",
    metavar="VALUE,...",
    help="Mask values that are lung: numbers, colours as #rrggbb, or soft for shares of the largest value "
    "(default: recognised; a label map is lung wherever it is not 0). For a segmenter of more than two classes: pairs, "
    "such as 'right lung=1,left lung=2,heart=3' (default: the index of the class).",
    show_default=False,
)
VOID_VALUE = typer.Option(
    None, "--void-value", metavar="VALUE,...", help="Mask values of pixels that are left out.", show_default=False
)


@app.command()
def manifest(
    layout: str = typer.Argument(
        ..., metavar="LAYOUT", help="jsrt, montgomery, shenzhen, darwin, covid-image-data or folders."
    ),
    folder: Path = typer.Argument(..., metavar="FOLDER", help="Folder of the unpacked collection."),
    out: Path = typer.Option(..., "--out", "-o", help="The CSV file to write.", show_default=False),
    masks: Path | None = typer.Option(
        None, help="Folder for joined or drawn masks and for raw images (default: masks, next to the CSV)."
    ),
    prepare: Path | None = typer.Option(None, help="Folder for copies of all images and masks at 300 x 340."),
    label_maps: bool = typer.Option(
        False, "--label-maps", help="Write masks as label maps: 1 right lung, 2 left lung, 3 heart (jsrt)."
    ),
) -> None:
    """Write the manifest of a public collection."""
    from cxrnet.data.datasets.build import build_manifest

    built = build_manifest(layout, folder, out, masks=masks, prepare=prepare, label_maps=label_maps)
    typer.echo(f"{out}: {built.rows} images, {built.masks} with a {'label map' if label_maps else 'lung mask'}")
    for reason, count in built.left_out.items():
        typer.echo(f"left out {count}: {reason}")
    for note in built.notes:
        typer.echo(f"note: {note}")


@app.command()
@manifest_options("image", "mask", "label", "group", "patient", "source", "split")
def check(
    csv: Path = CSV,
    json: Path | None = typer.Option(None, help="File for the report as JSON."),
    mask_values: str | None = MASK_VALUES,
    void_value: str | None = VOID_VALUE,
    similarity: float = SIMILARITY,
    jobs: int | None = JOBS,
    *,
    selection: Selection,
) -> None:
    """Validate a manifest and the files it lists. The exit code is 1 if there is an error."""
    from cxrnet.atomic import write_atomic
    from cxrnet.data.check import check_manifest
    from cxrnet.data.mask_values import parse_mask_values

    with show_progress("reading") as progress:
        report = check_manifest(
            csv,
            columns=selection.columns,
            where=selection.where,
            values=parse_mask_values(mask_values, void_value),
            similarity=similarity,
            jobs=jobs,
            progress=progress,
        )
    if json is not None:
        write_atomic(json, report.to_json().encode())
    _print_report(report)
    raise typer.Exit(1 if report.has_errors else 0)


@app.command()
@manifest_options("image", "mask", "label", "group", "patient", "source", "split")
def split(
    csv: Path = CSV,
    out: Path = typer.Option(..., "--out", "-o", help="The manifest to write, with a column fold.", show_default=False),
    folds: int = typer.Option(6, min=0, help="Cross-validation folds; 0 makes no folds."),
    seed: int = SEED,
    holdout: float = typer.Option(0.0, min=0.0, max=0.9, help="Share of the images for the split test."),
    hold_out_source: list[str] = typer.Option(
        [], "--hold-out-source", metavar="SOURCE,...", help="Make one fold of these sources (repeatable, for all)."
    ),
    leave_out: list[str] = typer.Option([], "--leave-out", hidden=True),
    merge_duplicates: bool = typer.Option(True, help="Keep near-duplicates together; reads every image."),
    similarity: float = SIMILARITY,
    jobs: int | None = JOBS,
    *,
    selection: Selection,
) -> None:
    """Create stratified, grouped cross-validation folds.

    A group, a patient or a repeated image stays in one fold. Writes the selected rows with a column fold (and split,
    with --holdout), and a plot of the folds.
    """
    from cxrnet.data.check import check_rows
    from cxrnet.data.split import split_manifest

    manifest = selection.read(csv)
    labels = [problem for problem in check_rows(manifest.samples) if problem.code in ("LABELS", "LABEL_CASE")]
    print_problems([*manifest.problems, *labels])
    sources = [[name.strip() for name in names.split(",")] for names in (*hold_out_source, *leave_out)]
    lines = split_manifest(
        manifest,
        out,
        folds=folds,
        seed=seed,
        holdout=holdout,
        hold_out_sources=sources,
        similarity=similarity if merge_duplicates else None,
        columns=selection.columns,
        jobs=jobs,
    )
    for line in lines:
        typer.echo(line)


@app.command()
@manifest_options("image", "mask", "label", "group", "patient", "source", "split")
def pack(
    csv: Path = CSV,
    out: Path = typer.Option(..., "--out", "-o", help="The HDF5 file to write.", show_default=False),
    height: int = typer.Option(300, min=32, max=4096, help="Height of the prepared images, in pixels."),
    width: int = typer.Option(340, min=32, max=4096, help="Width of the prepared images, in pixels."),
    interpolation: Literal["area", "bilinear"] = typer.Option(
        "area", help="Resizing; the published weights: bilinear."
    ),
    masks: bool = typer.Option(True, help="Pack the masks that the manifest names."),
    mask_values: str | None = MASK_VALUES,
    void_value: str | None = VOID_VALUE,
    jobs: int | None = JOBS,
    *,
    selection: Selection,
) -> None:
    """Write prepared images and masks into one HDF5 file, which cxrnet train --pack reads."""
    from cxrnet.data.check import require_sound
    from cxrnet.data.mask_values import parse_mask_values
    from cxrnet.data.pack import digest_files, open_pack
    from cxrnet.model.config import PreparationConfig

    manifest = selection.read(csv)
    samples = manifest.samples
    with_masks = masks and any(sample.mask is not None for sample in samples)
    with show_progress("packing") as progress:
        packed = open_pack(
            out,
            samples,
            PreparationConfig(height=height, width=width, interpolation=interpolation, depth="full"),
            digests=digest_files(samples, with_masks=with_masks),
            with_masks=with_masks,
            values=parse_mask_values(mask_values, void_value),
            jobs=jobs,
            progress=progress,
        )
    print_problems([*manifest.problems, *(problem for problem in packed.problems if problem.kind != "error")])
    require_sound(packed.problems, allow_leaks=False)
    typer.echo(f"{out}: {len(samples)} images, {out.stat().st_size / 1e6:.1f} MB")


@contextmanager
def show_progress(task: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error where that is a terminal; the function moves it."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task(task, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)


def print_problems(problems: list[Problem]) -> None:
    """Print problems, at most `LISTED` of each kind, one per line."""
    from cxrnet.imaging.radiograph import printable

    for kind in ("error", "warning", "note"):
        found = [problem for problem in problems if problem.kind == kind]
        for problem in found[:LISTED]:
            typer.echo(f"{kind.upper()} {problem.code} {printable(problem.text)}")
        if len(found) > LISTED:
            typer.echo(f"{kind.upper()} and {len(found) - LISTED} more; cxrnet data check --json FILE lists all")


def print_warnings(warnings: Iterable[str]) -> None:
    """Print the warnings of a record about its manifest, one per line."""
    from cxrnet.imaging.radiograph import printable

    for warning in warnings:
        typer.echo(f"WARNING {printable(warning)}")


def _print_report(report: Report) -> None:
    typer.echo(
        f"{report.manifest}: {report.rows} rows, {report.images} images, {report.masks} masks, "
        f"{report.groups} groups, {report.patients} patients"
    )
    labels = sorted({label for row in report.table.values() for label in row})
    wide = max([6, *map(len, report.table)])
    typer.echo(f"{'source':<{wide}}  " + "  ".join(f"{label or '(none)':>12}" for label in labels))
    for source, row in report.table.items():
        typer.echo(f"{source or '(none)':<{wide}}  " + "  ".join(f"{row.get(label, 0):>12}" for label in labels))
    print_problems(list(report.problems))
    counts = [sum(problem.kind == kind for problem in report.problems) for kind in ("error", "warning", "note")]
    typer.echo(f"{counts[0]} errors, {counts[1]} warnings, {counts[2]} notes")
