"""What is wrong, or odd, with a manifest: files, patients across splits, repeats, classes tied to sources."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.data.duplicates import SIMILARITY, detail, near_pairs
from cxrnet.data.manifest import EVERY_ROW, STANDARD, Columns, Manifest, Sample, scan_manifest
from cxrnet.data.masks import read_many, read_mask
from cxrnet.errors import RadiographError
from cxrnet.imaging import Decoder

Kind = Literal["error", "warning", "note"]
_SMALLEST_SOURCE = 10  # images; smaller sources with one class only say little


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that was found: how bad it is, a code for programs, a line for people, the rows it is about."""

    kind: Kind
    code: str
    text: str
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found.

    Attributes:
        manifest: Path of the file.
        rows: Sound rows.
        films: Different images among them.
        masks: Rows with a mask.
        groups: Different groups.
        patients: Different patients.
        table: Source to label to number of images; "" where a row names none.
        problems: Errors first.
    """

    manifest: str
    rows: int
    films: int
    masks: int
    groups: int
    patients: int
    table: Mapping[str, Mapping[str, int]]
    problems: tuple[Problem, ...]

    @property
    def has_errors(self) -> bool:
        """Whether anything was found that has to be mended before training."""
        return any(problem.kind == "error" for problem in self.problems)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Look:
    """What reading one image-mask pair gave: detail of the image where it was read, problems where not."""

    detail: Float32 | None
    problems: tuple[Problem, ...]


def check_manifest(
    path: Path,
    *,
    columns: Columns = STANDARD,
    where: Mapping[str, str] = EVERY_ROW,
    similarity: float = SIMILARITY,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Everything found in a manifest and its files.

    Args:
        path: The manifest.
        columns: Names of its columns.
        where: Rows to look at.
        similarity: Correlation of detail at which two images are near-duplicates.
        jobs: Files read at once; one a core if not given.
        progress: Called with the number of rows that have been read, and of all.

    Raises:
        ManifestError: The file cannot be read, or its header is at fault.
    """
    manifest, faults = scan_manifest(path, columns=columns, where=where)
    problems = [Problem(kind="error", code="ROW", text=fault) for fault in faults]
    if not manifest.samples:
        problems.append(Problem(kind="error", code="EMPTY", text=f"{path.name}: has no sound row"))
    details: dict[Path, Float32] = {}
    for done, look in enumerate(read_many(_look, manifest.samples, jobs=jobs), start=1):
        sample = manifest.samples[done - 1]
        problems += look.problems
        if look.detail is not None:
            details[sample.image] = look.detail
        progress(done, len(manifest.samples))
    for find in (_labels_disagree, _split_leaks, _class_tied_to_source):
        problems += find(manifest)
    problems += _near_duplicates(manifest, details, similarity)
    rank = {"error": 0, "warning": 1, "note": 2}
    return Report(
        manifest=str(path),
        rows=len(manifest.samples),
        films=len({sample.image for sample in manifest.samples}),
        masks=sum(sample.mask is not None for sample in manifest.samples),
        groups=len({sample.group for sample in manifest.samples}),
        patients=len({sample.patient for sample in manifest.samples if sample.patient}),
        table=tabulate(manifest.samples),
        problems=tuple(sorted(problems, key=lambda problem: rank[problem.kind])),
    )


def tabulate(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Source to label to number of different images, both in the order of their names."""
    counts = Counter((source, label) for source, label, _ in {(s.source, s.label or "", s.image) for s in samples})
    table: dict[str, dict[str, int]] = {}
    for source, label in sorted(counts):
        table.setdefault(source, {})[label] = counts[source, label]
    return table


def _look(decoder: Decoder, sample: Sample) -> Look:
    """Read one row's files; the mask is compared in size with its image."""
    problems: list[Problem] = []
    at = f"line {sample.line}"
    radiograph = mask = None
    try:
        radiograph = decoder.read(sample.image)
    except RadiographError as error:
        problems.append(Problem(kind="error", code="IMAGE", text=f"{at}: image {error}", lines=(sample.line,)))
    try:
        mask = None if sample.mask is None else read_mask(decoder, sample.mask)
    except RadiographError as error:
        problems.append(Problem(kind="error", code="MASK", text=f"{at}: mask {error}", lines=(sample.line,)))
    if radiograph is not None and mask is not None and mask.shape != radiograph.pixels.shape:
        sizes = [f"{shape[1]} x {shape[0]}" for shape in (mask.shape, radiograph.pixels.shape)]
        text = f"{at}: the mask is {sizes[0]}, its image {sizes[1]}; a mask has the size of its image"
        problems.append(Problem(kind="error", code="MASK_SIZE", text=text, lines=(sample.line,)))
    return Look(detail=None if radiograph is None else detail(radiograph.pixels), problems=tuple(problems))


def _labels_disagree(manifest: Manifest) -> Iterator[Problem]:
    for image, samples in _by(manifest.samples, lambda sample: str(sample.image)):
        labels = sorted({sample.label or "none" for sample in samples})
        if len(labels) > 1:
            text = f"{_lines(samples)}: {Path(image).name} is labelled {' and '.join(labels)}; one image has one class"
            yield Problem(kind="error", code="LABELS", text=text, lines=_numbers(samples))


def _split_leaks(manifest: Manifest) -> Iterator[Problem]:
    kinds: tuple[tuple[str, Callable[[Sample], str | None]], ...] = (
        ("patient", lambda sample: sample.patient),
        ("group", lambda sample: sample.group),
    )
    for what, key in kinds:
        for name, samples in _by(manifest.samples, key):
            splits = sorted({sample.split for sample in samples if sample.split})
            if len(splits) > 1:
                text = f"{_lines(samples)}: {what} {name} is in {' and '.join(splits)}; keep it in one split"
                yield Problem(kind="error", code=f"{what.upper()}_LEAK", text=text, lines=_numbers(samples))


def _class_tied_to_source(manifest: Manifest) -> Iterator[Problem]:
    """Warn of sources with one class: a network may learn the hospital, which no score on these data shows."""
    table = tabulate([sample for sample in manifest.samples if sample.label])
    if len({label for row in table.values() for label in row}) < 2:
        return
    single = {source: row for source, row in table.items() if len(row) == 1 and sum(row.values()) >= _SMALLEST_SOURCE}
    if len(table) > 1:
        for source, row in single.items():
            label, count = next(iter(row.items()))
            text = f"source {source or 'not given'} has the class {label} only ({count} images)"
            yield Problem(kind="warning", code="ONE_CLASS_SOURCE", text=text)
        tied = sum(sum(row.values()) for row in single.values())
        if single:
            share = tied / sum(sum(row.values()) for row in table.values())
            text = f"the source alone tells the class of {share:.0%} of the images; report scores by source"
            yield Problem(kind="warning", code="CLASS_IS_SOURCE", text=text)


def _near_duplicates(manifest: Manifest, details: Mapping[Path, Float32], similarity: float) -> Iterator[Problem]:
    """Errors across splits; notes within one, or where there are none."""
    if not details:
        return
    first = {sample.image: sample for sample in reversed(manifest.samples)}
    films = [first[image] for image in details]
    for one, other, correlation in near_pairs(np.stack(list(details.values())), similarity=similarity):
        pair = sorted((films[one], films[other]), key=lambda sample: sample.line)
        names = " and ".join(sample.image.name for sample in pair)
        leaks = bool(pair[0].split and pair[1].split and pair[0].split != pair[1].split)
        places = f"in {pair[0].split} and {pair[1].split}" if leaks else "in one split" if pair[0].split else ""
        same = "the same group" if pair[0].group == pair[1].group else "different groups"
        text = f"{_lines(pair)}: {names} look the same (correlation {correlation:.2f}), {same}"
        yield Problem(
            kind="error" if leaks else "note",
            code="DUPLICATE_LEAK" if leaks else "DUPLICATE",
            text=f"{text}, {places}" if places else text,
            lines=_numbers(pair),
        )


def _by(samples: Sequence[Sample], key: Callable[[Sample], str | None]) -> Iterator[tuple[str, list[Sample]]]:
    """Samples with the same key, for every key that is there."""
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        name = key(sample)
        if name:
            found[name].append(sample)
    yield from found.items()


def _numbers(samples: Sequence[Sample]) -> tuple[int, ...]:
    return tuple(sorted(sample.line for sample in samples))


def _lines(samples: Sequence[Sample]) -> str:
    numbers = list(map(str, _numbers(samples)))
    more = f" and {len(numbers) - 6} more" if len(numbers) > 6 else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:6])}{more}"
