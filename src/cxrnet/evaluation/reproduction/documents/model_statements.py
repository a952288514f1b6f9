"""The sentences of README and training log whose figures are in the `facts.json` of the bundled models."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxrnet.evaluation.reproduction.documents.checkout import LOG, MODELS, README
from cxrnet.evaluation.reproduction.documents.statement import Statement
from cxrnet.model.bundle import read_bundle
from cxrnet.model.facts import Facts, Role
from cxrnet.model.metric_names import format_metric


def model_statements(root: Path) -> Iterator[Statement]:
    """Yield every statement about the bundled models of a checkout."""
    yield from _lungs(root)
    yield from _covid(_facts(root, "covid"))
    facts = _facts(root, "chest4")
    four = _metrics(facts)["overall"]
    classes = [f"{block['roc_auc']['value']:.3f}" for block in four["per_class"].values()]
    values = (format_metric(four, "roc_auc"), *classes, format_metric(four, "calibration_error"))
    yield Statement(LOG, "from its folds, 10 passes at 3e-3 and 10 at 2e-3 | {} | {} | {} | {} | {} | {} |", values)


def _lungs(root: Path) -> Iterator[Statement]:
    for model, where, row in (
        ("lungs", "with the heart", "0.952 after the first six, {} after all |"),
        ("lungs-no-heart", "without it", "0.944 after seven, {} after all |"),
    ):
        facts = _facts(root, model)
        own, published = (_metrics(facts, role)["overall"] for role in ("own", "comparison"))
        sentence = f"| lungs {where}, {{}} pairs of image and mask, mean Dice | {{}} | published weights {{}} |"
        dice = format_metric(own, "dice")
        yield Statement(README, sentence, (str(own["n"]), dice, format_metric(published, "dice")))
        yield Statement(LOG, row, (dice,))


def _covid(facts: Facts) -> Iterator[Statement]:
    own, outside = _metrics(facts), _metrics(facts, is_out_of_fold=False)["overall"]
    every, mixed = own["overall"], own["by"]["source"]["ieee8023"]
    auc, within, external = (format_metric(block, "roc_auc") for block in (every, mixed, outside))
    sentence = "| `covid`, AUC over {} images of six sources, out of fold | {} |"
    yield Statement(README, sentence, (f"{every['n']:,}", auc))
    sentence = "| the same within ieee8023, the one source with both classes ({} images) | {} |"
    yield Statement(README, sentence, (str(mixed["n"]), within))
    sentence = (
        "| external test, two collections of adults that no fold has seen ({} images), AUC | {} | recall {} at a "
        "specificity of {};"
    )
    rates = (f"{outside[metric]['value']:.2f}" for metric in ("recall", "specificity"))
    yield Statement(README, sentence, (str(outside["n"]), external, *rates))
    error = "calibration_error"
    sentence = "| calibration error of `covid`, out of fold | {} |"
    yield Statement(README, sentence, (format_metric(every, error),))
    yield from _audit(facts, (auc, within, f"{every[error]['value']:.3f}", external))


def _audit(facts: Facts, evaluated: tuple[str, ...]) -> Iterator[Statement]:
    assert facts.audit is not None
    images, stability = facts.audit["manifest"]["rows"], facts.audit["stability"]
    means = stability["means"]["reference"]
    changes, move = (means[name]["value"] for name in ("class_changes", "score_move"))
    sentence = (
        "under {} changes of acquisition, display and storage, mean; 60 external images, {} of its sources out of fold"
    )
    yield Statement(README, sentence, (str(len(stability["changes"])), str(images)))
    yield Statement(README, "of its sources out of fold | 1.1 %, {} % |", (f"{100 * changes:.1f}",))
    row = "| `covid` 4.0 | {} | {} | {} | {} | {} %, {} |"
    yield Statement(LOG, row, (*evaluated, f"{100 * changes:.1f}", f"{move:.3f}"))


def _facts(root: Path, model: str) -> Facts:
    facts = read_bundle(root / MODELS / model).facts
    assert facts is not None
    return facts


def _metrics(facts: Facts, role: Role = "own", *, is_out_of_fold: bool | None = None) -> dict[str, Any]:
    """Return the metrics of the first evaluation of a role, or of the first (not) out of fold."""
    found = (one.metrics for one in facts.of_role(role))
    return next(one for one in found if is_out_of_fold in (None, bool(one.get("is_out_of_fold"))))
