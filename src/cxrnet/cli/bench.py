"""`cxrnet bench`: how long the steps take on this machine, beside rivals and the floor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cxrnet.bench.bench import Row


def bench(
    bundle: str = typer.Option("covid", "--bundle", "-b", help="Name of a bundle, or its folder."),
    json: Path | None = typer.Option(None, "--json", metavar="FILE", help="Write the table as JSON as well."),
    film: Path | None = typer.Option(None, help="A radiograph; default: RG1 of pydicom-data, or a drawing."),
    runs: int = typer.Option(15, min=3, help="Runs of each task."),
    films: int = typer.Option(500, min=0, help="Films through `screen`; 0 leaves that out."),
    quick: bool = typer.Option(False, "--quick", help="3 runs and 20 films."),
) -> None:
    """Print how long each step takes, beside what else pip can install, and beside the floor.

    The floor is the time of a network's floating-point operations at the rate of a float32 matrix product, measured in
    the same run. Compare rows of one run, not runs: machines are noisy.
    """
    from cxrnet.bench.bench import Plan, measure

    plan = Plan(bundle=bundle, runs=3 if quick else runs, films=20 if quick else films, film=film)
    rows: list[Row] = []
    for row in measure(plan):
        typer.echo(line_of(row, is_first=not rows or rows[-1].part != row.part))
        rows.append(row)
    if json is not None:
        write_rows(json, plan, rows)


def line_of(row: Row, *, is_first: bool) -> str:
    """Return a row as text, under the heading of its part where it is the first."""
    heading = f"\n{row.part:<36}  median   fastest  slowest  ms      floor  ratio\n" if is_first else ""
    cells = "".join(f"{'' if value is None else format(value, '.1f'):>9}" for value in _milliseconds(row))
    floor = "" if row.floor is None else f"{row.floor:.1f}"
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    return heading + f"  {row.name:<34}{cells}{floor:>15}{ratio:>7}  {row.note}".rstrip()


def write_rows(path: Path, plan: object, rows: Sequence[Row]) -> None:
    """Write the table, and what it was measured on, as JSON."""
    import json
    import platform
    from dataclasses import asdict
    from importlib.metadata import version

    from cxrnet.atomic import write_atomic
    from cxrnet.parallel import cpu_count

    machine = {"processor": platform.machine(), "system": platform.system(), "cores": cpu_count()}
    versions = {name: version(name) for name in ("cxrnet", "onnxruntime", "numpy")}
    told = [asdict(row) | {"ratio": row.ratio} for row in rows]
    content = {"schema": "cxrnet.bench/1", "machine": machine, "versions": versions, "rows": told}
    write_atomic(path, json.dumps(content, indent=1).encode())


def _milliseconds(row: Row) -> tuple[float | None, float | None, float | None]:
    return row.median, row.fastest, row.slowest
