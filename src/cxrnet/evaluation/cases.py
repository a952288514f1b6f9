"""The results of a bundle for each row of a manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cxrnet.arrays import Bool
from cxrnet.data.manifest import Sample
from cxrnet.data.mask_values import AUTOMATIC, MaskValues
from cxrnet.data.masks import Mask, check_mask_size, read_mask, resize_mask
from cxrnet.evaluation.segmentation_metrics import border_distances, overlap
from cxrnet.plots.cases import Case
from cxrnet.screening.batch import failure_reason
from cxrnet.screening.finding import Finding
from cxrnet.screening.gate import Reason
from cxrnet.screening.panel.tile import shrink
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.segmentation import Segmentation, lungs_at

EMPTY_MASK = "EMPTY_MASK"
"""Code of a case whose reference mask has no lung: its overlap is 0, or undefined if the model finds none either."""

VIEW = 360
"""Longest side in pixels of the images in a report."""


@dataclass(frozen=True, kw_only=True)
class SegmenterCase:
    """One image and its lung mask."""

    sample: Sample
    status: str  # `segmented`, or `failed` if the image or the mask could not be read
    reasons: tuple[Reason, ...] = ()
    # metric -> value for the lungs, all lung classes together, NaN where undefined; empty if failed. Distances in mm
    # are NaN without a spacing
    metrics: Mapping[str, float] = field(default_factory=dict)
    # class but the background -> its metrics, of a segmenter of more than two classes on label maps
    per_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    gate: tuple[Reason, ...] = ()  # reasons for which `cxrnet screen` would refuse the image
    lung_area_fraction: float | None = None  # share of the prepared image that is lung; None if failed
    view: Case | None = field(default=None, repr=False)  # for the report; None if failed


@dataclass(frozen=True, kw_only=True)
class ClassifierCase:
    """One image and its class."""

    sample: Sample
    status: str  # `scored`, `refused` or `failed`
    reasons: tuple[Reason, ...] = ()  # why it has no score
    scores: tuple[float, ...] = ()  # probability of each class, in the order of the bundle; empty unless scored
    folds: tuple[tuple[float, ...], ...] = ()  # per fold the probability of each class; empty unless scored
    spread: float | None = None  # largest standard deviation over the folds; None unless scored
    lung_area_fraction: float | None = None  # share of the prepared image that is lung; None if failed
    # classes of the prediction set; None unless scored by a model that has sets
    conformal_set: tuple[str, ...] | None = None
    # column of the patient data -> where its value came from; empty where the model takes none
    patient: Mapping[str, str] = field(default_factory=dict)


def compare_masks(found: Bool, truth: Bool, spacing_mm: tuple[float, float] | None) -> dict[str, float]:
    """Return all metrics of two masks, bool [height, width]; distances in pixels of the mask and, if known, in mm.

    `spacing_mm` is the distance between the centres of neighbouring (rows, columns) of the masks.
    """
    pixels = border_distances(found, truth)
    mm = (np.nan, np.nan) if spacing_mm is None else border_distances(found, truth, spacing=spacing_mm)
    names = ("hd95_px", "surface_px", "hd95_mm", "surface_mm")
    return overlap(found, truth) | dict(zip(names, (*pixels, *mm), strict=True))


def segment_sample(pipeline: Pipeline, sample: Sample, values: MaskValues = AUTOMATIC) -> SegmenterCase:
    """Return the case of a sample; a failed one if image or mask cannot be read.

    So it is where the mask has another size than the image, or values that do not say what is lung.
    """
    assert sample.mask is not None  # the evaluation has refused such a row
    try:
        radiograph, gate, segmentation = pipeline.inspect(sample.image)
        with pipeline.decoders.lend() as decoder:
            mask = read_mask(decoder, sample.mask, values)
        check_mask_size(mask, radiograph, name=sample.mask.name)
    except Exception as error:
        return SegmenterCase(sample=sample, status="failed", reasons=(failure_reason(error),))
    truth = mask.lung > 127
    found = lungs_at(segmentation.probability, *truth.shape)
    if mask.void is not None:
        found, truth = found & ~mask.void, truth & ~mask.void
    reasons = (Reason(EMPTY_MASK, f"{sample.mask.name}: the mask has no lung"),) if mask.is_empty else ()
    shown = shrink(radiograph, VIEW)
    seen = resize_mask(truth.astype(np.uint8) * 255, *shown.shape) > 127
    return SegmenterCase(
        sample=sample,
        status="segmented",
        reasons=reasons,
        metrics=compare_masks(found, truth, radiograph.spacing_mm),
        per_class=_compare_classes(segmentation, mask),
        gate=gate.refusals,
        lung_area_fraction=segmentation.area_fraction,
        view=Case(image=shown, truth=seen, predicted=lungs_at(segmentation.probability, *shown.shape)),
    )


def _compare_classes(segmentation: Segmentation, mask: Mask) -> dict[str, dict[str, float]]:
    """Return the metrics of each class but the background; none where model or mask knows lungs alone."""
    anatomy, truth = segmentation.anatomy, mask.classes
    if anatomy is None or truth is None:
        return {}
    found = anatomy.labels(*truth.shape)
    counts = np.ones(truth.shape, bool) if mask.void is None else ~mask.void
    return {
        name: compare_masks((found == index) & counts, (truth == index) & counts, segmentation.radiograph.spacing_mm)
        for index, name in enumerate(anatomy.classes)
        if index
    }


def classify_sample(pipeline: Pipeline, sample: Sample) -> tuple[ClassifierCase, Finding | None]:
    """Return the case of a sample, and its finding; a failed case without one if the image cannot be read."""
    try:
        patient = {name: sample.values[name] for name in pipeline.patient_columns if name in sample.values}
        finding = pipeline.screen(sample.image, patient=patient, patient_from="csv")
    except Exception as error:
        return ClassifierCase(sample=sample, status="failed", reasons=(failure_reason(error),)), None
    case = ClassifierCase(
        sample=sample,
        status=finding.status,
        reasons=finding.reasons,
        scores=tuple(finding.scores.values()),
        folds=tuple(zip(*finding.folds.values(), strict=True)),
        spread=finding.spread,
        lung_area_fraction=finding.lung_area_fraction,
        conformal_set=finding.conformal_set,
        patient={name: one.origin for name, one in (finding.patient or {}).items()},
    )
    return case, finding


def row_of(case: SegmenterCase | ClassifierCase, classes: Sequence[str]) -> dict[str, Any]:
    """Return the row of `per_image.csv`: the manifest's columns, then what was found; what is undefined is empty."""
    row: dict[str, Any] = dict(case.sample.values)
    row |= {"status": case.status, "reasons": " | ".join(f"{reason.code}: {reason.text}" for reason in case.reasons)}
    if isinstance(case, SegmenterCase):
        row |= {name: f"{value:.6f}" if np.isfinite(value) else "" for name, value in case.metrics.items()}
        for name, metrics in case.per_class.items():
            row[f"dice_{name}"] = f"{metrics['dice']:.6f}" if np.isfinite(metrics["dice"]) else ""
        row["gate"] = " | ".join(reason.code for reason in case.gate)
    elif case.scores:
        row |= {f"score_{name}": f"{score:.6f}" for name, score in zip(classes, case.scores, strict=True)}
        row |= {"answer": classes[int(np.argmax(case.scores))], "spread": f"{case.spread:.4f}"}
        row["conformal_set"] = "" if case.conformal_set is None else " | ".join(case.conformal_set)
    if case.lung_area_fraction is not None:
        row["lung_area_fraction"] = f"{case.lung_area_fraction:.4f}"
    return row
