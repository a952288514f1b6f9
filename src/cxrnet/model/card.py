"""The card of a bundle: what it is, its data, its figures, its failures. Written from config and facts, by jinja2."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxrnet.errors import require
from cxrnet.model.config import BundleConfig
from cxrnet.model.facts import DataFacts, EvaluationFacts, Facts, TrainingFacts
from cxrnet.model.metric_names import HEADINGS, format_estimate, format_metric
from cxrnet.model.patient import Category, Number
from cxrnet.model.segmenter_classes import has_label_maps

OF_THE_NETWORK = frozenset({"segmenter", "classifier", "preparation", "lung_mask"})
"""Settings that the config states already."""

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
RANKED = {"segmenter": ("dice",), "classifier": ("roc_auc", "recall", "specificity")}
"""Metrics by which the weakest subset of the images is chosen."""

MIN_SUBSET = 10
"""A subset with fewer images is not called the weakest: chance would choose it."""

EFFECTS = {
    "class_changes": "class changes",
    "score_move": "score moves by",
    "refused": "refused",
    "lung_dice": "Dice of the lungs",
    "heat_correlation": "heat maps correlate",
    "set_coverage": "sets hold the class",
}
"""Effects that an audit measures -> their headings."""

PRESENTED = (
    ("alignment", ", aligned by the lungs"),
    ("logarithm", ", as logarithms"),
    ("lungs_only", ", 0 outside the lungs"),
)
"""Options of Module 2 that change its coefficients, and their wording."""


def render_card(config: BundleConfig, facts: Facts, sha256: str) -> str:
    """Return the card as Markdown."""
    with require("train", "card"):
        from jinja2 import Environment, PackageLoader, StrictUndefined
    environment = Environment(  # Markdown, not HTML
        loader=PackageLoader("cxrnet.model", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = lambda value: str(value).replace("|", "\\|").replace("\n", " ")
    functions = (
        cautions, describe, format_estimate, format_metric, overall_rows, patient_rows, result_rows, same_images,
        setting_rows, source_rows, title, totals, weakest, worst_rows,
    )  # fmt: skip
    environment.globals |= {function.__name__: function for function in functions}
    environment.globals |= {"grouped": GROUPED, "headings": HEADINGS, "effects": EFFECTS}
    text = environment.get_template("card.md.j2").render(config=config, facts=facts, sha256=sha256)
    return re.sub(r"\n{3,}", "\n\n", text)


DEPTHS = {"8-bit": "after rounding to 256 greys", "full": "at the full depth of the stored values"}
"""How a card words `PreparationConfig.depth`."""

RANKS = ", by middle ranks inside uniform borders"
"""How it words `PreparationConfig.equalisation`."""


def describe(config: BundleConfig) -> list[str]:
    """Return what the model is and how an image reaches it, one line each."""
    size, network = config.preparation, config.segmenter
    heart = "run behind the heart" if config.lungs_include_heart else "leave the heart out"
    halved = " on halved images" if network.output_stride == 2 else ""
    classes = f"; classes {', '.join(network.classes)}" if has_label_maps(network.classes) else ""
    equalised = DEPTHS[size.depth] + (RANKS if size.equalisation == "rank" else "")
    lines = [
        f"Images are resized to {size.width} x {size.height} ({size.interpolation}) and histogram-equalised "
        f"{equalised}; no display window of a file changes them.",
        f"Module 1: {network.blocks} residual blocks of {len(network.branches)} dilated branches{halved}; its lungs "
        f"{heart}{classes}.",
    ]
    if config.classifier is None:
        return lines
    classifier, scattering = config.classifier, config.classifier.scattering
    options = [text for name, text in PRESENTED if getattr(classifier, name)]
    source = " of the halved image" if classifier.input_stride == 2 else ""
    lines.append(
        f"Module 2: {config.folds} folds on {scattering.channels} scattering coefficients{source} (J = {scattering.J}, "
        f"L = {scattering.L}, order {scattering.order}{''.join(options)}); classes {', '.join(classifier.classes)}."
    )
    if classifier.patient is not None:
        lines.append(f"Patient data as a third input: {'; '.join(map(_patient_column, classifier.patient.columns))}.")
    if config.calibration is None:
        return [*lines, "Scores are a plain softmax: they are not calibrated."]
    points = ", ".join(f"{name} {value:.3f}" for name, value in config.calibration.operating_points.items())
    operating = f"; operating points on the score of {classifier.classes[0]}: {points}." if points else "."
    images = f"{config.calibration.images:,} images that the fold behind a score had not seen"
    return [*lines, f"Scores are calibrated on {images}{operating}"]


def _patient_column(column: Number | Category) -> str:
    if isinstance(column, Category):
        return f"{column.name} ({', '.join(column.categories)}, or missing)"
    return f"{column.name} (a number, mean {column.mean:.4g}, standard deviation {column.sd:.4g}, or missing)"


def totals(data: DataFacts) -> str:
    """Return the number of images of each split, for people."""
    counts = Counter[str]()
    for part in data.sources:
        counts[part.split] += part.images
    return ", ".join(f"{count:,} images in `{split}`" for split, count in counts.items())


def source_rows(data: DataFacts) -> Iterator[tuple[object, ...]]:
    """Yield a row per split and source."""
    for part in data.sources:
        patients = "not known" if part.patients is None else part.patients
        counts = (_listed(part.labels), _listed(part.views), _listed(part.licences))
        yield part.split, part.source or "(not given)", part.images, part.groups, patients, *counts


def result_rows(training: TrainingFacts, metric: str) -> Iterator[tuple[object, ...]]:
    """Yield a row per run: epochs, best epoch and metric."""
    for run, result in training.results.items():
        values = (result.get(name) for name in ("epochs", "best_epoch", metric))
        yield run, *(f"{value:.4f}" if isinstance(value, float) else value or "not known" for value in values)


def setting_rows(training: TrainingFacts) -> Iterator[tuple[str, str]]:
    """Yield the settings that are not of the network."""
    for name, value in training.settings.items():
        if name not in OF_THE_NETWORK:
            yield name, _setting(value)


def title(evaluation: EvaluationFacts) -> str:
    """Return what was evaluated on what, in a line."""
    metrics = evaluation.metrics
    manifest, overall, model = metrics["manifest"], metrics["overall"], metrics["model"]
    where = " and ".join(f"{name}={value}" for name, value in manifest["where"].items())
    images = f"{overall['n']:,} images in {overall['groups']:,} groups of `{manifest['name']}`"
    unseen = "; every image by the fold that had not seen it" if metrics.get("is_out_of_fold") else ""
    return f"{images}{f' ({where})' if where else ''}, by {model['name']} {model['version']}{unseen}."


def same_images(evaluation: EvaluationFacts, own: Sequence[EvaluationFacts]) -> str:
    """Return whether an evaluation is of the images of one of the model's own."""
    is_same = _images(evaluation) in {_images(one) for one in own}
    return f"These are {'the same images as above' if is_same else 'other images than above'}."


def overall_rows(evaluation: EvaluationFacts) -> Iterator[tuple[str, str]]:
    """Yield the metrics over all images."""
    overall = evaluation.metrics["overall"]
    for name in OVERALL[evaluation.metrics["task"]]:
        if name in overall:
            yield HEADINGS[name], format_metric(overall, name)


def patient_rows(evaluation: EvaluationFacts) -> Iterator[tuple[str, ...]]:
    """Yield metrics with the patient data and with all of them missing: over all images, and the AUC by column."""
    both = evaluation.metrics, evaluation.metrics["without_patient"]
    for name in OVERALL[evaluation.metrics["task"]]:
        if name in both[0]["overall"]:
            yield HEADINGS[name], *(format_metric(one["overall"], name) for one in both)
    for column, blocks in both[1]["by"].items():
        for value in blocks:
            if blocks[value].get("roc_auc", {}).get("value") is not None:
                yield (
                    f"{HEADINGS['roc_auc']}, {column} {value}",
                    *(format_metric(one["by"][column][value], "roc_auc") for one in both),
                )


def worst_rows(evaluation: EvaluationFacts) -> Iterator[tuple[str, ...]]:
    """Yield the groups with the worst results."""
    for one in evaluation.worst:
        yield one.group, one.source, one.view, one.label, f"{one.value:.3f}"


def cautions(evaluation: EvaluationFacts) -> Iterator[str]:
    """Yield what a reader of the figures must know: images without a result, sources that determine the class."""
    metrics = evaluation.metrics
    for status, count in metrics["status"].items():
        if status in ("refused", "failed"):
            yield f"{count} images were {status} and are in no figure above."
    if metrics["reasons"]:
        yield f"Reasons: {_listed(metrics['reasons'])}."
    if metrics.get("warned"):
        yield f"Scored with a warning: {_listed(metrics['warned'])}."
    for column, origins in (metrics.get("patient") or {}).items():
        yield f"Patient data, {column}: {_listed(origins)}."
    for column, parts in metrics.get("single_class", {}).items():
        alone, both = ", ".join(parts["single"]), ", ".join(parts["both"]) or "none"
        yield (
            f"`{column}` and class are confounded: all images of {alone} have one class; both are in {both}. "
            "Figures over all images flatter the model."
        )


def weakest(evaluations: Sequence[EvaluationFacts]) -> Iterator[str]:
    """Yield, for each evaluation, column and metric, the subset of the images on which the model does worst."""
    for evaluation in evaluations:
        metrics = evaluation.metrics
        for column, blocks in metrics["by"].items():
            for name in RANKED[metrics["task"]]:
                large = {key: block for key, block in blocks.items() if block["n"] >= MIN_SUBSET and name in block}
                known = {
                    value: block[name]["value"] for value, block in large.items() if block[name]["value"] is not None
                }
                if len(known) > 1:
                    value = min(known, key=lambda value: known[value])
                    lowest = f"{format_metric(blocks[value], name)}, {blocks[value]['n']} images"
                    overall = format_metric(metrics["overall"], name)
                    where = f"{column} {value}: {lowest}; overall {overall}"
                    yield f"{evaluation.name}: {HEADINGS[name]} is lowest for {where}."


def _images(evaluation: EvaluationFacts) -> tuple[str, str]:
    manifest = evaluation.metrics["manifest"]
    if "films" in manifest:
        return manifest["films"], ""
    return manifest["sha256"], str(sorted(manifest["where"].items()))  # facts of an earlier version


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or '(not given)'} {count}" for name, count in counts.items()) or "none"


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_setting(each)}" for name, each in value.items())
    if isinstance(value, list):
        return "; ".join(map(_setting, value)) or "none"
    return "none" if value is None else str(value)
