"""`cxrnet evaluate`: a model against the labels or masks in a manifest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from cxrnet.cli.audit import audit
from cxrnet.cli.data import MASK_VALUES, VOID_VALUE, print_warnings
from cxrnet.cli.options import BUNDLE, JOBS, MANIFEST, OUT, SEED, Selection, manifest_options, request_fields
from cxrnet.errors import require

if TYPE_CHECKING:
    from cxrnet.evaluation.evaluation import Evaluation, Observe
    from cxrnet.evaluation.request import Request

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
    mask_values: str | None = MASK_VALUES,
    void_value: str | None = VOID_VALUE,
    jobs: int | None = JOBS,
    seed: int = SEED,
    resamples: int = RESAMPLES,
    *,
    selection: Selection,
) -> None:
    """Compare a bundle's lung masks with reference masks.

    Writes metrics.json, per_image.csv, report.html and the plots to OUT.
    """
    from cxrnet.data.mask_values import parse_mask_values

    values = parse_mask_values(mask_values, void_value)
    request = _request(manifest, selection, by, jobs, seed, resamples, mask_values=values)
    _evaluate("segmenter", request, bundle, out)


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
    _evaluate("classifier", _request(manifest, selection, by, jobs, seed, resamples), bundle, out)


@app.command()
@manifest_options("label", "group", "patient", "source", where=False)
def folds(
    runs: list[Path] = typer.Argument(
        ..., metavar="RUN...", help="Classifier run with all folds trained, in one folder or in several."
    ),
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
    with require("train", "evaluate"):
        from cxrnet.evaluation.out_of_fold import evaluate_folds

    request = _request(runs[0], selection, by, None, seed, resamples)
    _run(lambda observe: evaluate_folds(runs, request, observe=observe), out)


@app.command()
def compare(
    results: list[Path] = typer.Argument(
        ..., metavar="RESULT...", help="OUT folders of evaluations.", show_default=False
    ),
    out: Path = OUT,
    positive_class: str | None = typer.Option(
        None, help="Class whose scores are compared.", show_default="the first of two"
    ),
) -> None:
    """Compare classifiers: ROC curves, decision curves, the AUC in subgroups, and predictions by source.

    RESULT is the OUT folder of `evaluate classifier` or `evaluate folds`. Writes report.html, and each plot as PNG, SVG
    and CSV, to OUT.
    """
    with require("train", "evaluate"):
        from cxrnet.evaluation.comparison import read_result, write_comparison

    report = write_comparison([read_result(folder, positive_class) for folder in results], out)
    typer.echo(f"report: {report}")


def _evaluate(task: Literal["segmenter", "classifier"], request: Request, bundle: str, out: Path) -> None:
    from cxrnet.parallel import cpu_count

    with require("train", "evaluate"):
        import sklearn.metrics  # noqa: F401  # used inside functions only

        from cxrnet.evaluation.classifier import evaluate_classifier
        from cxrnet.evaluation.segmenter import evaluate_segmenter
    from cxrnet.screening.pipeline import Pipeline

    evaluate = evaluate_segmenter if task == "segmenter" else evaluate_classifier
    with Pipeline.load(bundle, threads=max(1, cpu_count() // request.jobs)) as pipeline:
        _run(lambda observe: evaluate(pipeline, request, observe=observe), out)


def _request(
    manifest: Path, selection: Selection, by: str | None, jobs: int | None, seed: int, resamples: int, **more: Any
) -> Request:
    with require("train", "evaluate"):
        from cxrnet.evaluation.request import Request

    columns = None if by is None else tuple(part.strip() for part in by.split(",") if part.strip())
    return Request(by=columns, **request_fields(manifest, selection, jobs, seed, resamples), **more)


def _run(evaluate: Callable[[Observe], Evaluation], out: Path) -> None:
    """Run an evaluation with its progress on the terminal, write it, print its metrics, and exit."""
    from cxrnet.cli.progress import ProgressReport
    from cxrnet.evaluation.evaluation import write_evaluation

    with ProgressReport(table=out / "per_image.csv") as report:
        evaluation = evaluate(report.observe)
        write_evaluation(evaluation, out)
    print_warnings(evaluation.record.manifest.warnings)
    _print_metrics(evaluation, out)
    raise typer.Exit(report.exit_code)


def _print_metrics(evaluation: Evaluation, out: Path) -> None:
    """Print the metrics over all images, one per line, and where the report is."""
    from cxrnet.model.metric_names import HEADINGS, format_metric

    overall = evaluation.record.content()["overall"]
    for name, heading in HEADINGS.items():
        if name in overall and overall[name]["n"]:
            typer.echo(f"{heading:<22} {format_metric(overall, name)}")
    for name, block in overall.get("per_class", {}).items():
        if "dice" in block:
            typer.echo(f"{f'Dice, {name}':<22} {format_metric(block, 'dice')}, n = {block['n']:,}")
    typer.echo(f"n = {overall['n']:,} images in {overall['groups']:,} groups; report: {out / 'report.html'}")
