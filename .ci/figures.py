"""Write what README, training log and cards say of the bundled models, and the picture, from the models themselves.

A figure is a sentence with gaps; it stands once in its document, and its gaps hold what the `facts.json` of a model
says. Cards are written from the same facts, and the picture is the panel of RG1 of pydicom-data by `covid`. With
`--check` everything stays as it is; what differs is printed and the exit code is 1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path
from typing import Any

import cv2

from cxrnet import Pipeline
from cxrnet.arrays import UInt8
from cxrnet.model.bundle import read_bundle, write_facts
from cxrnet.model.card import render_card
from cxrnet.model.metric_names import format_metric
from cxrnet.screening.panel.panel import draw_panel
from cxrnet.screening.png import encode_png

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "src" / "cxrnet" / "models"
README, LOG = "README.md", "docs/explanation/training-log.md"
PICTURE = "docs/images/panel-rg1.png"
TOP, BOTTOM = 140, 60
"""Rows of the panel with the score, and with the name and sha256 of the model."""

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
    yield from lung_figures()
    yield from covid_figures()
    four = evaluation("chest4")["overall"]
    classes = [f"{block['roc_auc']['value']:.3f}" for block in four["per_class"].values()]
    values = (format_metric(four, "roc_auc"), *classes, format_metric(four, "calibration_error"))
    yield Figure(LOG, "as `covid` 3.0, from its folds, 1,922 images | {} | {} | {} | {} | {} | {} |", values)


def lung_figures() -> Iterator[Figure]:
    """Yield those of the two segmenters."""
    for model, where, row in (
        ("lungs", "with the heart", "0.952 after the first six, {} after all |"),
        ("lungs-no-heart", "without it", "0.944 after seven, {} after all |"),
    ):
        block = evaluation(model)["overall"]
        dice = format_metric(block, "dice")
        yield Figure(
            README, f"| lungs {where}, {{}} pairs of image and mask, mean Dice | {{}} |", (str(block["n"]), dice)
        )
        yield Figure(LOG, row, (dice,))


def covid_figures() -> Iterator[Figure]:
    """Yield those of `covid`, out of fold and on the external images."""
    own = evaluation("covid")
    every, mixed = own["overall"], own["by"]["source"]["ieee8023"]
    outside = evaluation("covid", is_out_of_fold=False)["overall"]
    auc, within, external = (format_metric(block, "roc_auc") for block in (every, mixed, outside))
    yield Figure(README, "| `covid`, AUC over {} images of six sources, out of fold | {} |", (f"{every['n']:,}", auc))
    sentence = "| the same within ieee8023, the one source with both classes ({} images) | {} |"
    yield Figure(README, sentence, (str(mixed["n"]), within))
    sentence = (
        "| external test, two collections of adults that no fold has seen ({} images), AUC | {} | recall {} at a "
        "specificity of {};"
    )
    rates = (f"{outside[metric]['value']:.2f}" for metric in ("recall", "specificity"))
    yield Figure(README, sentence, (str(outside["n"]), external, *rates))
    error = "calibration_error"
    yield Figure(README, "| calibration error of `covid`, out of fold | {} |", (format_metric(every, error),))
    values = (auc, within, f"{every[error]['value']:.3f}", external)
    yield Figure(LOG, "| `covid` 3.0 | {} | {} | {} | {} |", values)


def evaluation(model: str, *, is_out_of_fold: bool | None = None) -> dict[str, Any]:
    """Return the metrics of the first evaluation of a bundled model itself, or of the first (not) out of fold."""
    facts = read_bundle(MODELS / model).facts
    assert facts is not None
    found = (one.metrics for one in facts.of_role("own"))
    return next(one for one in found if is_out_of_fold in (None, bool(one.get("is_out_of_fold"))))


def main(arguments: Sequence[str]) -> list[str]:
    """Write figures, cards and picture, or with `--check` compare them; return what differed."""
    is_check = "--check" in arguments
    return [*write_figures(is_check=is_check), *write_cards(is_check=is_check), *write_picture(is_check=is_check)]


def write_cards(*, is_check: bool) -> Iterator[str]:
    """Write the card of each bundled model that has facts, or only compare it; yield what differed."""
    for folder in sorted(path.parent for path in MODELS.glob("*/facts.json")):
        bundle = read_bundle(folder)
        if bundle.facts is not None and bundle.card != render_card(bundle.config, bundle.facts, bundle.sha256):
            yield f"{folder.name}: the card is not that of its facts"
            if not is_check:
                write_facts(bundle, bundle.facts)


def write_picture(*, is_check: bool) -> Iterator[str]:
    """Write the panel of README, or only compare it, pixel by pixel; yield whether it differed."""
    source = next(file for file in files("pydicom-data") or () if file.name == "RG1_UNCR.dcm")
    with Pipeline.load(str(MODELS / "covid")) as pipeline:
        panel = draw_panel(pipeline.screen(str(source.locate())))
    path = ROOT / PICTURE
    stands = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB) if path.is_file() else panel[:0]
    if stands.shape != panel.shape or not is_same(stands, panel):
        yield f"{PICTURE}: is not the panel of the bundled model"
        if not is_check:
            path.write_bytes(encode_png(panel))


def is_same(one: UInt8, other: UInt8) -> bool:
    """Whether two panels have the same words above and below; in the maps a processor may round otherwise."""
    difference = cv2.absdiff(one, other)
    return bool(difference[:TOP].max() == 0 and difference[-BOTTOM:].max() == 0 and difference.mean() < 1)


def write_figures(*, is_check: bool) -> Iterator[str]:
    """Write the figures into their documents, or only compare them; yield what differed."""
    for figure in figures():
        path = ROOT / figure.document
        text = path.read_text(encoding="utf-8")
        found = list(figure.pattern().finditer(text))
        if len(found) != 1:
            yield f"{figure.document}: {figure.sentence!r} stands {len(found)} times, not once"
        elif list(found[0].groups()) != list(figure.values):
            stands, right = found[0].group(), figure.sentence.format(*figure.values)
            yield f"{figure.document}: {stands!r}, by the facts {right!r}"
            if not is_check:
                path.write_text(text.replace(stands, right), encoding="utf-8")


if __name__ == "__main__":
    differing = main(sys.argv[1:])
    print(*differing, sep="\n")
    sys.exit(bool(differing) and "--check" in sys.argv[1:])
