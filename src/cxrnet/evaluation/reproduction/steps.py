"""The steps of a reproduction: what is evaluated, and which tables and pictures come of it."""

import hashlib
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.data.manifest import Sample, read_manifest
from cxrnet.evaluation.cases import segment_sample
from cxrnet.evaluation.classifier import evaluate_classifier
from cxrnet.evaluation.evaluation import Evaluation, write_evaluation
from cxrnet.evaluation.reproduction import paper
from cxrnet.evaluation.reproduction.drawings import draw_heat_maps, draw_masks, draw_probabilities
from cxrnet.evaluation.reproduction.figures import (
    caption_of,
    coefficient_section,
    open_pipeline,
    save_picture,
    wavelet_section,
)
from cxrnet.evaluation.reproduction.tables import classifier_table, describe_rows
from cxrnet.evaluation.reproduction.task import Make, Picture, Section, Task
from cxrnet.evaluation.request import Request
from cxrnet.evaluation.segmenter import evaluate_segmenter
from cxrnet.export.bundle import build_bundle, load_network
from cxrnet.model.bundle import Bundle, read_bundle
from cxrnet.model.metric_names import HEADINGS, format_metric
from cxrnet.nn.network import Network
from cxrnet.screening.pipeline import Pipeline

Step = tuple[str, Mapping[str, object], Make]
EXAMPLES = (1.0, 0.9, 0.75, 0.5, 0.1, 0.0)
"""Quantiles of the Dice coefficient whose images are drawn."""


def network_section(task: Task) -> Section:
    """Return the numbers of parameters."""
    rows = []
    for bundle in task.bundles:
        network = load_network(bundle)
        rows.append((f"Module 1, {bundle.label}", paper.PARAMETERS["segmenter"], _count(network.segmenter)))
        if bundle.config.classifier is not None:
            rows.append((f"one fold, {bundle.label}", paper.PARAMETERS["fold"], _count(network.ensemble.folds[0])))
            rows.append((f"ensemble, {bundle.label}", paper.PARAMETERS["ensemble"], _count(network.ensemble)))
    remark = (
        "The published lung models hold 59,941 values, of which 58,309 are trained; no published file has 59,165. "
        "The numbers of Module 2 include the moving statistics of the batch norms."
    )
    header = ("network", "paper", "parameters and moving statistics")
    return Section(title="Parameters", header=header, rows=tuple(rows), remarks=(remark,))


def _count(module: Any) -> str:
    state = module.state_dict().items()
    return f"{sum(values.numel() for name, values in state if not name.endswith('num_batches_tracked')):,}"


def segmentation_steps(task: Task) -> Iterator[Step]:
    """Yield Table 1 with Figs. 7 and 8, for each convention that there is a model for."""
    manifest = task.manifest("segmentation")
    for style, figure in (("heart_excluded", "Fig. 7"), ("heart_included", "Fig. 8")):
        bundle = task.segmenter(with_heart=style == "heart_included")
        if manifest is None or bundle is None:
            continue
        where = _where(manifest, mask_style=style, split="val")
        make = partial(_segmentation, task, bundle, style, figure, where)
        yield f"table-1-{style.replace('_', '-')}", _inputs(task, bundle, manifest, where), make


def classification_steps(task: Task) -> Iterator[Step]:
    """Yield Tables 2 and 3 with the figures of Module 2."""
    manifest, bundle = task.manifest("classification"), task.classifier()
    if manifest is None or bundle is None:
        return
    where = {} if task.are_published else _where(manifest, split="test")
    inputs = _inputs(task, bundle, manifest, where)
    yield "table-2", inputs, partial(_classification, task, bundle, where)
    yield "table-3", inputs | {"threshold": task.threshold}, partial(_thresholded, task, bundle, where)


def _inputs(task: Task, bundle: Bundle, manifest: Path, where: Mapping[str, str]) -> dict[str, object]:
    return {
        "bundle": bundle.sha256,
        "manifest": hashlib.sha256(manifest.read_bytes()).hexdigest(),
        "where": dict(where),
        "resamples": task.resamples,
        "cxrnet": version("cxrnet"),
    }


def _where(manifest: Path, **wanted: str) -> dict[str, str]:
    """Return which rows are used: of each column that the manifest has, those with this value, if any has it."""
    samples = read_manifest(manifest).samples
    return {
        column: value
        for column, value in wanted.items()
        if any(sample.values.get(column) == value for sample in samples)
    }


def _request(task: Task, name: str, where: Mapping[str, str]) -> Request:
    manifest = task.manifest(name)
    assert manifest is not None
    command = f"cxrnet reproduce paper --data {task.data.name}"
    return Request(manifest=manifest, where=where, jobs=task.jobs, resamples=task.resamples, command=command)


def _segmentation(
    task: Task, bundle: Bundle, style: str, figure: str, where: Mapping[str, str], folder: Path
) -> list[Section]:
    name = paper.NAMES[style]
    request = _request(task, "segmentation", where)
    with open_pipeline(task, bundle) as pipeline:
        with task.progress(f"Table 1, {name}") as observe:
            evaluation = evaluate_segmenter(pipeline, request, observe=observe)
        write_evaluation(evaluation, folder)
        samples, captions = _examples(request, evaluation)
        cases = [segment_sample(pipeline, sample) for sample in samples]
        views = [case.view for case in cases if case.view is not None]
    overall = evaluation.record.content()["overall"]
    pooled = format_metric(overall, "pixel_accuracy")
    rows = [
        (HEADINGS[metric], value, pooled, format_metric(overall, metric))
        for metric, value in paper.TABLE_1[style].items()
    ]
    header = ("metric", "paper", "both classes pooled", "lungs only [95 % interval]")
    text = f"{bundle.label} on {overall['n']} images{describe_rows(where)}."
    remarks = (paper.POOLED_REMARK, *((paper.SEEN_REMARK,) if task.are_published else ()))
    table = Section(title=f"Table 1: {name}", text=text, header=header, rows=tuple(rows), remarks=remarks)
    caption = f"{figure}: radiograph, mask of the annotator, mask of the model, from the best to the worst Dice."
    picture = save_picture(task, folder, "examples", draw_masks(views, captions), caption)
    return [table, Section(title=f"{figure}: lungs, {name}", pictures=(picture,))]


def _classification(task: Task, bundle: Bundle, where: Mapping[str, str], folder: Path) -> list[Section]:
    request = _request(task, "classification", where)
    with open_pipeline(task, bundle) as pipeline:
        evaluation = _evaluate(task, pipeline, request, folder, "Table 2")
        typical = _typical(request, evaluation, bundle)
        found = {name: [pipeline.screen(one.image) for one in samples] for name, samples in typical.items()}
    every = [one for group in found.values() for one in group]
    masks = draw_probabilities(every, [caption_of(one) for one in every])
    caption = "Fig. 9: radiographs and their lung probability; the images of the paper are private."
    charts = {chart.name: chart for chart in evaluation.charts}
    shown = tuple(
        Picture(file=f"{folder.name}/{name}.png", caption=f"Fig. 11 {part}: {charts[name].caption}")
        for name, part in (("roc", "c, g"), ("confusion", "d, h"))
        if name in charts
    )
    sections = [
        wavelet_section(task, folder, bundle, every[0] if every else None),
        Section(title="Fig. 9: lung masks", pictures=(save_picture(task, folder, "masks", masks, caption),)),
        *([coefficient_section(task, folder, bundle, every[0])] if every else []),
        classifier_table("Table 2: classification", paper.TABLE_2, evaluation, bundle, where, _remarks(task, where)),
        Section(title="Fig. 11: curves and confusion matrix", pictures=shown),
    ]
    for number, (label, group) in enumerate(found.items(), start=12):
        figure = draw_heat_maps(group, [caption_of(one) for one in group])
        caption = f"Fig. {number}: images of class {label}, from the highest to the lowest score of {label}."
        picture = save_picture(task, folder, f"heat-maps-{number}", figure, caption)
        sections.append(Section(title=f"Fig. {number}: heat maps, {label}", pictures=(picture,)))
    return sections


def _thresholded(task: Task, bundle: Bundle, where: Mapping[str, str], folder: Path) -> list[Section]:
    request = _request(task, "classification", where)
    other = _with_threshold(bundle, task.threshold, task.out / "bundles" / f"{bundle.config.name}-threshold")
    with open_pipeline(task, other) as pipeline:
        evaluation = _evaluate(task, pipeline, request, folder, "Table 3")
        samples = [group[len(group) // 2] for group in _typical(request, evaluation, other).values()]
        thresholded = [pipeline.screen(sample.image) for sample in samples]
    with open_pipeline(task, bundle) as pipeline:
        plain = [pipeline.screen(sample.image) for sample in samples]
    remarks = (paper.THRESHOLD_REMARK.format(threshold=task.threshold), *_remarks(task, where))
    table = classifier_table("Table 3: classification", paper.TABLE_3, evaluation, other, where, remarks)
    rows = [one for pair in zip(plain, thresholded, strict=True) for one in pair if one.heatmaps is not None]
    figure = draw_heat_maps(rows, [caption_of(one) for one in rows])
    caption = "Fig. 14: one image of each class, without the threshold (upper row) and with it (lower row)."
    picture = save_picture(task, folder, "heat-maps-14", figure, caption)
    return [table, Section(title="Fig. 14: heat maps with a threshold", pictures=(picture,))]


def _evaluate(task: Task, pipeline: Pipeline, request: Request, folder: Path, title: str) -> Evaluation:
    with task.progress(title) as observe:
        evaluation = evaluate_classifier(pipeline, request, observe=observe)
    write_evaluation(evaluation, folder)
    return evaluation


def _remarks(task: Task, where: Mapping[str, str]) -> tuple[str, ...]:
    """Return whether the classifier may have been trained on the evaluated images, and what the paper does."""
    if task.are_published:
        seen = paper.UNSEEN_REMARK
    else:
        seen = paper.TEST_REMARK if "split" in where else paper.MAYBE_SEEN_REMARK
    return (seen, *paper.CLASSIFIER_REMARKS)


def _with_threshold(bundle: Bundle, threshold: float, folder: Path) -> Bundle:
    """Return a model with the same weights whose average leaves dark regions out; it is not calibrated."""
    classifier = bundle.config.classifier
    assert classifier is not None
    pooling = classifier.pooling.model_copy(update={"regions": "threshold", "intensity_threshold": threshold})
    update = {"classifier": classifier.model_copy(update={"pooling": pooling}), "calibration": None}
    config = bundle.config.model_copy(update=update | {"name": folder.name})
    if folder.is_dir() and (made := read_bundle(folder)).config == config:
        return made
    network = Network(config)
    network.load_state_dict(load_network(bundle).state_dict())
    card = f"# {folder.name}\n\nThe weights of {bundle.label}, pooled with a threshold.\n"
    return build_bundle(network.eval(), folder, card=card, overwrite=True)


def _ranked(request: Request, evaluation: Evaluation, column: str) -> list[tuple[float, Sample]]:
    """Return the images that have a value in a column of the results, lowest first, with it."""
    samples = request.read(own_columns=())[0].samples
    rated = [
        (float(row[column]), sample) for row, sample in zip(evaluation.rows, samples, strict=True) if row.get(column)
    ]
    return sorted(rated, key=lambda each: each[0])


def _examples(request: Request, evaluation: Evaluation) -> tuple[list[Sample], list[str]]:
    """Return the images at the quantiles `EXAMPLES` of the Dice coefficient, best first, and their captions."""
    ranked = _ranked(request, evaluation, "dice")
    places = dict.fromkeys(round(share * (len(ranked) - 1)) for share in EXAMPLES) if ranked else {}
    chosen = [ranked[place] for place in places]
    captions = [f"{sample.image.name[:28]}  Dice {value:.3f}" for value, sample in chosen]
    return [sample for _, sample in chosen], captions


def _typical(request: Request, evaluation: Evaluation, bundle: Bundle) -> dict[str, list[Sample]]:
    """Return for each class its images from the highest to the lowest score of it, five evenly spaced ones."""
    assert bundle.config.classifier is not None
    found: dict[str, list[Sample]] = {}
    for name in bundle.config.classifier.classes:
        ranked = [one for _, one in _ranked(request, evaluation, f"score_{name}") if one.label == name]
        if ranked:
            places = dict.fromkeys(np.linspace(len(ranked) - 1, 0, 5).round().astype(int).tolist())
            found[name] = [ranked[place] for place in places]
    return found
