"""Write the figures of the bundled models into README and training log, from the `facts.json` of each model.

A figure is a sentence with gaps; it stands once in its document, and its gaps hold what the facts say. With `--check`
the documents stay as they are; figures that differ are printed and the exit code is 1.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxrnet.model.metric_names import format_metric

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "src" / "cxrnet" / "models"
README, LOG = "README.md", "docs/explanation/training-log.md"
GAP = r"(\d[\d.,]*(?: \[\d\.\d+, \d\.\d+\])?)"
"""A number, or a number with its interval."""


@dataclass(frozen=True)
class Figure:
    """A sentence of a document with `{}` for each value, and the values."""

    document: str
    sentence: str
    values: Sequence[str]

    def pattern(self) -> re.Pattern[str]:
        """Return what finds the sentence, whatever its values are."""
        return re.compile(GAP.join(map(re.escape, self.sentence.split("{}"))))


def figures() -> Iterator[Figure]:
    """Yield every figure that the facts of a bundled model hold."""
    lungs, no_heart = (overall(evaluation(name, "own")) for name in ("lungs", "lungs-no-heart"))
    for block, where in ((lungs, "with the heart"), (no_heart, "without it")):
        sentence = f"| lungs {where}, {{}} pairs of image and mask, mean Dice | {{}} |"
        yield Figure(README, sentence, (str(block["n"]), format_metric(block, "dice")))
    dice = (format_metric(lungs, "dice"), format_metric(no_heart, "dice"))
    yield Figure(LOG, "0.952 after the first six, {} after all |", dice[:1])
    yield Figure(LOG, "0.944 after seven, {} after all |", dice[1:])
    own, external = evaluation("covid", "own"), evaluation("covid", "own", is_out_of_fold=False)
    mixed = own["by"]["source"]["ieee8023"]
    auc, within = format_metric(overall(own), "roc_auc"), format_metric(mixed, "roc_auc")
    outside, error = overall(external), overall(own)
    yield Figure(README, "| `covid`, AUC over {} images of six sources, out of fold | {} |", (count(own), auc))
    sentence = "| the same within ieee8023, the one source with both classes ({} images) | {} |"
    yield Figure(README, sentence, (str(mixed["n"]), within))
    sentence = (
        "| external test, two collections of adults that no fold has seen ({} images), AUC | {} | recall {} at a "
    )
    values = (count(external), format_metric(outside, "roc_auc"), short(outside, "recall"))
    yield Figure(README, sentence + "specificity of {};", (*values, short(outside, "specificity")))
    yield Figure(
        README, "| calibration error of `covid`, out of fold | {} |", (format_metric(error, "calibration_error"),)
    )
    values = (auc, within, f"{error['calibration_error']['value']:.3f}", format_metric(outside, "roc_auc"))
    yield Figure(LOG, "| `covid` 3.0 | {} | {} | {} | {} |", values)
    four = overall(evaluation("chest4", "own"))
    classes = [f"{block['roc_auc']['value']:.3f}" for block in four["per_class"].values()]
    values = (format_metric(four, "roc_auc"), *classes, format_metric(four, "calibration_error"))
    yield Figure(LOG, "as `covid` 3.0, from its folds, 1,922 images | {} | {} | {} | {} | {} | {} |", values)


def evaluation(model: str, role: str, *, is_out_of_fold: bool | None = None) -> dict[str, Any]:
    """Return the metrics of the first evaluation of a bundled model in a role; the out-of-fold one comes first."""
    facts = json.loads((MODELS / model / "facts.json").read_text(encoding="utf-8"))
    for one in facts["evaluations"]:
        metrics: dict[str, Any] = one["metrics"]
        if one["role"] == role and is_out_of_fold in (None, bool(metrics.get("is_out_of_fold"))):
            return metrics
    raise LookupError(f"{model}: its facts have no evaluation of the role {role}")


def overall(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the block of all images."""
    block: dict[str, Any] = metrics["overall"]
    return block


def count(metrics: dict[str, Any]) -> str:
    """Return how many images were scored."""
    return f"{overall(metrics)['n']:,}"


def short(block: dict[str, Any], metric: str) -> str:
    """Return a metric with two digits."""
    return f"{block[metric]['value']:.2f}"


def main(arguments: Sequence[str]) -> list[str]:
    """Write the figures, or with `--check` compare them; return what differed."""
    differing = []
    for figure in figures():
        path = ROOT / figure.document
        text = path.read_text(encoding="utf-8")
        found = list(figure.pattern().finditer(text))
        if len(found) != 1:
            differing.append(f"{figure.document}: {figure.sentence!r} stands {len(found)} times, not once")
            continue
        if list(found[0].groups()) == list(figure.values):
            continue
        stands, right = found[0].group(), figure.sentence.format(*figure.values)
        differing.append(f"{figure.document}: {stands!r}, by the facts {right!r}")
        if "--check" not in arguments:
            path.write_text(text.replace(stands, right), encoding="utf-8")
    return differing


if __name__ == "__main__":
    differing = main(sys.argv[1:])
    print(*differing, sep="\n")
    sys.exit(bool(differing) and "--check" in sys.argv[1:])
