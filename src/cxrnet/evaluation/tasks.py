"""The two evaluations: Module 1 against lung masks, Module 2 against classes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from cxrnet.data.manifest import Sample
from cxrnet.errors import BundleError, UsageError
from cxrnet.evaluation.cases import ClassifierCase, SegmenterCase, classify_samples, segment_samples
from cxrnet.evaluation.charts import Chart, classifier_charts, segmenter_charts
from cxrnet.evaluation.evaluation import Evaluation, Request
from cxrnet.evaluation.folds import fold_metrics
from cxrnet.evaluation.model_info import Subject
from cxrnet.evaluation.summary import OVERLAPS, Block, classifier_block, segmenter_block, single_class_values
from cxrnet.screening.pipeline import Pipeline

__all__ = ["EVALUATIONS", "ClassifierEvaluation", "Request", "ScoreEvaluation", "SegmenterEvaluation"]


class SegmenterEvaluation(Evaluation[SegmenterCase]):
    """Module 1 against lung masks drawn by people; see `Evaluation`."""

    task = "segmenter"
    worst: ClassVar[int] = 10
    """Films that the report draws."""

    def __init__(self, pipeline: Pipeline, request: Request, out: Path) -> None:
        super().__init__(Subject.of(pipeline.bundle), request, out)
        self.pipeline = pipeline
        self._lowest: list[SegmenterCase] = []

    @property
    def classes(self) -> tuple[str, ...]:
        """None: a segmenter gives no scores."""
        return ()

    @property
    def own_columns(self) -> tuple[str, ...]:
        """Columns that `per_image.csv` adds."""
        return ("status", "reasons", *OVERLAPS, "lung_area_fraction", "gate")

    def _check(self) -> None:
        without = [sample for sample in self.samples if sample.mask is None]
        if without:
            column, place = self.request.columns.mask, _place(self.request.manifest, without)
            raise UsageError(f"{place}: no {column}; give a mask in every row, or choose rows with --where")

    def _cases(self) -> Iterator[SegmenterCase]:
        return segment_samples(self.pipeline, self.samples, jobs=self.request.jobs)

    def _keep(self, case: SegmenterCase) -> SegmenterCase:
        """Return the case without its pictures, which are kept for the lowest Dice only."""
        if math.isfinite(case.metrics.get("dice", math.nan)):
            self._lowest = sorted([*self._lowest, case], key=lambda one: one.metrics["dice"])[: self.worst]
        return replace(case, view=None)

    def _block(self, cases: Sequence[SegmenterCase]) -> Block:
        return segmenter_block(cases, resamples=self.request.resamples, seed=self.request.seed)

    def _details(self, cases: Sequence[SegmenterCase]) -> dict[str, Any]:
        gated = [case for case in cases if case.gate]
        dice = [case.metrics["dice"] for case in gated]
        mean = round(sum(dice) / len(dice), 6) if dice and all(value == value for value in dice) else None
        return {"gate": {"would_refuse": len(gated), "their_mean_dice": mean}}

    def _charts(self, cases: Sequence[SegmenterCase]) -> list[Chart]:
        return segmenter_charts(cases, self._lowest, column=self.request.columns.source)


class ScoreEvaluation(Evaluation[ClassifierCase]):
    """Scores against the class of each film, wherever they come from; see `Evaluation`."""

    task = "classifier"

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the bundle in the order of its scores; the first of two is the positive one."""
        if not self.subject.classes:
            raise BundleError(f"{self.subject.identity['name']}: has no classifier; use `cxrnet evaluate segmenter`")
        return self.subject.classes

    @property
    def own_columns(self) -> tuple[str, ...]:
        """Columns that `per_image.csv` adds."""
        scores = (f"score_{name}" for name in self.classes)
        return ("status", "reasons", *scores, "answer", "spread", "lung_area_fraction")

    def _check(self) -> None:
        column, name = self.request.columns.label, self.request.manifest.name
        without = [sample for sample in self.samples if sample.label is None]
        if without:
            place = _place(self.request.manifest, without)
            raise UsageError(f"{place}: no {column}; give a class in every row, or choose rows with --where")
        strange = {str(sample.label) for sample in self.samples} - set(self.classes)
        if strange:
            found = f"column {column} has {', '.join(sorted(strange))}"
            known = f"the classes of {self.subject.identity['name']} are {', '.join(self.classes)}"
            raise UsageError(f"{name}: {found}; {known}; choose another --label-column, or rows with --where")

    def _block(self, cases: Sequence[ClassifierCase]) -> Block:
        request = self.request
        return classifier_block(cases, self.classes, resamples=request.resamples, seed=request.seed)

    def _details(self, cases: Sequence[ClassifierCase]) -> dict[str, Any]:
        positive = {"positive_class": self.classes[0]} if len(self.classes) == 2 else {}
        return {
            "classes": list(self.classes),
            **positive,
            "single_class": single_class_values(
                cases, [name for name in self.by if name != self.request.columns.label]
            ),
            "folds": fold_metrics(cases, self.classes),
        }

    def _charts(self, cases: Sequence[ClassifierCase]) -> list[Chart]:
        return classifier_charts(cases, self.classes, self.record, column=self.request.columns.source)


class ClassifierEvaluation(ScoreEvaluation):
    """Module 2 against the class of each film; see `Evaluation`."""

    def __init__(self, pipeline: Pipeline, request: Request, out: Path) -> None:
        super().__init__(Subject.of(pipeline.bundle), request, out)
        self.pipeline = pipeline

    def _cases(self) -> Iterator[ClassifierCase]:
        return classify_samples(self.pipeline, self.samples, jobs=self.request.jobs)


EVALUATIONS = {"segmenter": SegmenterEvaluation, "classifier": ClassifierEvaluation}
"""Task -> its evaluation."""


def _place(manifest: Path, samples: Sequence[Sample]) -> str:
    more = f" and {len(samples) - 1} more" if len(samples) > 1 else ""
    return f"{manifest.name}: line {samples[0].line}{more}"
