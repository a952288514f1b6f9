"""report.html: one file that holds everything, plots too, and asks for nothing from elsewhere. Needs jinja2."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from cxrnet.evaluation.charts import Chart, interval
from cxrnet.evaluation.model_info import Subject

HEADINGS = {
    "dice": "Dice",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "f1": "F1",
    "jaccard": "Jaccard",
    "pixel_accuracy": "Pixels right",
    "hd95_px": "Hausdorff-95, px",
    "surface_px": "Surface distance, px",
    "hd95_mm": "Hausdorff-95, mm",
    "surface_mm": "Surface distance, mm",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "coverage": "Coverage",
}
"""Metric -> its name for people, in the order of the tables."""

IN_TABLES = {
    "segmenter": ("dice", "precision", "recall", "jaccard", "hd95_px"),
    "classifier": ("roc_auc", "average_precision", "accuracy", "precision", "recall", "specificity"),
}
"""Metrics of the tables by column; the rest is in metrics.json."""

IN_PIXELS = frozenset({"hd95_px", "surface_px", "hd95_mm", "surface_mm"})


def render_report(record: Mapping[str, Any], charts: Sequence[Chart], subject: Subject) -> str:
    """Return the report of an evaluation as HTML.

    Args:
        record: What metrics.json holds.
        charts: The plots in their order.
        subject: The model.
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
        label=subject.label,
        description=subject.description,
        lungs_include_heart=subject.lungs_include_heart,
        headings=HEADINGS,
        metrics=[name for name in HEADINGS if name in record["overall"]],
        columns=IN_TABLES[record["task"]],
        told=tell,
    )


def tell(block: Mapping[str, Any], metric: str) -> str:
    """Return a metric of a block with its interval, a dash where there is none."""
    estimate = block.get(metric, {"value": None})
    return interval(estimate, digits=1 if metric in IN_PIXELS else 3)
