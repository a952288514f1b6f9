"""`cxrnet evaluate`: a bundle against a manifest that says what is true."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cxrnet.cli.audit import audit
from cxrnet.cli.options import BUNDLE, JOBS, MANIFEST, OUT, SEED, Selection, manifest_options

if TYPE_CHECKING:
    from cxrnet.evaluation.evaluation import Evaluation

app = typer.Typer(
    help="Metrics with confidence intervals, plots and a report. Needs cxrnet[train].", no_args_is_help=True
)
app.command()(audit)

BY = typer.Option(
    None, metavar="COLUMN,...", help="Columns to split the results by (default: source,view,split).", show_default=False
)
RESAMPLES = typer.Option(1000, min=0, max=100_000, help="Bootstrap resamples; 0 gives no intervals.")


@app.command()
@manifest_options("image", "mask", "group", "patient", "source", "view", "split")
def segmenter(
    manifest: Path = MANIFEST,
    out: Path = OUT,
    bundle: str = BUNDLE,
    by: str | None = BY,
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    *,
    selection: Selection,
) -> None:
    """Compare a bundle's lung masks with reference masks.

    Writes metrics.json, per_image.csv, report.html and the plots to OUT.
    """
    _evaluate("segmenter", manifest, out, bundle, selection, by, jobs, seed, resamples)


@app.command()
@manifest_options("image", "label", "group", "patient", "source", "view", "split")
def classifier(
    manifest: Path = MANIFEST,
    out: Path = OUT,
    bundle: str = BUNDLE,
    by: str | None = BY,
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    *,
    selection: Selection,
) -> None:
    """Compare a bundle's scores with the true class of each image.

    Writes metrics.json, per_image.csv, report.html and the plots to OUT.
    """
    _evaluate("classifier", manifest, out, bundle, selection, by, jobs, seed, resamples)


@app.command()
@manifest_options("label", "group", "patient", "source", where=False)
def folds(
    run: Path = typer.Argument(..., metavar="RUN", help="Classifier run with all folds trained.", show_default=False),
    out: Path = OUT,
    by: str | None = BY,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    *,
    selection: Selection,
) -> None:
    """Score every image of a cross-validation by the fold that was not trained on it.

    Writes metrics.json, per_image.csv, report.html and the plots to OUT.
    """
    from cxrnet.cli.progress import follow

    evaluations = load_evaluations()
    from cxrnet.evaluation.out_of_fold import OutOfFoldEvaluation
    from cxrnet.training.classifier_run import FOLDS

    request = evaluations.Request(
        manifest=run / FOLDS,
        columns=selection.columns,
        by=_columns(by),
        seed=seed,
        resamples=resamples,
        command=shlex.join(["cxrnet", *sys.argv[1:]]),
    )
    evaluation = OutOfFoldEvaluation(run, request, out)
    code = follow(evaluation.run(), total=len(evaluation.samples), table=out / "per_image.csv")
    _say(evaluation.record, out)
    raise typer.Exit(code)


def _columns(by: str | None) -> tuple[str, ...] | None:
    return None if by is None else tuple(part.strip() for part in by.split(",") if part.strip())


def _evaluate(
    task: str,
    manifest: Path,
    out: Path,
    bundle: str,
    selection: Selection,
    by: str | None,
    jobs: int | None,
    seed: int,
    resamples: int,
) -> None:
    from cxrnet.cli.progress import follow
    from cxrnet.parallel import cpu_count
    from cxrnet.screening.pipeline import Pipeline

    evaluations = load_evaluations()
    jobs = jobs or cpu_count()
    request = evaluations.Request(
        manifest=manifest,
        columns=selection.columns,
        where=selection.where,
        by=_columns(by),
        jobs=jobs,
        seed=seed,
        resamples=resamples,
        command=shlex.join(["cxrnet", *sys.argv[1:]]),
    )
    with Pipeline.load(bundle, threads=max(1, cpu_count() // jobs)) as pipeline:
        evaluation: Evaluation[Any] = evaluations.EVALUATIONS[task](pipeline, request, out)
        code = follow(evaluation.run(), total=len(evaluation.samples), table=out / "per_image.csv")
    _say(evaluation.record, out)
    raise typer.Exit(code)


def load_evaluations() -> Any:
    """Return the module `cxrnet.evaluation.tasks`.

    Raises:
        MissingExtraError: A library of the extra `train` is not installed.
    """
    from cxrnet.errors import MissingExtraError

    try:
        import sklearn.metrics  # noqa: F401  # used inside functions only

        from cxrnet.evaluation import tasks
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("cxrnet"):
            raise
        raise MissingExtraError(f"evaluate: {error.name} is not installed; pip install 'cxrnet[train]'") from error
    return tasks


def _say(record: dict[str, Any], out: Path) -> None:
    """Print the metrics of all films, one a line, and where the report is."""
    from cxrnet.evaluation.report import HEADINGS, tell

    overall = record["overall"]
    for name, heading in HEADINGS.items():
        if name in overall and overall[name]["n"]:
            typer.echo(f"{heading:<22} {tell(overall, name)}")
    typer.echo(f"n = {overall['n']:,} films in {overall['groups']:,} groups; report: {out / 'report.html'}")
