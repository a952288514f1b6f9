"""Names of metrics for people, and how a metric with its interval is printed: in cards, reports and on the terminal."""

from collections.abc import Mapping
from typing import Any

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
    "pixel_accuracy": "Pixel accuracy",
    "hd95_px": "Hausdorff-95, px",
    "surface_px": "Surface distance, px",
    "hd95_mm": "Hausdorff-95, mm",
    "surface_mm": "Surface distance, mm",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
    "coverage": "Coverage",
}
"""Metric -> its heading, in the order of tables."""

DISTANCES = frozenset({"hd95_px", "surface_px", "hd95_mm", "surface_mm"})
UNDEFINED = "n/a"


def format_metric(block: Mapping[str, Any], name: str) -> str:
    """Return a metric of a block of `metrics.json` with its interval, such as `0.931 [0.920, 0.941]`."""
    return format_estimate(block.get(name), digits=1 if name in DISTANCES else 3)


def format_estimate(estimate: Mapping[str, Any] | None, *, digits: int = 3) -> str:
    """Return `0.931 [0.920, 0.941]`, `0.931` without an interval, `n/a` without a value."""
    if not estimate or estimate["value"] is None:
        return UNDEFINED
    value = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None:
        return value
    return f"{value} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"
