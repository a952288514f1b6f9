"""The result of an evaluation: its record, rows and plots, and the files that they become."""

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from cxrnet.atomic import write_atomic
from cxrnet.data.manifest import Manifest
from cxrnet.evaluation.bootstrap import CONFIDENCE, MIN_GROUPS
from cxrnet.evaluation.cases import ClassifierCase, SegmenterCase, row_of
from cxrnet.evaluation.charts import Chart
from cxrnet.evaluation.record import EvaluationRecord
from cxrnet.evaluation.report import render
from cxrnet.evaluation.request import Request, digest_images
from cxrnet.evaluation.summary import AnyCase, Block, by_column
from cxrnet.model.bundle import Bundle
from cxrnet.model.metric_names import HEADINGS, UNDEFINED, format_metric
from cxrnet.screening.batch import Outcome
from cxrnet.screening.inputs import Input
from cxrnet.table import csv_bytes

Observe = Callable[[Outcome, int], object]
"""Called with what became of each image, as it comes, and the number of all images."""

IN_TABLES = {
    "segmenter": ("dice", "precision", "recall", "jaccard", "hd95_px"),
    "classifier": ("roc_auc", "average_precision", "accuracy", "precision", "recall", "specificity"),
}
"""Metrics of the tables by column; the rest is in metrics.json."""

WITHOUT_RESULT = frozenset({"refused", "failed"})


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What is evaluated."""

    identity: Mapping[str, str]  # `name`, `version` and `sha256`
    label: str  # for people
    description: str  # one line for people
    classes: tuple[str, ...]  # names of the classes; empty without a classifier
    # whether its lung masks include the heart shadow; None if that does not matter
    lungs_include_heart: bool | None = None

    @classmethod
    def of(cls, bundle: Bundle) -> Self:
        """Return the description of a bundle."""
        config = bundle.config
        return cls(
            identity=bundle.identity,
            label=bundle.label,
            description=config.description,
            lungs_include_heart=config.lungs_include_heart,
            classes=() if config.classifier is None else config.classifier.classes,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What was measured."""

    model: ModelInfo
    record: EvaluationRecord  # the content of `metrics.json`
    fields: tuple[str, ...]  # columns of `per_image.csv`
    rows: tuple[Mapping[str, Any], ...]
    charts: tuple[Chart, ...]


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write `metrics.json`, `per_image.csv`, `report.html` and the plots."""
    for chart in evaluation.charts:
        write_atomic(out / f"{chart.name}.png", chart.png)
    rows = ({name: " ".join(str(value).splitlines()) for name, value in row.items()} for row in evaluation.rows)
    write_atomic(out / "per_image.csv", csv_bytes(evaluation.fields, rows))
    record, model = evaluation.record.content(), evaluation.model
    report = render(
        "report.html.j2",
        record=record,
        charts=[chart._asdict() | {"data": base64.b64encode(chart.png).decode()} for chart in evaluation.charts],
        label=model.label,
        description=model.description,
        lungs_include_heart=model.lungs_include_heart,
        headings=HEADINGS,
        metrics=[name for name in HEADINGS if name in record["overall"]],
        columns=IN_TABLES[record["task"]],
        format_metric=format_metric,
        undefined=UNDEFINED,
    )
    write_atomic(out / "report.html", report)
    write_atomic(out / "metrics.json", evaluation.record.to_json())


def make_record(
    request: Request,
    manifest: Manifest,
    model: ModelInfo,
    cases: Sequence[AnyCase],
    *,
    by: Sequence[str],
    block: Callable[[Sequence[AnyCase]], Block],
    **details: Any,
) -> EvaluationRecord:
    """Return the record of an evaluation."""
    without = [case for case in cases if case.status in WITHOUT_RESULT]
    return EvaluationRecord.model_validate(
        {
            "model": dict(model.identity),
            "manifest": {
                "name": request.manifest.name,
                "sha256": hashlib.sha256(request.manifest.read_bytes()).hexdigest(),
                "rows": len(manifest.samples),
                "films": digest_images(manifest.samples),
                "where": dict(request.where),
                "columns": asdict(request.columns),
                "warnings": list(manifest.warnings),
            },
            "command": request.command,
            "cxrnet": version("cxrnet"),
            "bootstrap": {
                "unit": request.columns.group,
                "resamples": request.resamples,
                "confidence": CONFIDENCE,
                "seed": request.seed,
                "least_groups": MIN_GROUPS,
            },
            "status": dict(sorted(Counter(case.status for case in cases).items())),
            "reasons": _count_reasons(without),
            "warned": _count_reasons(case for case in cases if case.status not in WITHOUT_RESULT),
            **details,
            "overall": block(cases),
            "by": by_column(cases, by, block),
            "without_result": [
                {
                    "line": case.sample.line,
                    "status": case.status,
                    "reasons": [{"code": reason.code, "text": reason.text} for reason in case.reasons],
                }
                for case in without
            ],
        }
    )


def outcome_of(case: SegmenterCase | ClassifierCase, classes: Sequence[str] = ()) -> Outcome:
    """Return a case as progress on the terminal shows it."""
    item = Input(path=case.sample.image, folder="")
    return Outcome(item=item, status=case.status, reasons=case.reasons, row=row_of(case, classes))


def ignore(outcome: Outcome, total: int) -> None:
    """Observe nothing."""


def _count_reasons(cases: Iterable[SegmenterCase] | Iterable[ClassifierCase]) -> dict[str, int]:
    return dict(sorted(Counter(reason.code for case in cases for reason in case.reasons).items()))
