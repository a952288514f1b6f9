"""`cxrnet evaluate audit`: from a model and a manifest to metrics.json, changes.csv, plots and report.html."""

import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cxrnet.arrays import Float64
from cxrnet.atomic import write_atomic
from cxrnet.data.manifest import Sample, read_manifest
from cxrnet.errors import BundleError, RadiographError, UsageError
from cxrnet.evaluation.audit.changes import SETS
from cxrnet.evaluation.audit.heatmaps import Case, perturbation, randomisation, scattering_features
from cxrnet.evaluation.audit.reading import BundleReader
from cxrnet.evaluation.audit.record import AuditRecord, HeatMapRecord, ManifestRecord, ShortcutRecord, Value
from cxrnet.evaluation.audit.report import write_report
from cxrnet.evaluation.audit.shortcuts import (
    FRAME_OF,
    LUNGS_FROM,
    choose_partners,
    estimate_auc,
    identify_source,
    score_altered,
)
from cxrnet.evaluation.audit.stability import EFFECTS, Trial, stability_record, try_changes
from cxrnet.evaluation.bootstrap import estimate, mean_statistic
from cxrnet.evaluation.plot_files import csv_table
from cxrnet.evaluation.request import ImageRequest, join_groups, require_one_class
from cxrnet.export.bundle import load_network
from cxrnet.parallel import parallel_map
from cxrnet.screening.batch import Outcome
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.pipeline import Pipeline

PARTS = ("stability", "shortcuts", "heat-maps")
METRICS, TABLE = "metrics.json", "changes.csv"
HEAT_IMAGES = 24
"""Maximum number of images whose heat maps are tested: each costs as much as thirty others."""


@dataclass(frozen=True, kw_only=True)
class AuditRequest(ImageRequest):
    """What to audit."""

    limit: int | None = None  # maximum number of images, drawn evenly by source and class; None takes all
    parts: tuple[str, ...] = PARTS  # which of `PARTS`
    changes: str = "all"  # name of a set of changes, one of `SETS`
    # column that names the one fold to ask for an image, that which has not seen it; None asks the ensemble. Tests of
    # heat maps always ask the ensemble
    fold_column: str | None = None


class ImageResult(NamedTuple):
    """What was found in one image: under changes, altered, its features, and its heat map's curves and case."""

    number: int
    trial: Trial | None = None
    altered: Mapping[str, Float64 | None] = {}  # never changed
    features: Float64 | None = None
    curves: Mapping[str, Float64] = {}
    case: Case | None = None


class Audit:
    """One bundle, one manifest, one folder of results."""

    def __init__(self, pipeline: Pipeline, request: AuditRequest, out: Path) -> None:
        self.pipeline, self.request, self.out = pipeline, request, out
        if pipeline.bundle.config.classifier is None:
            raise BundleError(f"{pipeline.bundle.config.name}: has no classifier; audit a bundle with one")
        if pipeline.patient_columns:
            raise BundleError(f"{pipeline.bundle.config.name}: takes patient data; audit a model of images alone")
        for name, given, known in (("--changes", {request.changes}, SETS), ("--parts", set(request.parts), PARTS)):
            if not given <= set(known):
                raise UsageError(f"{name} {', '.join(given)}: is not known; {', '.join(known)} are accepted")
        self.reader = BundleReader(pipeline)
        self.manifest = read_manifest(request.manifest, columns=request.columns, where=request.where)
        rows = join_groups(self.manifest.samples)
        require_one_class(request.manifest, rows)
        self.samples = draw_evenly(rows, request.limit, seed=request.seed)
        self.folds = [self._fold_of(sample) for sample in self.samples]
        self.partners = choose_partners(self.samples, seed=request.seed)
        self.network = load_network(pipeline.bundle)
        self.record: AuditRecord | None = None
        unknown = {str(sample.label) for sample in self.samples} - set(self.reader.classes)
        if unknown:
            problem = f"column {request.columns.label} has {', '.join(sorted(unknown))}"
            raise UsageError(f"{request.manifest.name}: {problem}; the classes are {', '.join(self.reader.classes)}")

    def run(self) -> Generator[Outcome]:
        """Yield the outcome of each image in turn; when all are done, write the results."""
        done: list[ImageResult] = []
        for number, found in enumerate(parallel_map(self._examine, range(len(self.samples)), jobs=self.request.jobs)):
            item = Input(path=self.samples[number].image, folder="")
            if isinstance(found, Reason):
                yield Outcome(item=item, status="failed", reasons=(found,), row={})
            else:
                done.append(found)
                yield Outcome(item=item, status="scored", reasons=(), row={})
        if not done:
            raise UsageError(f"{self.request.manifest.name}: none of its images can be read; nothing to audit")
        self.record = self._record(done)
        trials = [(self.samples[one.number], one.trial) for one in done if one.trial is not None]
        if trials:
            write_atomic(self.out / TABLE, csv_table(table_rows(trials, self.reader.classes)))
        write_atomic(self.out / METRICS, (self.record.model_dump_json(indent=2) + "\n").encode())
        write_report(self.record, self.pipeline.bundle, self.out)

    def _examine(self, number: int) -> ImageResult | Reason:
        request, sample, fold = self.request, self.samples[number], self.folds[number]
        found = ImageResult(number)
        try:
            radiograph = self.pipeline.read(sample.image)
            image = self.pipeline.prepare(radiograph)
            if "stability" in request.parts:
                attempt = partial(try_changes, group=sample.group, label=sample.label, fold=fold, seed=request.seed)
                found = found._replace(trial=attempt(radiograph, self.reader, SETS[request.changes]))
            if "shortcuts" in request.parts:
                other = self.partners[number]
                partner = None if other is None else self.pipeline.read(self.samples[other].image)
                features = scattering_features(self.network, Case(image, self.pipeline.run(image).lung_mask))
                altered = score_altered(radiograph, partner, self.reader, fold=fold)
                found = found._replace(altered=altered, features=features)
            if "heat-maps" in request.parts and number % -(-len(self.samples) // HEAT_IMAGES) == 0:
                curves = perturbation(self.pipeline.run, image, threshold=self.reader.threshold, seed=request.seed)
                found = found._replace(curves=curves, case=Case(image, self.pipeline.run(image).lung_mask))
        except RadiographError as error:
            return Reason(str(error.code), str(error))
        return found

    def _fold_of(self, sample: Sample) -> int | None:
        column, folds = self.request.fold_column, self.pipeline.bundle.config.folds
        if column is None:
            return None
        given = sample.values.get(column)
        if given is None or not given.isdecimal() or int(given) >= folds:
            problem = "no such column" if given is None else f"line {sample.line} has {given!r}"
            raise UsageError(f"--fold-column {column}: {problem}; every row needs one of 0 to {folds - 1}")
        return int(given)

    def _record(self, done: Sequence[ImageResult]) -> AuditRecord:
        request = self.request
        trials = [one.trial for one in done if one.trial is not None]
        changes, resamples, seed = SETS[request.changes], request.resamples, request.seed
        return AuditRecord(
            model=self.pipeline.bundle.identity,
            classes=self.reader.classes,
            manifest=ManifestRecord(
                name=request.manifest.name,
                sha256=hashlib.sha256(request.manifest.read_bytes()).hexdigest(),
                rows=len(self.samples),
                where=dict(request.where),
                limit=request.limit,
                fold_column=request.fold_column,
                warnings=self.manifest.warnings,
            ),
            failed=len(self.samples) - len(done),
            seed=seed,
            resamples=resamples,
            command=request.command,
            cxrnet=version("cxrnet"),
            stability=stability_record(trials, changes, resamples=resamples, seed=seed) if trials else None,
            shortcuts=self._shortcuts(done) if "shortcuts" in request.parts else None,
            heat_maps=self._heat_maps(done) if "heat-maps" in request.parts else None,
        )

    def _shortcuts(self, done: Sequence[ImageResult]) -> ShortcutRecord:
        resamples, seed = self.request.resamples, self.request.seed
        auc: dict[str, dict[str, Value]] = {}
        for name in (*done[0].altered, FRAME_OF):
            rows = []
            for one in done:
                sample, scores = self.samples[one.number], one.altered.get(LUNGS_FROM if name == FRAME_OF else name)
                partner = self.partners[one.number]
                owner = self.samples[partner] if name == FRAME_OF and partner is not None else sample
                rows.append((sample, self.reader.classes.index(str(owner.label)), scores))
            estimates = estimate_auc(rows, resamples=resamples, seed=seed)
            auc[name] = {part: Value.of(each) for part, each in estimates.items()}
        known = [(self.samples[one.number], one.features) for one in done if one.features is not None]
        sources = [sample.source for sample, _ in known]
        table = np.stack([features for _, features in known])
        groups = [sample.group for sample, _ in known]
        recall = identify_source(table, sources, groups, resamples=resamples, seed=seed)
        return ShortcutRecord(
            auc=auc, source_recall=None if recall is None else Value.of(recall), sources=len(set(sources))
        )

    def _heat_maps(self, done: Sequence[ImageResult]) -> HeatMapRecord:
        tried = [(self.samples[one.number].group, one.case, one.curves) for one in done if one.case is not None]
        groups = [group for group, *_ in tried]

        def values(each: Mapping[str, Float64]) -> dict[str, Value]:
            found = estimate(mean_statistic(each), groups, resamples=self.request.resamples, seed=self.request.seed)
            return {name: Value.of(one) for name, one in found.items()}

        curves = {name: np.stack([curves[name] for *_, curves in tried]) for name in tried[0][2]}
        layers = randomisation(self.network, [case for _, case, _ in tried if case is not None], seed=self.request.seed)
        return HeatMapRecord(
            images=len(tried),
            randomisation=values(layers),
            curves={name: tuple(map(float, each.mean(axis=0).round(6))) for name, each in curves.items()},
            areas=values({name: each.mean(axis=1) for name, each in curves.items()}),
        )


def draw_evenly(samples: Sequence[Sample], limit: int | None, *, seed: int) -> list[Sample]:
    """Return at most `limit` samples in the order of the manifest, in turn from each source and class, at random."""
    if limit is None or limit >= len(samples):
        return list(samples)
    strata: dict[tuple[str, str | None], list[int]] = {}
    for number in np.random.default_rng(seed).permutation(len(samples)):
        sample = samples[number]
        strata.setdefault((sample.source, sample.label), []).append(int(number))
    chosen: list[int] = []
    while len(chosen) < limit:
        for name in sorted(strata, key=str):
            if strata[name] and len(chosen) < limit:
                chosen.append(strata[name].pop())
    return [samples[number] for number in sorted(chosen)]


def table_rows(trials: Sequence[tuple[Sample, Trial]], classes: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the rows of changes.csv: the header, then each image unchanged and under every change."""
    header = ("image", "label", "group", "source", "change", "answer", *(f"score_{name}" for name in classes))
    yield (*header, "refusals", *EFFECTS)
    for sample, trial in trials:
        values = (sample.image.name, sample.label or "", sample.group, sample.source)
        for name, reading in {"": trial.before, **trial.after}.items():
            scores = [""] * len(classes) if reading.scores is None else [f"{score:.6f}" for score in reading.scores]
            answer = "" if reading.scores is None else classes[reading.answer]
            effects = trial.effects.get(name, {})
            figures = [f"{effects[one]:.6f}" if np.isfinite(effects.get(one, np.nan)) else "" for one in EFFECTS]
            yield (*values, name, answer, *scores, " ".join(reading.refusals), *figures)
