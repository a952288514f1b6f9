"""What is wrong, or odd, with a manifest: files, patients across splits, repeats, classes tied to sources.

`cxrnet data check` and every training run these checks; `--allow-leaks` makes a training accept the errors in `LEAKS`.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.data.duplicates import SIMILARITY, near_pairs
from cxrnet.data.examine import examine, merge_problems, shared_masks
from cxrnet.data.folds import group_ids
from cxrnet.data.manifest import EVERY_ROW, FOLD_COLUMN, STANDARD, Columns, Sample, scan_manifest
from cxrnet.data.mask_values import AUTOMATIC, MaskValues
from cxrnet.data.problem import LEAKS, Problem, problem_at, sort_problems
from cxrnet.data.reading import read_many
from cxrnet.errors import LeakError
from cxrnet.spelling import label_key

KNOWN_SPLITS = ("train", "val", "test")
_SMALLEST_SOURCE = 10  # images; smaller sources with one class only say little


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that was found."""

    manifest: str  # path of the file
    rows: int  # sound rows
    images: int  # different images among them
    masks: int  # rows with a mask
    groups: int  # what folds and intervals keep together: groups, joined where they share a patient or an image
    patients: int  # different patients
    table: Mapping[str, Mapping[str, int]]  # source to label to number of images; "" where a row names none
    problems: tuple[Problem, ...]  # errors first

    @property
    def has_errors(self) -> bool:
        """Whether anything has to be corrected before training."""
        return any(problem.kind == "error" for problem in self.problems)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False)


def check_manifest(
    path: Path,
    *,
    columns: Columns = STANDARD,
    where: Mapping[str, str] = EVERY_ROW,
    values: MaskValues = AUTOMATIC,
    similarity: float = SIMILARITY,
    jobs: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Everything found in a manifest and its files; `progress` is called with the rows that have been read, and all."""
    manifest, faults = scan_manifest(path, columns=columns, where=where)
    samples, problems = manifest.samples, list(faults)
    if not samples:
        problems.append(Problem(kind="error", code="EMPTY", text=f"{path.name}: has no sound row"))
    details: dict[str, Float32] = {}
    looks = read_many(lambda decoder, sample: examine(decoder, sample, values), samples, jobs=jobs)
    drawn: list[tuple[str, str] | None] = []
    for done, look in enumerate(looks, start=1):
        problems += look.problems
        drawn.append(look.drawn)
        if look.detail is not None:
            details[samples[done - 1].identity] = look.detail
        progress(done, len(samples))
    problems += [*shared_masks(samples, drawn), *check_rows(samples)]
    parts = [sample.split for sample in samples]
    pairs = duplicate_pairs(samples, details, similarity)
    problems += find_duplicates(samples, parts, pairs)
    return Report(
        manifest=str(path),
        rows=len(samples),
        images=len({sample.identity for sample in samples}),
        masks=sum(sample.mask is not None for sample in samples),
        groups=len(set(group_ids(samples).tolist())),
        patients=len({sample.patient_key for sample in samples} - {""}),
        table=tabulate(samples),
        problems=sort_problems(merge_problems(problems)),
    )


def check_rows(samples: Sequence[Sample]) -> list[Problem]:
    """What the text of the rows shows: labels, splits, the column `fold`, sources; no file is read."""
    folds = [sample.values.get(FOLD_COLUMN, "") for sample in samples]
    return [
        *find_contradictions(samples),
        *_labels_in_two_cases(samples),
        *find_leaks(samples, [sample.split for sample in samples]),
        *_unknown_splits(samples),
        *find_leaks(samples, [f"fold {fold}" if fold else "" for fold in folds], what="fold"),
        *_class_tied_to_source(samples),
        *_named_twice(samples),
    ]


def find_leaks(samples: Sequence[Sample], parts: Sequence[str], *, what: str = "split") -> Iterator[Problem]:
    """Patients, groups and images that are in two parts; a sample whose part is "" is in none."""
    keys: tuple[tuple[str, Callable[[Sample], str], Callable[[Sample], str | None]], ...] = (
        ("patient", lambda sample: sample.patient_key, lambda sample: sample.patient),
        ("group", lambda sample: sample.group_key, lambda sample: sample.group),
        ("image", lambda sample: sample.identity, lambda sample: Path(sample.identity).name),
    )
    home = {id(sample): part for sample, part in zip(samples, parts, strict=True)}
    for kind, key, spelling in keys:
        for _, members in _by(samples, key):
            places = sorted({home[id(sample)] for sample in members} - {""})
            if len(places) > 1:
                shown = " or ".join(dict.fromkeys(str(spelling(sample)) for sample in members))
                text = f"{kind} {shown} is in {' and '.join(places)}; keep it in one {what}"
                yield problem_at(members, "error", f"{kind.upper()}_LEAK", text)


def duplicate_pairs(
    samples: Sequence[Sample], details: Mapping[str, Float32], similarity: float = SIMILARITY
) -> list[tuple[Sample, Sample, float]]:
    """Pairs of samples that show nearly the same image, by line, with the correlation of their details."""
    if not details:
        return []
    first = {sample.identity: sample for sample in reversed(samples)}
    images = [first[identity] for identity in details]
    pairs = near_pairs(np.stack(list(details.values())), similarity=similarity)
    found = [sorted((images[one], images[other]), key=lambda sample: sample.line) for one, other, _ in pairs]
    return [(low, high, pair[2]) for (low, high), pair in zip(found, pairs, strict=True)]


def find_duplicates(
    samples: Sequence[Sample], parts: Sequence[str], pairs: Sequence[tuple[Sample, Sample, float]]
) -> Iterator[Problem]:
    """Near-duplicates: errors across parts and with two labels, else notes."""
    home = {id(sample): part for sample, part in zip(samples, parts, strict=True)}
    units = dict(zip(map(id, samples), group_ids(samples).tolist(), strict=True))
    for low, high, correlation in pairs:
        places = [home.get(id(sample), "") for sample in (low, high)]
        group = "the same group" if units[id(low)] == units[id(high)] else "different groups"
        text = f"{low.image.name} and {high.image.name} look the same (correlation {correlation:.2f}), {group}"
        leaks = bool(all(places) and places[0] != places[1])
        if low.label and high.label and low.label != high.label:
            labels = f"labels {low.label} and {high.label}; one image has one class"
            yield problem_at((low, high), "error", "DUPLICATE_LABELS", f"{text}, {labels}")
        if leaks:
            yield problem_at((low, high), "error", "DUPLICATE_LEAK", f"{text}, in {places[0]} and {places[1]}")
        elif low.label == high.label or not (low.label and high.label):
            yield problem_at((low, high), "note", "DUPLICATE", text)


def require_sound(problems: Sequence[Problem], *, allow_leaks: bool, limit: int = 5) -> tuple[Problem, ...]:
    """Stop on errors other than leaks (`LEAKS`) that are allowed; return the leaks that were accepted."""
    errors = [problem for problem in problems if problem.kind == "error"]
    accepted = tuple(problem for problem in errors if allow_leaks and problem.code in LEAKS)
    fatal = [problem for problem in errors if problem not in accepted]
    if not fatal:
        return accepted
    named = " | ".join(f"{problem.code} {problem.text}" for problem in fatal[:limit])
    more = f" | and {len(fatal) - limit} more" if len(fatal) > limit else ""
    remedy = "see `cxrnet data check`"
    if all(problem.code in LEAKS for problem in fatal):
        remedy += ", or accept these with --allow-leaks"
    raise LeakError(f"manifest: {len(fatal)} errors: {named}{more}; correct them, {remedy}")


def tabulate(samples: Sequence[Sample]) -> dict[str, dict[str, int]]:
    """Source to label to number of different images, both in the order of their names."""
    counts = Counter((source, label) for source, label, _ in {(s.source, s.label or "", s.identity) for s in samples})
    table: dict[str, dict[str, int]] = {}
    for source, label in sorted(counts):
        table.setdefault(source, {})[label] = counts[source, label]
    return table


def find_contradictions(samples: Sequence[Sample]) -> Iterator[Problem]:
    """Images with two labels, by any spelling of their paths."""
    for identity, members in _by(samples, lambda sample: sample.identity):
        labels = sorted({sample.label or "none" for sample in members})
        if len(labels) > 1:
            text = f"{Path(identity).name} is labelled {' and '.join(labels)}; one image has one class"
            yield problem_at(members, "error", "LABELS", text)


def _labels_in_two_cases(samples: Sequence[Sample]) -> Iterator[Problem]:
    for _, members in _by(samples, lambda sample: sample.label and label_key(sample.label)):
        counts = Counter(str(sample.label) for sample in members)
        if len(counts) > 1:
            usual, *others = [name for name, _ in counts.most_common()]
            rare = [sample for sample in members if sample.label != usual]
            text = f"label {' and '.join(others)} differs from {usual} in case or punctuation only; write one name"
            yield problem_at(rare, "error", "LABEL_CASE", text)


def _named_twice(samples: Sequence[Sample]) -> Iterator[Problem]:
    """One image and mask in several rows, by different paths."""
    for identity, members in _by(samples, lambda sample: sample.identity):
        masks = Counter(sample.mask and os.path.realpath(sample.mask) for sample in members)
        same = {(sample.label, sample.split) for sample in members}
        if max(masks.values()) > 1 and len(same) == 1:
            text = f"{Path(identity).name} is named by several paths, and counts once for each"
            yield problem_at(members, "note", "DUPLICATE", text)


def _unknown_splits(samples: Sequence[Sample]) -> Iterator[Problem]:
    known = ", ".join(KNOWN_SPLITS)
    for split, rows in _by(samples, lambda sample: sample.split):
        if split not in KNOWN_SPLITS:
            yield problem_at(rows, "warning", "SPLIT", f"split is {split}; a training accepts {known}")


def _class_tied_to_source(samples: Sequence[Sample]) -> Iterator[Problem]:
    """Warn of sources with one class: a network may learn the hospital, which no score on these data shows."""
    table = tabulate([sample for sample in samples if sample.label])
    if len({label for row in table.values() for label in row}) < 2 or len(table) < 2:
        return
    single = {source: row for source, row in table.items() if len(row) == 1 and sum(row.values()) >= _SMALLEST_SOURCE}
    for source, row in single.items():
        label, count = next(iter(row.items()))
        text = f"source {source or 'not given'} has the class {label} only ({count} images)"
        yield Problem(kind="warning", code="ONE_CLASS_SOURCE", text=text)
    if single:
        tied = sum(sum(row.values()) for row in single.values())
        share = tied / sum(sum(row.values()) for row in table.values())
        text = f"the source alone tells the class of {share:.0%} of the images; report scores by source"
        yield Problem(kind="warning", code="CLASS_IS_SOURCE", text=text)


def _by(samples: Sequence[Sample], key: Callable[[Sample], str | None]) -> Iterator[tuple[str, list[Sample]]]:
    """Samples with the same key, for every key that is there."""
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        name = key(sample)
        if name:
            found[name].append(sample)
    yield from found.items()
