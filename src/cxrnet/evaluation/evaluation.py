"""A model against a manifest: from rows to metrics.json, per_image.csv, plots and report.html."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Generic

from cxrnet.atomic import write_atomic
from cxrnet.data.manifest import Columns, Sample, read_manifest
from cxrnet.errors import UsageError
from cxrnet.evaluation.bootstrap import CONFIDENCE, LEAST_GROUPS, RESAMPLES
from cxrnet.evaluation.cases import ClassifierCase, SegmenterCase, row_of
from cxrnet.evaluation.charts import Chart
from cxrnet.evaluation.model_info import Subject
from cxrnet.evaluation.report import render_report
from cxrnet.evaluation.summary import AnyCase, Block, by_column, value_of
from cxrnet.screening.batch import Outcome
from cxrnet.screening.finding import NOTICE
from cxrnet.screening.inputs import Input

SCHEMA = "cxrnet.evaluation/1"
WITHOUT_RESULT = frozenset({"refused", "failed"})
MOST_VALUES = 60
"""Most values of a column that results are split by."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to evaluate.

    Attributes:
        manifest: The CSV file.
        columns: Names of its columns.
        where: Column -> value: the rows to take.
        by: Columns to split the results by; None takes source, view and split where they have several values.
        jobs: Films worked on at once.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
        command: As it was typed, for the record.
    """

    manifest: Path
    columns: Columns = field(default_factory=Columns)
    where: Mapping[str, str] = field(default_factory=dict)
    by: tuple[str, ...] | None = None
    jobs: int = 1
    seed: int = 0
    resamples: int = RESAMPLES
    command: str = ""


class Evaluation(ABC, Generic[AnyCase]):
    """One model, one manifest, one folder of results.

    Args:
        subject: The model.
        request: What to evaluate.
        out: Folder for the results.

    Raises:
        ManifestError: The manifest cannot be read.
        UsageError: It does not fit the bundle, or a column to split by is not there or has too many values.
    """

    task: ClassVar[str]

    def __init__(self, subject: Subject, request: Request, out: Path) -> None:
        self.subject = subject
        self.request = request
        self.out = out
        self.manifest = read_manifest(request.manifest, columns=request.columns, where=request.where)
        self.samples = self.manifest.samples
        self._check()
        self.by = self._columns_to_split_by()
        self._refuse_own_columns()
        self.record: dict[str, Any] = {}

    def run(self) -> Generator[Outcome]:
        """Yield the outcome of each row in turn; when all are done, write the results.

        Raises:
            OutputError: The disk cannot take them.
        """
        cases: list[AnyCase] = []
        for case in self._cases():
            cases.append(self._keep(case))
            row = row_of(case, self.classes)
            item = Input(path=case.sample.image, folder="")
            yield Outcome(item=item, status=case.status, reasons=case.reasons, row=row)
        self.record = self._record(cases)
        self._write(cases)

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that get a score."""

    @property
    @abstractmethod
    def own_columns(self) -> tuple[str, ...]:
        """Names of the columns of `per_image.csv` beside the manifest's."""

    @abstractmethod
    def _check(self) -> None:
        """Raise UsageError unless every row can be evaluated."""

    @abstractmethod
    def _cases(self) -> Iterator[AnyCase]: ...

    @abstractmethod
    def _block(self, cases: Sequence[AnyCase]) -> Block: ...

    @abstractmethod
    def _charts(self, cases: Sequence[AnyCase]) -> list[Chart]: ...

    def _keep(self, case: AnyCase) -> AnyCase:
        """Return what of a case stays in memory until the end."""
        return case

    def _details(self, cases: Sequence[AnyCase]) -> dict[str, Any]:
        return {}

    def _record(self, cases: Sequence[AnyCase]) -> dict[str, Any]:
        content = self.request.manifest.read_bytes()
        return {
            "schema": SCHEMA,
            "task": self.task,
            "model": dict(self.subject.identity),
            "manifest": {
                "name": self.request.manifest.name,
                "sha256": hashlib.sha256(content).hexdigest(),
                "rows": len(self.samples),
                "films": digest_films(self.samples),
                "where": dict(self.request.where),
                "columns": asdict(self.request.columns),
            },
            "command": self.request.command,
            "cxrnet": version("cxrnet"),
            "bootstrap": {
                "unit": self.request.columns.group,
                "resamples": self.request.resamples,
                "confidence": CONFIDENCE,
                "seed": self.request.seed,
                "least_groups": LEAST_GROUPS,
            },
            "status": dict(sorted(Counter(case.status for case in cases).items())),
            "reasons": _count(case for case in cases if case.status in WITHOUT_RESULT),
            "warned": _count(case for case in cases if case.status not in WITHOUT_RESULT),
            **self._details(cases),
            "overall": self._block(cases),
            "by": by_column(cases, self.by, self._block),
            "without_result": [_told(case) for case in cases if case.status in WITHOUT_RESULT],
            "notice": NOTICE,
        }

    def _write(self, cases: Sequence[AnyCase]) -> None:
        charts = self._charts(cases)
        for chart in charts:
            write_atomic(self.out / f"{chart.name}.png", chart.png)
        fields = (*self.manifest.fields, *self.own_columns)
        rows = (row_of(case, self.classes) for case in cases)
        write_atomic(self.out / "per_image.csv", _table(rows, fields).encode("utf-8", "surrogateescape"))
        write_atomic(self.out / "report.html", render_report(self.record, charts, self.subject).encode())
        told = json.dumps(self.record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomic(self.out / "metrics.json", told.encode("utf-8", "surrogateescape"))

    def _columns_to_split_by(self) -> tuple[str, ...]:
        columns = self.request.columns
        if self.request.by is None:
            usual = (columns.source, columns.view, columns.split)
            return tuple(name for name in usual if name in self.manifest.fields and len(self._values(name)) > 1)
        for name in self.request.by:
            if name not in self.manifest.fields:
                known = ", ".join(self.manifest.fields)
                msg = f"--by {name}: {self.request.manifest.name} has no such column; its columns are {known}"
                raise UsageError(msg)
            if len(self._values(name)) > MOST_VALUES:
                count = len(self._values(name))
                msg = f"--by {name}: has {count} values; a column with at most {MOST_VALUES} can be told apart"
                raise UsageError(msg)
        return self.request.by

    def _values(self, column: str) -> set[str]:
        return {value_of(sample, column) for sample in self.samples}

    def _refuse_own_columns(self) -> None:
        for name in self.own_columns:
            if name in self.manifest.fields:
                msg = f"{self.request.manifest.name}: has a column {name}, which per_image.csv adds; rename it"
                raise UsageError(msg)


def _count(cases: Iterable[AnyCase]) -> dict[str, int]:
    """Return how often each reason is given, by its code."""
    return dict(sorted(Counter(reason.code for case in cases for reason in case.reasons).items()))


def _told(case: SegmenterCase | ClassifierCase) -> dict[str, Any]:
    reasons = [reason._asdict() for reason in case.reasons]
    return {"line": case.sample.line, "status": case.status, "reasons": reasons}


def _table(rows: Iterator[Mapping[str, Any]], fields: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, fields, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows({name: " ".join(str(value).splitlines()) for name, value in row.items()} for row in rows)
    return text.getvalue()


def digest_films(samples: Sequence[Sample]) -> str:
    """Return the sha256 of image names, labels and patients; order and other columns, as folds, do not matter."""
    told = sorted((sample.image.name, str(sample.label), str(sample.patient)) for sample in samples)
    return hashlib.sha256(json.dumps(told).encode("utf-8", "surrogateescape")).hexdigest()
