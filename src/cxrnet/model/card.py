"""The card of a bundle: what it is, made from what, how good, where it fails. Written from config and facts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from cxrnet.model.config import BundleConfig
from cxrnet.model.facts import DataFacts, EvaluationFacts, Facts, TrainingFacts
from cxrnet.model.tables import (
    cautions,
    class_table,
    column_tables,
    overall_table,
    table,
    title,
    weakest,
    worst_table,
)

NOTICE = "**For research only. Not a medical device; not for diagnosis.**"

USES = {
    "segmenter": "finding the lungs in frontal chest radiographs (PA or AP) in research on images",
    "classifier": "research on classifiers of frontal chest radiographs (PA or AP), and on how they fail",
}
NEVER = {
    "segmenter": (
        "Measuring a patient: a mask can miss consolidated or collapsed lung, which is what disease looks like.",
        "Lateral views, CT, films of other parts of the body, photographs of films.",
    ),
    "classifier": (
        "Diagnosis, triage, screening of a population, or to hold back any test or treatment.",
        "Films of hospitals, scanners, ages or diseases that the tables below do not hold: scores mean little there.",
        "Saying where in a lung the disease is: a heat map tells what moved the score, not what is ill.",
        "Lateral views, CT, films of other parts of the body, photographs of films.",
    ),
}
OF_THE_NETWORK = frozenset({"segmenter", "classifier", "preparation", "lung_mask"})
"""Settings that the config tells already."""


def render_card(config: BundleConfig, facts: Facts, sha256: str) -> str:
    """Return the card as Markdown.

    Args:
        config: What the model is.
        facts: What is known of it; what is not known is said to be so.
        sha256: That names the model.
    """
    kind = "segmenter" if config.classifier is None else "classifier"
    lines = [f"# {config.name} {config.version}", "", f"{config.description}. {NOTICE}", "", f"sha256 `{sha256}`", ""]
    lines += ["## What it is", "", *_bullets(describe(config))]
    lines += ["## Meant for", "", f"It is meant for {USES[kind]}.", ""]
    lines += ["## Never to be used for", "", *_bullets(NEVER[kind])]
    lines += ["## Data", "", *_data(facts)]
    lines += ["## Training", "", *_training(facts)]
    lines += ["## Figures", "", *_figures(facts)]
    lines += _compared(facts)
    lines += ["## Known failures", "", *_failures(facts)]
    if facts.notes:
        lines += ["## Notes", "", facts.notes.strip(), ""]
    return "\n".join(lines)


PRESENTED = (("logarithm", ", as logarithms"), ("lungs_only", ", 0 outside the lungs"))
"""Options of Module 2 that change its coefficients, as a card tells them."""


DEPTHS = {"8-bit": "after rounding to 256 greys", "full": "at the full depth of the stored values"}
"""How a card words `PreparationConfig.depth`."""


def describe(config: BundleConfig) -> list[str]:
    """Return what the model is and how a film reaches it, a line each."""
    size, network = config.preparation, config.segmenter
    heart = "run behind the heart" if config.lungs_include_heart else "leave the heart out"
    films = " on halved films" if network.output_stride == 2 else ""
    told = [
        f"Films are resized to {size.width} x {size.height} ({size.interpolation}) and histogram-equalised "
        f"{DEPTHS[size.depth]}; no display window of a file changes them.",
        f"Module 1: {network.blocks} residual blocks of {len(network.branches)} dilated branches{films}; its lungs "
        f"{heart}.",
    ]
    if config.classifier is None:
        return told
    classifier, scattering = config.classifier, config.classifier.scattering
    options = [text for is_set, text in PRESENTED if getattr(classifier, is_set)]
    told.append(
        f"Module 2: {config.folds} folds on {scattering.channels} scattering coefficients (J = {scattering.J}, "
        f"L = {scattering.L}, order {scattering.order}{''.join(options)}); classes {', '.join(classifier.classes)}."
    )
    if config.calibration is None:
        return [*told, "Scores are a plain softmax: they are not calibrated."]
    points = ", ".join(f"{name} {value:.3f}" for name, value in config.calibration.operating_points.items())
    told.append(
        f"Scores are calibrated on {config.calibration.films:,} films that the fold behind a score had not seen"
        + (f"; operating points on the score of {classifier.classes[0]}: {points}." if points else ".")
    )
    return told


def _data(facts: Facts) -> list[str]:
    lines = _counts(facts.data)
    if facts.segmenter is not None:
        masks = facts.segmenter
        lines += [f"Lung masks came from {masks.name} {masks.version} (sha256 `{masks.sha256}`), made from:", ""]
        lines += _counts(masks.data)
    return lines


def _counts(data: DataFacts | None) -> list[str]:
    if data is None:
        return ["Which films it was made from is not recorded.", ""]
    rows = [
        (
            part.split,
            part.source or "(not given)",
            part.films,
            part.groups,
            "not known" if part.patients is None else part.patients,
            _listed(part.labels),
            _listed(part.views),
            _listed(part.licences),
        )
        for part in data.sources
    ]
    header = ("split", "source", "films", "groups", "patients", "classes", "views", "licences")
    totals = Counter[str]()
    for part in data.sources:
        totals[part.split] += part.films
    said = ", ".join(f"{count:,} films in `{split}`" for split, count in totals.items())
    leaks = [f"- {leak}" for leak in data.accepted_leaks]
    if leaks:
        leaks = ["Trained in spite of leaks, which make its figures look better than they are:", "", *leaks, ""]
    return [f"`{data.manifest}`, {said}; rows sha256 `{data.sha256}`.", "", *table(header, rows), *leaks]


def _training(facts: Facts) -> list[str]:
    lines = _settings(facts.training)
    if facts.segmenter is not None:
        lines += [f"Its segmenter, {facts.segmenter.name} {facts.segmenter.version}:", ""]
        lines += _settings(facts.segmenter.training)
    return lines


def _settings(training: TrainingFacts | None) -> list[str]:
    if training is None:
        return ["How it was trained is not recorded.", ""]
    begun = training.start
    start = "random weights" if begun is None else f"{begun['name']} {begun['version']} (`{begun['sha256']}`)"
    told = {name: value for name, value in training.settings.items() if name not in OF_THE_NETWORK}
    lines = [f"Trained with `cxrnet` from {start}; weights of the {training.weights} epoch of:", ""]
    results = [
        (run, *(_number(result.get(name)) for name in ("epochs", "best_epoch", *_metrics(training))))
        for run, result in training.results.items()
    ]
    lines += table(("run", "epochs", "best epoch", *_metrics(training)), results)
    return lines + table(("setting", "value"), [(name, _value(value)) for name, value in told.items()])


def _metrics(training: TrainingFacts) -> tuple[str, ...]:
    return ("val_dice",) if training.kind == "segmenter" else ("val_loss",)


def _figures(facts: Facts) -> list[str]:
    own = facts.of_role("own")
    if not own:
        return ["It has not been evaluated yet: see `cxrnet evaluate` and `cxrnet weights card`.", ""]
    lines = ["Intervals are 95 % percentiles of a bootstrap over groups.", ""]
    for evaluation in own:
        lines += [f"### {evaluation.name}", "", title(evaluation), "", *overall_table(evaluation)]
        lines += [*class_table(evaluation), *column_tables(evaluation), *_bullets(cautions(evaluation))]
    return lines


def _compared(facts: Facts) -> list[str]:
    headings: tuple[tuple[str, Sequence[EvaluationFacts]], ...] = (
        ("Controls", facts.of_role("control")),
        ("Other models", facts.of_role("rival")),
    )
    own = {_films(evaluation) for evaluation in facts.of_role("own")}
    lines: list[str] = []
    for heading, evaluations in headings:
        lines += [f"## {heading}", ""] if evaluations else []
        for evaluation in evaluations:
            same = "the same films as above" if _films(evaluation) in own else "other films than above"
            lines += [f"### {evaluation.name}", "", f"{title(evaluation)} These are {same}.", ""]
            lines += [*overall_table(evaluation), *class_table(evaluation)]
            lines += [*column_tables(evaluation, columns=("source",)), *_bullets(cautions(evaluation))]
    return lines


def _films(evaluation: EvaluationFacts) -> tuple[str, str]:
    manifest = evaluation.metrics["manifest"]
    if "films" in manifest:
        return manifest["films"], ""
    return manifest["sha256"], str(sorted(manifest["where"].items()))  # facts of an earlier version


def _failures(facts: Facts) -> list[str]:
    own = facts.of_role("own")
    lines = _bullets([line for evaluation in own for line in weakest(evaluation)])
    for evaluation in own:
        lines += worst_table(evaluation)
    return lines or ["None is recorded yet; that is no proof that there are none.", ""]


def _bullets(lines: Any) -> list[str]:
    told = [f"- {line}" for line in lines]
    return [*told, ""] if told else []


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or '(not given)'} {count}" for name, count in counts.items()) or "none"


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "not known" if value is None else str(value)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_value(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(_value, value)) or "none"
    return "none" if value is None else str(value)
