"""`cxrnet reproduce`: the tables and figures of the paper, and those of README and documents."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cxrnet.cli.options import JOBS, OUT
from cxrnet.errors import UsageError, require

if TYPE_CHECKING:
    from cxrnet.evaluation.evaluation import Observe

app = typer.Typer(
    help="Tables and figures of the paper, or of README and documents. Needs cxrnet[train].", no_args_is_help=True
)


@app.command()
def paper(
    data: Path = typer.Option(
        ..., help="Folder with segmentation/manifest.csv, classification/manifest.csv, or both.", show_default=False
    ),
    out: Path = OUT,
    weights: Path | None = typer.Option(
        None,
        help="Folder with the published Keras weights (.h5) and their standardisation (.json).",
        show_default=False,
    ),
    bundle: list[str] = typer.Option(
        [], "--bundle", "-b", help="Model bundle instead of the published weights (repeatable).", show_default=False
    ),
    threshold: float = typer.Option(0.2, min=0.0, max=0.99, help="Grey value of Table 3, of the largest."),
    jobs: int | None = JOBS,
    resamples: int = typer.Option(1000, min=0, max=100_000, help="Bootstrap resamples; 0 gives no intervals."),
) -> None:
    """Make the tables and figures of the CXR-Net paper from the published weights, or from other models.

    Writes report.html, with the paper's own figures next to each, and a folder for each table to OUT. An interrupted
    run continues where it stopped.
    """
    with require("train", "reproduce"):
        import sklearn.metrics  # noqa: F401  # used inside functions only

        from cxrnet.evaluation.reproduction.reproduction import published_bundles, reproduce
        from cxrnet.evaluation.reproduction.task import Task
    from cxrnet.model.registry import open_bundle
    from cxrnet.parallel import cpu_count

    if (weights is None) == (not bundle):
        raise UsageError("--weights or --bundle: give one of them; --weights takes the published weights")
    if weights is not None:
        typer.echo("importing the published weights", err=True)
        bundles = published_bundles(weights, out / "bundles")
    else:
        bundles = [open_bundle(name) for name in bundle]

    @contextmanager
    def progress(title: str) -> Iterator[Observe]:
        from cxrnet.cli.progress import ProgressReport

        typer.echo(title, err=True)
        with ProgressReport(table=out) as report:
            yield report.observe

    task = Task(
        bundles=bundles,
        are_published=weights is not None,
        data=data,
        out=out,
        threshold=threshold,
        jobs=jobs or cpu_count(),
        resamples=resamples,
        progress=progress,
    )
    typer.echo(f"report: {reproduce(task)}")


@app.command()
def readme(
    root: Path = typer.Option(Path(), help="Source checkout, or a folder in it (default: the current folder)."),
    check: bool = typer.Option(False, "--check", help="Change nothing; exit code 1 if a figure differs."),
) -> None:
    """Write the figures, tables and picture of README, documents and model cards of a source checkout.

    They come from the facts.json of the bundled models and from benchmarks/results. Prints what differed.
    """
    with require("train", "reproduce"):
        import jinja2  # noqa: F401  # used inside functions only

    from cxrnet.evaluation.reproduction.documents.checkout import find_checkout
    from cxrnet.evaluation.reproduction.documents.documents import write_documents

    differing = list(write_documents(find_checkout(root), is_check=check))
    for line in differing:
        typer.echo(line)
    if differing and check:
        raise typer.Exit(1)
