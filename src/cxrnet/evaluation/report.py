"""report.html: one file that holds everything, plots too, and asks for nothing from elsewhere. Needs jinja2."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrnet.evaluation.charts import Chart
from cxrnet.model.metric_names import HEADINGS, UNDEFINED, format_metric

if TYPE_CHECKING:
    from cxrnet.evaluation.evaluation import ModelInfo

IN_TABLES = {
    "segmenter": ("dice", "precision", "recall", "jaccard", "hd95_px"),
    "classifier": ("roc_auc", "average_precision", "accuracy", "precision", "recall", "specificity"),
}
"""Metrics of the tables by column; the rest is in metrics.json."""


def render_report(record: Mapping[str, Any], charts: Sequence[Chart], model: ModelInfo) -> str:
    """Return the report of an evaluation as HTML.

    Args:
        record: What metrics.json holds.
        charts: The plots in their order.
        model: The model.
    """
    environment = Environment(
        loader=PackageLoader("cxrnet.evaluation", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = [chart._asdict() | {"data": base64.b64encode(chart.png).decode()} for chart in charts]
    return environment.get_template("report.html.j2").render(
        record=record,
        charts=pictures,
        label=model.label,
        description=model.description,
        lungs_include_heart=model.lungs_include_heart,
        headings=HEADINGS,
        metrics=[name for name in HEADINGS if name in record["overall"]],
        columns=IN_TABLES[record["task"]],
        format_metric=format_metric,
        undefined=UNDEFINED,
    )
