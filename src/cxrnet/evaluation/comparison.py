"""`cxrnet evaluate compare`: classifiers next to each other, from the results of their evaluations.

ROC curves with intervals, decision curves (Vickers and Elkin 2006), the AUC in subgroups as a forest plot, and the
predictions by source.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.arrays import Bool, Float64
from cxrnet.atomic import write_atomic
from cxrnet.errors import UsageError
from cxrnet.evaluation.bootstrap import draw_weights
from cxrnet.evaluation.charts import WITHOUT_SCORE, roc_curve
from cxrnet.evaluation.plot_files import Plot, write_plots
from cxrnet.evaluation.record import read_record
from cxrnet.evaluation.report import render
from cxrnet.evaluation.reproduction.task import Picture, Section
from cxrnet.evaluation.request import read_table
from cxrnet.model.metric_names import HEADINGS, format_metric
from cxrnet.plots.chart import DASHED, QUIET, SERIES, in_style, new_chart, unit_square
from cxrnet.plots.classification import draw_confusion
from cxrnet.screening.finding import NOTICE

METRICS = ("roc_auc", "average_precision", "accuracy", "recall", "specificity", "brier", "calibration_error")
RESAMPLES = 300
THRESHOLDS = np.linspace(0.01, 0.99, 99)
_GRID = np.linspace(0, 1, 101)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one evaluation of a classifier left."""

    label: str  # name and version of the model
    record: Mapping[str, Any]  # content of `metrics.json`
    positive: str  # the class whose scores are compared
    truth: Bool  # bool [image], whether a scored image is of that class
    scores: Float64  # float64 [image], its score of that class
    groups: tuple[str, ...]  # group of each scored image, the unit of the bootstrap
    rows: tuple[Mapping[str, str], ...]  # every row of `per_image.csv`


def read_result(folder: Path, positive: str | None = None) -> Result:
    """Return the result in the OUT folder of `cxrnet evaluate classifier` or `folds`.

    The class `positive`, whose scores are compared, is by default the first of two.
    """
    record = read_record(folder / "metrics.json").content()
    classes = record.get("classes") or []
    positive = positive or record.get("positive_class")
    if positive is None or positive not in classes:
        known = ", ".join(classes) or "none, since it is of a segmenter"
        raise UsageError(f"{folder}: --positive-class is {positive}; its classes are {known}")
    columns = record["manifest"]["columns"]
    samples = read_table(folder / "per_image.csv", columns)
    scored = [sample for sample in samples if sample.values.get(f"score_{positive}")]
    truth = np.array([sample.label == positive for sample in scored])
    if not truth.any() or truth.all():
        raise UsageError(f"{folder}: no scored image is of {positive}, or all are; images of both kinds are needed")
    model = record["model"]
    return Result(
        label=f"{model['name']} {model['version']}",
        record=record,
        positive=positive,
        truth=truth,
        scores=np.array([float(sample.values[f"score_{positive}"]) for sample in scored]),
        groups=tuple(sample.group for sample in scored),
        rows=tuple(sample.values for sample in samples),
    )


def write_comparison(results: Sequence[Result], out: Path) -> Path:
    """Write report.html and the plots (PNG, SVG, CSV) of models next to each other, and return the report's path."""
    named = dict(zip(unique_labels(results), results, strict=True))
    plots = [roc_plot(named), decision_plot(named), forest_plot(named), *confusion_plots(named)]
    pictures = write_plots(plots, out)
    rows = tuple(
        (HEADINGS[metric], *(format_metric(result.record["overall"], metric) for result in results))
        for metric in METRICS
        if any(metric in result.record["overall"] for result in results)
    )
    counts = ("Images with a score", *(f"{len(result.truth):,}" for result in results))
    sets = {result.record["manifest"]["films"] for result in results}
    remarks = ("The models were evaluated on different images; compare them with care.",) if len(sets) > 1 else ()
    table = Section(title="All images", header=("metric", *named), rows=(counts, *rows), remarks=remarks)
    sections = [table]
    for plot in plots:
        caption = f"Also as {plot.name}.svg; the numbers are in {plot.name}.csv."
        sections.append(Section(title=plot.caption, pictures=(Picture(file=plot.name, caption=caption),)))
    page = render(
        "reproduction/report.html.j2",
        sections=[section.model_dump() for section in sections],
        title=f"Classifiers of {results[0].positive}, compared",
        text="95 % intervals in brackets.",
        data={picture["name"]: picture["data"] for picture in pictures},
        notice=NOTICE,
    )
    write_atomic(out / "report.html", page)
    return out / "report.html"


def unique_labels(results: Sequence[Result]) -> list[str]:
    """Return the labels, numbered where two are equal."""
    labels = [result.label for result in results]
    return [
        f"{label} ({labels[: at + 1].count(label)})" if labels.count(label) > 1 else label
        for at, label in enumerate(labels)
    ]


@in_style
def roc_plot(results: Mapping[str, Result]) -> Plot:
    """Return the ROC curves with 95 % bands over groups, and the point of each model at a score of 0.5."""
    figure, (axes,) = new_chart(6.0, 6.0)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=DASHED, label="chance")
    rows: list[Sequence[Any]] = [("model", "false_positive_rate", "recall", "low", "high")]
    for number, (label, result) in enumerate(results.items()):
        colour = SERIES[number % len(SERIES)]
        curve, band = roc_curve(result.truth, result.scores), roc_band(result)
        auc = format_metric(result.record["overall"], "roc_auc")
        axes.plot(curve.x, curve.y, color=colour, linewidth=2.2, label=f"{label}, AUC {auc}")
        axes.fill_between(_GRID, band[0], band[1], color=colour, alpha=0.14, linewidth=0)
        predicted = result.scores >= 0.5
        axes.plot(predicted[~result.truth].mean(), predicted[result.truth].mean(), "o", color=colour, markersize=7)
        recall = np.interp(_GRID, curve.x, curve.y)
        rows += [(label, *map(float, each)) for each in zip(_GRID, recall, *band, strict=True)]
    unit_square(axes)
    axes.set(xlabel="False positive rate (1 - specificity)", ylabel="True positive rate (recall)")
    axes.legend(loc="lower right")
    return Plot("roc", "ROC curves with 95 % bands; dots: a score of 0.5", figure, rows)


def roc_band(result: Result) -> Float64:
    """Return float64 [2, 101], the 95 % interval of the recall at even false positive rates, resampled by groups."""
    curves = []
    resamples = draw_weights(result.groups, resamples=RESAMPLES, seed=0)
    for weights in chain.from_iterable(resamples):
        chosen = np.repeat(np.arange(len(weights)), weights.astype(int))
        truth = result.truth[chosen]
        if truth.any() and not truth.all():
            curve = roc_curve(truth, result.scores[chosen])
            curves.append(np.interp(_GRID, curve.x, curve.y))
    return np.quantile(np.stack(curves), [0.025, 0.975], axis=0)


@in_style
def decision_plot(results: Mapping[str, Result]) -> Plot:
    """Return the decision curves: net benefit of acting on each score above a threshold probability."""
    figure, (axes,) = new_chart(7.2, 4.8)
    rows: list[Sequence[Any]] = [("model", "threshold", "net_benefit")]
    highest = 0.0
    for number, (label, result) in enumerate(results.items()):
        benefit = net_benefit(result.truth, result.scores)
        highest = max(highest, float(benefit.max()), float(result.truth.mean()))
        axes.plot(THRESHOLDS, benefit, color=SERIES[number % len(SERIES)], linewidth=2, label=label)
        rows += [(label, float(at), float(value)) for at, value in zip(THRESHOLDS, benefit, strict=True)]
        everyone = net_benefit(result.truth, np.ones(len(result.truth)))
        axes.plot(THRESHOLDS, everyone, color=QUIET, linewidth=1, label="call every image" if number == 0 else None)
    axes.axhline(0, color=QUIET, linewidth=1, linestyle=DASHED, label="call no image")
    axes.set(xlabel="Threshold probability", ylabel="Net benefit", xlim=(0, 1), ylim=(-0.1 * highest, 1.05 * highest))
    axes.legend()
    return Plot("decision", "Decision curves", figure, rows)


def net_benefit(truth: Bool, scores: Float64) -> Float64:
    """Return float64 [threshold]: true positives minus false positives at the odds of the threshold, per image."""
    predicted = scores >= THRESHOLDS[:, None]
    odds = THRESHOLDS / (1 - THRESHOLDS)
    benefit: Float64 = (predicted & truth).mean(axis=1) - (predicted & ~truth).mean(axis=1) * odds
    return benefit


@in_style
def forest_plot(results: Mapping[str, Result]) -> Plot:
    """Return the AUC over all images and in each subgroup that has one, with 95 % intervals, of each model."""
    blocks = {label: dict(_subgroups(result)) for label, result in results.items()}
    names = list(dict.fromkeys(name for each in blocks.values() for name in each))
    figure, (axes,) = new_chart(7.6, 1.2 + 0.3 * len(names) * max(1, 0.6 * len(results)))
    axes.axvline(0.5, color=QUIET, linewidth=1, linestyle=DASHED)
    rows: list[Sequence[Any]] = [("model", "images", "auc", "low", "high", "n")]
    for number, (label, each) in enumerate(blocks.items()):
        colour, shift = SERIES[number % len(SERIES)], (number - (len(blocks) - 1) / 2) * 0.5 / len(blocks)
        for name, auc in each.items():
            place = len(names) - 1 - names.index(name) - shift
            first = label if name == names[0] else None
            axes.plot(auc["value"], place, "s", color=colour, markersize=5, label=first)
            if auc["low"] is not None:
                axes.plot([auc["low"], auc["high"]], [place, place], color=colour, linewidth=1.4)
            rows.append((label, name, auc["value"], auc["low"], auc["high"], auc["n"]))
    axes.set_yticks(range(len(names)), list(reversed(names)))
    axes.set(xlabel="ROC AUC", xlim=(min(0.4, *axes.get_xlim()), 1.02))
    axes.legend(loc="upper left", bbox_to_anchor=(0, -0.12 - 0.6 / len(names)), ncols=2)
    return Plot("forest", "AUC in subgroups, with 95 % intervals", figure, rows)


def _subgroups(result: Result) -> Iterator[tuple[str, Mapping[str, Any]]]:
    overall = result.record["overall"]
    several = overall.get("per_class") is not None

    def auc_of(block: Mapping[str, Any]) -> Mapping[str, Any]:
        one = block["per_class"][result.positive] if several and block.get("per_class") else block
        return one.get("roc_auc") or {"value": None}

    blocks = [("all images", overall)]
    blocks += [
        (f"{column}: {name}", block) for column, each in result.record["by"].items() for name, block in each.items()
    ]
    aucs = ((name, auc_of(block)) for name, block in blocks)
    yield from ((name, auc) for name, auc in aucs if auc["value"] is not None)


def confusion_plots(results: Mapping[str, Result]) -> Iterator[Plot]:
    """Yield for each model what it calls the images of each source and true class."""
    for number, (label, result) in enumerate(results.items(), start=1):
        columns = result.record["manifest"]["columns"]
        answers = [*result.record["classes"], WITHOUT_SCORE]
        keys = [(row.get(columns["source"]) or "all images", row[columns["label"]]) for row in result.rows]
        kinds = sorted(set(keys))
        counts = np.zeros((len(kinds), len(answers)), dtype=np.int64)
        for key, row in zip(keys, result.rows, strict=True):
            counts[kinds.index(key), answers.index(row.get("answer") or WITHOUT_SCORE)] += 1
        names = [f"{source}, {truth}" for source, truth in kinds]
        rows = [
            ("source", "truth", *answers),
            *((*kind, *each) for kind, each in zip(kinds, counts.tolist(), strict=True)),
        ]
        yield Plot(
            f"confusion_{number}",
            f"Predictions by source and true class, {label}",
            draw_confusion(counts, names, answers),
            rows,
        )
