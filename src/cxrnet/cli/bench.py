"""`cxrnet bench`: how long each step takes on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrnet.cli.options import BUNDLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxrnet.bench.stages import Row


def bench(
    bundle: str = BUNDLE,
    json: Path | None = typer.Option(None, "--json", metavar="FILE", help="Also write the table as JSON."),
    image: Path | None = typer.Option(None, help="A radiograph (default: RG1 of pydicom-data, or a drawing)."),
    runs: int = typer.Option(15, min=3, max=100_000, help="Repetitions per measurement."),
    images: int = typer.Option(
        500, min=0, max=10**6, help="Number of images to screen for the throughput; 0 skips it."
    ),
    quick: bool = typer.Option(False, "--quick", help="3 repetitions and 20 images."),
    image_old: Path | None = typer.Option(None, "--film", hidden=True),
    images_old: int | None = typer.Option(None, "--films", hidden=True, min=0),
) -> None:
    """Benchmark each step for one image, the start of the command, and many images.

    Compare rows of one run, not runs: machines are noisy. `benchmarks/` in the repository compares with other
    libraries and with the arithmetic minimum.
    """
    from cxrnet.bench.stages import Plan, measure

    images = images if images_old is None else images_old
    plan = Plan(bundle=bundle, runs=3 if quick else runs, images=20 if quick else images, radiograph=image or image_old)
    rows: list[Row] = []
    for row in measure(plan):
        typer.echo(format_row(row, is_first=not rows or rows[-1].part != row.part))
        rows.append(row)
    if json is not None:
        write_rows(json, rows, f"cxrnet bench --bundle {Path(bundle).name} --runs {plan.runs} --images {plan.images}")


def format_row(row: Row, *, is_first: bool) -> str:
    """Return a row as text, under the heading of its part where it is the first."""
    heading = f"\n{row.part:<36}  median   fastest  slowest  ms\n" if is_first else ""
    cells = "".join(f"{value:>9.1f}" for value in (row.timing.median, row.timing.fastest, row.timing.slowest))
    return heading + f"  {row.name:<34}{cells}  {row.note}".rstrip()


def write_rows(path: Path, rows: Sequence[Row], command: str) -> None:
    """Write the table, and the machine it was measured on, as JSON."""
    from dataclasses import asdict

    from cxrnet.bench.record import BenchmarkRecord

    records = [
        {"part": row.part, "name": row.name, "note": row.note, **asdict(row.timing), **row.values} for row in rows
    ]
    BenchmarkRecord(command=command, rows=tuple(records)).write(path)
