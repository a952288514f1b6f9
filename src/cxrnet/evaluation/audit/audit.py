"""`cxrnet evaluate audit`: from a model and a manifest to metrics.json, changes.csv, plots and report.html."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cxrnet.atomic import write_atomic
from cxrnet.data.manifest import Columns, Sample, read_manifest
from cxrnet.errors import BundleError, RadiographError, UsageError
from cxrnet.evaluation.audit.changes import CHANGES, REFERENCE, Change, middle_changes
from cxrnet.evaluation.audit.reading import BundleReader
from cxrnet.evaluation.audit.record import AuditRecord, ChangeRecord, ManifestRecord, StabilityRecord, Value
from cxrnet.evaluation.audit.stability import EFFECTS, Trial, estimate_effects, try_changes
from cxrnet.evaluation.bootstrap import RESAMPLES, estimate, mean_statistic
from cxrnet.parallel import parallel_map
from cxrnet.screening.batch import Outcome
from cxrnet.screening.finding import identity
from cxrnet.screening.gate import Reason
from cxrnet.screening.inputs import Input
from cxrnet.screening.pipeline import Pipeline

SETS: Mapping[str, tuple[Change, ...]] = {
    "all": (*CHANGES, *(change for change in REFERENCE if change not in CHANGES)),
    "middle": middle_changes(),
    "reference": REFERENCE,
}
"""Sets of changes that can be asked for."""

METRICS, TABLE = "metrics.json", "changes.csv"


@dataclass(frozen=True, kw_only=True)
class AuditRequest:
    """What to audit.

    Attributes:
        manifest: The CSV file.
        columns: Names of its columns.
        where: Column -> value: the rows to take.
        limit: Most images; they are drawn evenly from sources and classes. None takes all.
        changes: Name of a set of changes, one of `SETS`.
        fold_column: Column that names the one fold to ask for an image, that which has not seen it; None asks the
            ensemble.
        jobs: Images worked on at once.
        seed: Of the choice of images, of the noise and of the bootstrap.
        resamples: Of the bootstrap.
        command: As it was typed, for the record.
    """

    manifest: Path
    columns: Columns = field(default_factory=Columns)
    where: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    changes: str = "all"
    fold_column: str | None = None
    jobs: int = 1
    seed: int = 0
    resamples: int = RESAMPLES
    command: str = ""


class Audit:
    """One bundle, one manifest, one folder of results.

    Args:
        pipeline: The open bundle.
        request: What to audit.
        out: Folder for the results.

    Raises:
        BundleError: The bundle has no classifier.
        ManifestError: The manifest cannot be read.
        UsageError: A column or a set of changes is not there, or a fold is none of the bundle's.
    """

    def __init__(self, pipeline: Pipeline, request: AuditRequest, out: Path) -> None:
        self.pipeline, self.request, self.out = pipeline, request, out
        if pipeline.bundle.config.classifier is None:
            raise BundleError(f"{pipeline.bundle.config.name}: has no classifier; audit a bundle with one")
        if request.changes not in SETS:
            raise UsageError(f"--changes {request.changes}: is no set of changes; give one of {', '.join(SETS)}")
        self.reader = BundleReader(pipeline)
        rows = read_manifest(request.manifest, columns=request.columns, where=request.where).samples
        self.samples = draw_evenly(rows, request.limit, seed=request.seed)
        self.folds = [self._fold_of(sample) for sample in self.samples]
        self.changes = SETS[request.changes]
        self.record: AuditRecord | None = None

    def run(self) -> Generator[Outcome]:
        """Yield the outcome of each image in turn; when all are done, write the results.

        Raises:
            OutputError: The disk cannot take them.
        """
        trials: list[Trial] = []
        for number, tried in enumerate(parallel_map(self._try, range(len(self.samples)), jobs=self.request.jobs)):
            item = Input(path=self.samples[number].image, folder="")
            if isinstance(tried, Reason):
                yield Outcome(item=item, status="failed", reasons=(tried,), row={})
            else:
                trials.append(tried)
                yield Outcome(item=item, status="scored", reasons=(), row={})
        if not trials:
            raise UsageError(f"{self.request.manifest.name}: none of its images can be read; nothing to audit")
        self.record = self._record(trials)
        write_atomic(self.out / TABLE, "".join(table_lines(trials, self.reader.classes)).encode())
        write_atomic(self.out / METRICS, (self.record.model_dump_json(indent=2) + "\n").encode())

    def _try(self, number: int) -> Trial | Reason:
        sample = self.samples[number]
        try:
            radiograph = self.pipeline.read(sample.image)
            return try_changes(
                sample, radiograph, self.reader, self.changes, fold=self.folds[number], seed=self.request.seed
            )
        except RadiographError as error:
            return Reason(str(error.code), str(error))

    def _fold_of(self, sample: Sample) -> int | None:
        column, folds = self.request.fold_column, self.pipeline.bundle.config.folds
        if column is None:
            return None
        given = sample.values.get(column)
        if given is None or not given.isdecimal() or int(given) >= folds:
            told = "no such column" if given is None else f"line {sample.line} has {given!r}"
            raise UsageError(f"--fold-column {column}: {told}; every row needs one of 0 to {folds - 1}")
        return int(given)

    def _record(self, trials: Sequence[Trial]) -> AuditRecord:
        request = self.request
        return AuditRecord(
            model=identity(self.pipeline.bundle),
            classes=self.reader.classes,
            manifest=ManifestRecord(
                name=request.manifest.name,
                sha256=hashlib.sha256(request.manifest.read_bytes()).hexdigest(),
                rows=len(self.samples),
                where=dict(request.where),
                limit=request.limit,
                fold_column=request.fold_column,
            ),
            failed=len(self.samples) - len(trials),
            seed=request.seed,
            resamples=request.resamples,
            command=request.command,
            cxrnet=version("cxrnet"),
            stability=stability_record(trials, self.changes, resamples=request.resamples, seed=request.seed),
        )


def stability_record(
    trials: Sequence[Trial], changes: Sequence[Change], *, resamples: int, seed: int
) -> StabilityRecord:
    """Return the effects of each change over all images, and of the sets of changes that were made whole."""

    def effects(some: Sequence[Change]) -> dict[str, Value]:
        found = estimate_effects(trials, some, resamples=resamples, seed=seed)
        return {name: Value.of(each) for name, each in found.items()}

    refused = np.array([float(bool(trial.before.refusals)) for trial in trials])
    groups = [trial.sample.group for trial in trials]
    unchanged = estimate(mean_statistic({"refused": refused}), groups, resamples=resamples, seed=seed)
    return StabilityRecord(
        changes=tuple(
            ChangeRecord(
                name=change.name,
                kind=change.kind,
                strength=change.strength,
                amount=change.amount,
                label=change.label,
                effects=effects([change]),
            )
            for change in changes
        ),
        means={name: effects(SETS[name]) for name in ("reference", "middle") if set(SETS[name]) <= set(changes)},
        refused_unchanged=Value.of(unchanged["refused"]),
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


def table_lines(trials: Sequence[Trial], classes: Sequence[str]) -> Iterator[str]:
    """Yield the lines of changes.csv: a row for each image and change, the unchanged image first."""
    header = ("image", "label", "group", "source", "change", "answer", *(f"score_{name}" for name in classes))
    yield _line((*header, "refusals", *EFFECTS))
    for trial in trials:
        told = (trial.sample.image.name, trial.sample.label or "", trial.sample.group, trial.sample.source)
        for name, reading in {"": trial.before, **trial.after}.items():
            scores = [""] * len(classes) if reading.scores is None else [f"{score:.6f}" for score in reading.scores]
            answer = "" if reading.scores is None else classes[reading.answer]
            effects = trial.effects.get(name, {})
            values = [f"{effects[one]:.6f}" if np.isfinite(effects.get(one, np.nan)) else "" for one in EFFECTS]
            yield _line((*told, name, answer, *scores, " ".join(reading.refusals), *values))


def _line(values: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(values)
    return text.getvalue()
