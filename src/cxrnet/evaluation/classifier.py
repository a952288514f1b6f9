"""Module 2 against the class of each image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cxrnet.data.manifest import Manifest
from cxrnet.errors import BundleError, UsageError, require
from cxrnet.evaluation.cases import ClassifierCase, classify_sample, row_of
from cxrnet.evaluation.charts import classifier_charts
from cxrnet.evaluation.evaluation import Evaluation, ModelInfo, Observe, ignore, make_record, outcome_of
from cxrnet.evaluation.request import Request, locate, require_one_class
from cxrnet.evaluation.summary import Block, by_column, classifier_block, fold_metrics, single_class_values
from cxrnet.parallel import parallel_map
from cxrnet.screening.pipeline import Pipeline

if TYPE_CHECKING:
    from cxrnet.evaluation.without_patient import Hide


def evaluate_classifier(pipeline: Pipeline, request: Request, *, observe: Observe = ignore) -> Evaluation:
    """Compare the scores of a bundle with the classes in a manifest."""
    model = ModelInfo.of(pipeline.bundle)
    if not model.classes:
        raise BundleError(f"{model.identity['name']}: has no classifier; use `cxrnet evaluate segmenter`")
    own = own_columns(model.classes)
    manifest, by = request.read(own_columns=own)
    check_labels(request, manifest, model)
    require_one_class(request.manifest, manifest.samples)
    names = pipeline.patient_columns
    hide: Hide | None = None
    if names:
        with require("train", "figures without the patient data"):
            from cxrnet.evaluation.without_patient import hide_patient  # needs PyTorch
        hide = hide_patient(pipeline.bundle)
    cases, hidden = [], []
    for case, finding in parallel_map(partial(classify_sample, pipeline), manifest.samples, jobs=request.jobs):
        observe(outcome_of(case, model.classes), len(manifest.samples))
        cases.append(case)
        if hide is not None:
            hidden.append(case if finding is None else hide(finding, case))
    more: dict[str, object] = {}
    if names:
        origins = {name: dict(Counter(case.patient.get(name, "failed") for case in cases)) for name in names}
        more = {"patient": origins, "without_patient": without_patient(request, model.classes, hidden, by=by)}
    return score_evaluation(request, manifest, model, cases, by=by, own=own, **more)


def without_patient(
    request: Request, classes: Sequence[str], hidden: Sequence[ClassifierCase], *, by: Sequence[str]
) -> dict[str, object]:
    """Return the field `without_patient` of the record: metrics of cases whose patient data are all missing."""
    block = _block(request, classes)
    columns = [name for name in by if name != request.columns.label]
    return {"overall": block(hidden), "by": by_column(hidden, columns, block)}


def _block(request: Request, classes: Sequence[str]) -> Callable[[Sequence[ClassifierCase]], Block]:
    return partial(classifier_block, classes=classes, resamples=request.resamples, seed=request.seed)


def score_evaluation(
    request: Request,
    manifest: Manifest,
    model: ModelInfo,
    cases: Sequence[ClassifierCase],
    *,
    by: Sequence[str],
    own: Sequence[str],
    **details: Any,
) -> Evaluation:
    """Return the evaluation of scores, wherever they come from.

    `by` are the columns that results are split by, `own` those that `per_image.csv` adds; `details` are further fields
    of the record, in place of those that are computed here.
    """
    classes = model.classes
    columns = [name for name in by if name != request.columns.label]
    details = {
        "task": "classifier",
        "classes": list(classes),
        **({"positive_class": classes[0]} if len(classes) == 2 else {}),
        "single_class": single_class_values(cases, columns),
        "folds": fold_metrics(cases, classes),
    } | details
    record = make_record(request, manifest, model, cases, by=by, block=_block(request, classes), **details)
    charts = classifier_charts(cases, classes, record.content(), column=request.columns.source)
    fields, rows = (*manifest.fields, *own), tuple(row_of(case, classes) for case in cases)
    return Evaluation(model=model, record=record, fields=fields, rows=rows, charts=tuple(charts))


def own_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that `per_image.csv` adds."""
    scores = (f"score_{name}" for name in classes)
    return ("status", "reasons", *scores, "answer", "spread", "conformal_set", "lung_area_fraction")


def check_labels(request: Request, manifest: Manifest, model: ModelInfo) -> None:
    """Check that every row has a class that the model knows."""
    column = request.columns.label
    without = [sample for sample in manifest.samples if sample.label is None]
    if without:
        place = locate(request.manifest, without)
        raise UsageError(f"{place}: no {column}; give a class in every row, or select rows with --where")
    unknown = {str(sample.label) for sample in manifest.samples} - set(model.classes)
    if unknown:
        found = f"column {column} has {', '.join(sorted(unknown))}"
        known = f"the classes of {model.identity['name']} are {', '.join(model.classes)}"
        remedy = "choose another --label-column, or select rows with --where"
        raise UsageError(f"{request.manifest.name}: {found}; {known}; {remedy}")
