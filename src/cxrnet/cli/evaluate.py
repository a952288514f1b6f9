"""`cxrnet evaluate`: a bundle against a manifest that says what is true."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cxrnet.cli.screen import BUNDLE, COLUMN, JOBS, OUT

if TYPE_CHECKING:
    from cxrnet.evaluation.evaluation import Evaluation

app = typer.Typer(help="Metrics with intervals, plots and a report. Needs cxrnet[train].", no_args_is_help=True)

MANIFEST = typer.Option(..., "--manifest", "-m", help="CSV file, a row a film.", show_default=False)
WHERE = typer.Option([], "--where", metavar="COLUMN=VALUE", help="Take these rows only; can be repeated.")
BY = typer.Option(None, help="Comma-separated columns to split results by; default: source,view,split.")
SEED = typer.Option(0, min=0, help="Of the bootstrap.")
RESAMPLES = typer.Option(1000, min=0, max=100_000, help="Of the bootstrap.")
GROUP = typer.Option("group_id", "--group-column", help="Column of what is resampled together.")


@app.command()
def segmenter(
    manifest: Path = MANIFEST,
    out: Path = OUT,
    bundle: str = BUNDLE,
    where: list[str] = WHERE,
    by: str | None = BY,
    image_column: str = COLUMN,
    mask_column: str = typer.Option("mask", help="Column of the manifest that holds the masks' paths."),
    group_column: str = GROUP,
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> None:
    """Compare the lungs that a bundle finds with masks drawn by people.

    Writes OUT/metrics.json, per_image.csv, report.html and the plots.
    """
    columns = {"image": image_column, "mask": mask_column, "group": group_column}
    _evaluate("segmenter", manifest, out, bundle, columns, where, by, jobs, seed, resamples)


@app.command()
def classifier(
    manifest: Path = MANIFEST,
    out: Path = OUT,
    bundle: str = BUNDLE,
    where: list[str] = WHERE,
    by: str | None = BY,
    image_column: str = COLUMN,
    label_column: str = typer.Option("label", help="Column of the manifest that holds the class names."),
    group_column: str = GROUP,
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> None:
    """Compare the scores of a bundle with the class of each film.

    Writes OUT/metrics.json, per_image.csv, report.html and the plots.
    """
    columns = {"image": image_column, "label": label_column, "group": group_column}
    _evaluate("classifier", manifest, out, bundle, columns, where, by, jobs, seed, resamples)


@app.command()
def folds(
    run: Path = typer.Argument(..., metavar="RUN", help="A classifier's run, all folds trained."),
    out: Path = OUT,
    by: str | None = BY,
    label_column: str = typer.Option("label", help="Column that the run took its labels from."),
    source_column: str = typer.Option("source", help="Column that says where a film comes from."),
    group_column: str = GROUP,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> None:
    """Score each film of a cross-validation by the fold that has not seen it.

    Writes OUT/metrics.json, per_image.csv, report.html and the plots.
    """
    from cxrnet.cli.progress import follow
    from cxrnet.data.manifest import Columns

    evaluations = _load_evaluations()
    from cxrnet.evaluation.out_of_fold import OutOfFoldEvaluation
    from cxrnet.training.classifier_run import FOLDS

    request = evaluations.Request(
        manifest=run / FOLDS,
        columns=Columns(label=label_column, group=group_column, source=source_column),
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
    columns: dict[str, str],
    where: list[str],
    by: str | None,
    jobs: int | None,
    seed: int,
    resamples: int,
) -> None:
    from cxrnet.cli.progress import follow
    from cxrnet.data.manifest import Columns, parse_where
    from cxrnet.parallel import default_jobs
    from cxrnet.screening.pipeline import Pipeline

    evaluations = _load_evaluations()
    jobs = jobs or default_jobs()
    request = evaluations.Request(
        manifest=manifest,
        columns=Columns(**columns),
        where=parse_where(where),
        by=_columns(by),
        jobs=jobs,
        seed=seed,
        resamples=resamples,
        command=shlex.join(["cxrnet", *sys.argv[1:]]),
    )
    with Pipeline.load(bundle, threads=max(1, default_jobs() // jobs)) as pipeline:
        evaluation: Evaluation[Any] = evaluations.EVALUATIONS[task](pipeline, request, out)
        code = follow(evaluation.run(), total=len(evaluation.samples), table=out / "per_image.csv")
    _say(evaluation.record, out)
    raise typer.Exit(code)


def _load_evaluations() -> Any:
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
        msg = f"evaluate: {error.name} is not installed; pip install 'cxrnet[train]'"
        raise MissingExtraError(msg) from error
    return tasks


def _say(record: dict[str, Any], out: Path) -> None:
    """Print the metrics of all films, one a line, and where the report is."""
    from cxrnet.evaluation.report import HEADINGS, tell

    overall = record["overall"]
    for name, heading in HEADINGS.items():
        if name in overall and overall[name]["n"]:
            typer.echo(f"{heading:<22} {tell(overall, name)}")
    typer.echo(f"n = {overall['n']:,} films in {overall['groups']:,} groups; report: {out / 'report.html'}")
