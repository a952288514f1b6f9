"""Tables 2 and 3 of a reproduction: what the paper prints, next to an evaluation and to the model's own card."""

from collections.abc import Mapping
from typing import Any

from cxrnet.evaluation.evaluation import Evaluation
from cxrnet.evaluation.reproduction import paper
from cxrnet.evaluation.reproduction.task import Section
from cxrnet.model.bundle import Bundle
from cxrnet.model.metric_names import HEADINGS, format_metric

Metrics = Mapping[str, Any]
"""What `metrics.json` of an evaluation says."""


def classifier_table(
    title: str,
    printed: Mapping[str, tuple[str, ...]],
    evaluation: Evaluation,
    bundle: Bundle,
    where: Mapping[str, str],
    remarks: tuple[str, ...],
) -> Section:
    """Return the metrics of a classifier next to those of the paper, and those out of fold if its facts have them.

    `printed` has for each metric what the paper prints in each of its columns.
    """
    record, out_of_fold = evaluation.record.content(), _out_of_fold(bundle)
    columns = {"ensemble [95 % interval]": record["overall"], **_mixed(record, "within {source}")}
    if out_of_fold is not None:
        own = {"out of fold, card [95 % interval]": out_of_fold["overall"]}
        columns = own | _mixed(out_of_fold, "out of fold within {source}, card") | columns
    printed_columns = (f"paper: {name}" for name in paper.CLASSIFIER_COLUMNS)
    header = ("metric", *printed_columns, "folds, mean (sd)", *columns)
    rows = tuple(
        (
            HEADINGS[metric],
            *values,
            _mean(record["folds"].get(metric)),
            *(format_metric(block, metric) for block in columns.values()),
        )
        for metric, values in printed.items()
    )
    overall = record["overall"]
    text = (
        f"{bundle.label} on {overall['n']} images{describe_rows(where)}; {overall['refused']} others were refused by "
        "the gate. All folds see the same images here."
    )
    return Section(title=title, text=text, header=header, rows=rows, remarks=remarks)


def _out_of_fold(bundle: Bundle) -> Metrics | None:
    """Return the metrics of the model's folds on images that they have not seen, from its facts; None without them."""
    own = () if bundle.facts is None else bundle.facts.of_role("own")
    return next((one.metrics for one in own if one.metrics.get("is_out_of_fold")), None)


def describe_rows(where: Mapping[str, str]) -> str:
    """Return which rows were evaluated, in words: ` where split = test`, or nothing for all rows."""
    return "".join(
        f" {'where' if at == 0 else 'and'} {name} = {value}" for at, (name, value) in enumerate(where.items())
    )


def _mixed(metrics: Metrics, heading: str) -> dict[str, Any]:
    """Return the sources that have images of both classes: heading -> their metrics."""
    return {
        heading.format(source=source): block
        for source, block in metrics["by"].get("source", {}).items()
        if block.get("roc_auc", {}).get("value") is not None
    }


def _mean(values: Mapping[str, Any] | None) -> str:
    return "n/a" if not values or values["mean"] is None else f"{values['mean']:.3f} ({values['std']:.3f})"
