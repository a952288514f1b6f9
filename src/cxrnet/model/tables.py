"""An evaluation as Markdown: tables of its metrics with their intervals, and where it went wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxrnet.model.facts import EvaluationFacts

NAMES = {
    "dice": "Dice",
    "precision": "Precision",
    "recall": "Recall",
    "jaccard": "Jaccard",
    "hd95_px": "Hausdorff-95, px",
    "surface_px": "Surface distance, px",
    "roc_auc": "ROC AUC",
    "average_precision": "Average precision",
    "accuracy": "Accuracy",
    "specificity": "Specificity",
    "brier": "Brier score",
    "calibration_error": "Calibration error",
}
"""Metric -> its name in a card."""

OVERALL = {
    "segmenter": ("dice", "precision", "recall", "jaccard", "hd95_px", "surface_px"),
    "classifier": (
        "roc_auc", "average_precision", "accuracy", "precision", "recall", "specificity", "brier", "calibration_error",
    ),
}  # fmt: skip
GROUPED = {
    "segmenter": ("dice", "precision", "recall", "hd95_px"),
    "classifier": ("roc_auc", "recall", "specificity", "calibration_error"),
}
JUDGED = {"segmenter": ("dice",), "classifier": ("roc_auc", "recall", "specificity")}
"""Metrics by which the weakest part of the films is sought."""

IN_PIXELS = frozenset({"hd95_px", "surface_px"})
FEWEST = 10
"""A part of the films with fewer than this is not called the weakest: chance would choose it."""

NOTHING = "n/a"
Block = Mapping[str, Any]


def tell(estimate: Block | None, *, digits: int = 3) -> str:
    """Return `0.931 [0.920, 0.941]`, `0.931` where there is no interval, `n/a` where there is no value."""
    if not estimate or estimate["value"] is None:
        return NOTHING
    value = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None:
        return value
    return f"{value} [{estimate['low']:.{digits}f}, {estimate['high']:.{digits}f}]"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Return a Markdown table as lines, an empty one at its end."""
    told = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in told]
    return [lines[0], f"|{'---|' * len(header)}", *lines[1:], ""]


def title(evaluation: EvaluationFacts) -> str:
    """Return what was evaluated on what, in a line."""
    metrics = evaluation.metrics
    manifest, overall = metrics["manifest"], metrics["overall"]
    where = " and ".join(f"{name}={value}" for name, value in manifest["where"].items())
    films = f"{overall['n']:,} films in {overall['groups']:,} groups of `{manifest['name']}`"
    model = metrics["model"]
    seen = "; every film by the fold that had not seen it" if metrics.get("is_out_of_fold") else ""
    return f"{films}{f' ({where})' if where else ''}, by {model['name']} {model['version']}{seen}."


def overall_table(evaluation: EvaluationFacts) -> list[str]:
    """Return the metrics over all films, a row each."""
    metrics = evaluation.metrics
    names = [name for name in OVERALL[metrics["task"]] if name in metrics["overall"]]
    rows = [(NAMES[name], _cell(metrics["overall"], name)) for name in names]
    return table(("metric", "value [95 % interval]"), rows)


def class_table(evaluation: EvaluationFacts) -> list[str]:
    """Return each class of more than two against the rest; no lines for others."""
    blocks = evaluation.metrics["overall"].get("per_class", {})
    if not blocks:
        return []
    names = ("roc_auc", "recall", "specificity")
    rows = [(name, block["n"], *(_cell(block, metric) for metric in names)) for name, block in blocks.items()]
    return table(("class", "films", *(NAMES[name] for name in names)), rows)


def column_tables(evaluation: EvaluationFacts, *, columns: Sequence[str] | None = None) -> list[str]:
    """Return the metrics by the values of each column, or of these columns."""
    metrics, lines = evaluation.metrics, []
    names = GROUPED[metrics["task"]]
    for column, blocks in metrics["by"].items():
        if columns is None or column in columns:
            rows = [(value, block["n"], *(_cell(block, name) for name in names)) for value, block in blocks.items()]
            lines += table((column, "films", *(NAMES[name] for name in names)), rows)
    return lines


def cautions(evaluation: EvaluationFacts) -> Iterator[str]:
    """Yield what a reader of the figures must know: films without a result, sources that tell the class."""
    metrics = evaluation.metrics
    for status, count in metrics["status"].items():
        if status in ("refused", "failed"):
            yield f"{count} films were {status} and are in no figure above."
    if metrics["reasons"]:
        yield f"Reasons: {', '.join(f'{code} {count}' for code, count in metrics['reasons'].items())}."
    if metrics.get("warned"):
        yield f"Scored with a warning: {', '.join(f'{code} {count}' for code, count in metrics['warned'].items())}."
    for column, parts in metrics.get("single_class", {}).items():
        alone, both = ", ".join(parts["single"]), ", ".join(parts["both"]) or "none"
        yield (
            f"`{column}` can betray the class: all films of {alone} have one class; both are in {both}. "
            "Figures over all films flatter the model."
        )


def weakest(evaluation: EvaluationFacts) -> Iterator[str]:
    """Yield, for each column and metric, the part of the films where the model does worst."""
    metrics = evaluation.metrics
    for column, blocks in metrics["by"].items():
        for name in JUDGED[metrics["task"]]:
            known = {
                value: block[name]["value"]
                for value, block in blocks.items()
                if block["n"] >= FEWEST and name in block and block[name]["value"] is not None
            }
            if len(known) > 1:
                value = min(known, key=lambda value: known[value])
                told, overall = _cell(blocks[value], name), _cell(metrics["overall"], name)
                where = f"{column} {value}: {told}, {blocks[value]['n']} films"
                yield f"{evaluation.name}: {NAMES[name]} is lowest for {where}; overall {overall}."


def worst_table(evaluation: EvaluationFacts) -> list[str]:
    """Return the groups with the worst results, a row each."""
    if not evaluation.worst:
        return []
    told = "Dice" if evaluation.metrics["task"] == "segmenter" else "score of the true class"
    rows = [(one.group, one.source, one.view, one.label, f"{one.value:.3f}") for one in evaluation.worst]
    heading = f"Worst film of each of the {len(rows)} worst groups of {evaluation.name}:"
    return [heading, "", *table(("group", "source", "view", "class", told), rows)]


def _cell(block: Block, name: str) -> str:
    return tell(block.get(name), digits=1 if name in IN_PIXELS else 3)
