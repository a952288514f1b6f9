"""The section of a card that tells what `cxrnet evaluate audit` found."""

from collections.abc import Mapping, Sequence
from typing import Any

EFFECTS = {
    "class_changes": "class changes",
    "score_move": "score moves by",
    "refused": "refused",
    "lung_dice": "Dice of the lungs",
    "heat_correlation": "heat maps correlate",
    "set_coverage": "sets hold the class",
}


def audit_section(audit: Mapping[str, Any]) -> list[str]:
    """Return the section as lines of Markdown: changes at their middle strength, shortcuts, heat maps."""
    manifest = audit["manifest"]
    fold = ", each by the fold that was not trained on it" if manifest["fold_column"] else ""
    lines = ["## Audit", "", f"{manifest['rows']:,} images of `{manifest['name']}`{fold}; `cxrnet evaluate audit`.", ""]
    if audit.get("stability"):
        means = {f"mean of the set {name}": effects for name, effects in audit["stability"]["means"].items()}
        middle = {one["label"]: one["effects"] for one in audit["stability"]["changes"] if one["strength"] == "middle"}
        rows = [
            (name, *(_value(effects.get(effect)) for effect in EFFECTS)) for name, effects in (means | middle).items()
        ]
        lines += table(("change", *EFFECTS.values()), rows)
    if audit.get("shortcuts"):
        auc = audit["shortcuts"]["auc"]
        parts = next(iter(auc.values()))
        rows = [(name, *(_value(each.get(part)) for part in parts)) for name, each in auc.items()]
        lines += table(("AUC", *(part or "all images" for part in parts)), rows)
        recall, sources = audit["shortcuts"]["source_recall"], audit["shortcuts"]["sources"]
        if recall:
            guess = f"guessing: {1 / sources:.3f}"
            lines += [f"The source can be predicted from inside the lungs, mean recall {_value(recall)} ({guess}).", ""]
    if audit.get("heat_maps"):
        random = audit["heat_maps"]["randomisation"]
        rows = [(f"random up to {name}", _value(value)) for name, value in random.items()]
        rows += [(name, _value(value)) for name, value in audit["heat_maps"]["areas"].items()]
        lines += table(("heat maps", "correlation, or mean score of the curve"), rows)
    return lines


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table as lines, an empty one at its end."""
    lines = [f"| {' | '.join(row)} |" for row in (header, *rows)]
    return [lines[0], f"|{'---|' * len(header)}", *lines[1:], ""]


def _value(value: Mapping[str, Any] | None) -> str:
    if not value or value["value"] is None:
        return "not known"
    ends = "" if value["low"] is None else f" [{value['low']:.3f}, {value['high']:.3f}]"
    return f"{value['value']:.3f}{ends}"
