"""Module 1 against reference lung masks."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cxrnet.data.mask_values import values_for
from cxrnet.errors import UsageError
from cxrnet.evaluation.cases import SegmenterCase, row_of, segment_sample
from cxrnet.evaluation.charts import segmenter_charts
from cxrnet.evaluation.evaluation import Evaluation, ModelInfo, Observe, ignore, make_record, outcome_of
from cxrnet.evaluation.request import Request, locate
from cxrnet.evaluation.summary import SEGMENTER_METRICS, segmenter_block
from cxrnet.model.segmenter_classes import has_label_maps
from cxrnet.parallel import parallel_map
from cxrnet.screening.pipeline import Pipeline

DRAWN = 10
"""Images with the lowest Dice that the report shows."""

OWN_COLUMNS = ("status", "reasons", *SEGMENTER_METRICS, "lung_area_fraction", "gate")
"""Columns that `per_image.csv` adds."""


def evaluate_segmenter(pipeline: Pipeline, request: Request, *, observe: Observe = ignore) -> Evaluation:
    """Compare the lung masks of a bundle with the masks in a manifest.

    Masks for a segmenter of more than two classes are label maps, unless the request names the values of lung alone.
    """
    classes, values = pipeline.bundle.config.segmenter.classes, request.mask_values
    is_lungs_alone = not has_label_maps(classes) or bool(values.lung)
    values = values if values.lung else values_for(values, classes)
    dice = () if is_lungs_alone else tuple(f"dice_{name}" for name in classes[1:])
    columns = (*OWN_COLUMNS, *dice)
    manifest, by = request.read(own_columns=columns)
    without = [sample for sample in manifest.samples if sample.mask is None]
    if without:
        place = locate(request.manifest, without)
        raise UsageError(f"{place}: no {request.columns.mask}; give a mask in every row, or select rows with --where")
    cases: list[SegmenterCase] = []
    lowest: list[SegmenterCase] = []
    segment = partial(segment_sample, pipeline, values=values)
    for case in parallel_map(segment, manifest.samples, jobs=request.jobs):
        observe(outcome_of(case), len(manifest.samples))
        if math.isfinite(case.metrics.get("dice", math.nan)):
            lowest = sorted([*lowest, case], key=lambda one: one.metrics["dice"])[:DRAWN]
        cases.append(replace(case, view=None))  # pictures are kept for the lowest only
    block = partial(segmenter_block, resamples=request.resamples, seed=request.seed)
    model = ModelInfo.of(pipeline.bundle)
    record = make_record(
        request, manifest, model, cases, by=by, block=block, task="segmenter", gate=_gate_record(cases)
    )
    charts = segmenter_charts(cases, lowest, column=request.columns.source)
    fields, rows = (*manifest.fields, *columns), tuple(row_of(case, ()) for case in cases)
    return Evaluation(model=model, record=record, fields=fields, rows=rows, charts=tuple(charts))


def _gate_record(cases: Sequence[SegmenterCase]) -> dict[str, float | None]:
    refused = [case.metrics["dice"] for case in cases if case.gate]
    is_known = bool(refused) and all(math.isfinite(value) for value in refused)
    mean = round(sum(refused) / len(refused), 6) if is_known else None
    return {"would_refuse": len(refused), "their_mean_dice": mean}
