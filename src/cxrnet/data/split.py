"""A manifest with a column `fold`, and the picture of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cxrnet.arrays import Bool, Int64
from cxrnet.atomic import write_atomic
from cxrnet.data.check import duplicate_pairs
from cxrnet.data.duplicates import detail
from cxrnet.data.folds import assign, check_folds, group_ids
from cxrnet.data.manifest import FOLD_COLUMN, STANDARD, Columns, Manifest, Sample, relative, write_manifest
from cxrnet.data.reading import read_many
from cxrnet.errors import UsageError
from cxrnet.plots.folds import draw_folds

HELD_OUT = -1
"""In place of the number of a fold: the sample is in none."""


def split_manifest(
    manifest: Manifest,
    out: Path,
    *,
    folds: int = 6,
    seed: int = 0,
    holdout: float = 0.0,
    hold_out_sources: Sequence[Sequence[str]] = (),
    similarity: float | None = None,
    columns: Columns = STANDARD,
    jobs: int | None = None,
) -> list[str]:
    """Write the rows of a manifest with their folds, and the picture `<out>.png`; lines for people come back.

    The share `holdout` becomes the split `test`. Images whose detail correlates by `similarity` stay together.
    """
    if hold_out_sources and (holdout or not folds):
        raise UsageError("--hold-out-source: makes folds by source; drop --holdout and --folds 0")
    if folds == 1 or not (folds or holdout):
        raise UsageError(f"--folds {folds}: splits nothing; take 2 or more folds, or 0 with --holdout")
    samples = manifest.samples
    duplicates = [] if similarity is None else find_duplicates(samples, similarity=similarity, jobs=jobs)
    groups = group_ids(samples, duplicates)
    if hold_out_sources:
        parts, lines = divide_by_source(samples, groups, hold_out_sources)
        inside = np.flatnonzero(parts != HELD_OUT)
        samples, groups, parts = tuple(samples[index] for index in inside), groups[inside], parts[inside]
    else:
        parts, lines = divide(samples, groups, folds=folds, seed=seed, holdout=holdout)
    if similarity is not None:
        lines.insert(0, f"{len(duplicates)} pairs of near-duplicates are kept together")
    splits = sorted({sample.split for sample in samples if sample.split})
    if len(splits) > 1 and not holdout:
        lines.append(f"folds are made of the splits {', '.join(splits)} together; --where takes one of them")
    added = [*([FOLD_COLUMN] if folds else []), *([columns.split] if holdout else [])]
    rows = [_row(sample, int(part), out.parent, columns, added) for sample, part in zip(samples, parts, strict=True)]
    labels, sources = [sample.label or "" for sample in samples], [sample.source for sample in samples]
    drawing = draw_folds(parts, labels, groups.tolist(), sources)
    write_manifest(out, list(dict.fromkeys([*manifest.fields, *added])), rows)
    write_atomic(out.with_name(f"{out.name}.png"), drawing)
    return [*lines, f"{out}: {len(rows)} rows; the folds are drawn in {out.name}.png"]


def find_duplicates(samples: Sequence[Sample], *, similarity: float, jobs: int | None = None) -> list[tuple[int, int]]:
    """Positions of pairs of samples that show nearly the same image; every image is read."""
    images = {sample.identity: sample.image for sample in samples}
    details = read_many(lambda decoder, image: detail(decoder.read(image).pixels), list(images.values()), jobs=jobs)
    pairs = duplicate_pairs(samples, dict(zip(images, details, strict=True)), similarity)
    places = {id(sample): place for place, sample in enumerate(samples)}
    return [(places[id(low)], places[id(high)]) for low, high, _ in pairs]


def divide(
    samples: Sequence[Sample], groups: Int64, *, folds: int, seed: int, holdout: float
) -> tuple[Int64, list[str]]:
    """Number of the fold of each sample, int64 [sample], HELD_OUT in none; and lines for people about it."""
    parts = np.zeros(len(samples), np.int64)
    lines = []
    if holdout:
        parts = -assign(samples, groups, [1 - holdout, holdout], seed=seed)
        lines.append(f"test: {np.sum(parts == HELD_OUT)} rows of {len(samples)}, {_shares(samples, parts == HELD_OUT)}")
    if folds:
        rest = parts != HELD_OUT
        chosen = [sample for sample, is_in in zip(samples, rest, strict=True) if is_in]
        numbers = np.unique(groups[rest], return_inverse=True)[1].astype(np.int64)
        parts[rest] = assign(chosen, numbers, [1 / folds] * folds, seed=seed)
        for fold in range(folds):
            inside = parts == fold
            count = len(np.unique(groups[inside]))
            lines.append(f"fold {fold}: {inside.sum()} rows, {count} groups, {_shares(samples, inside)}")
        lines += check_folds(chosen, numbers, parts[rest])
    return parts, lines


def divide_by_source(
    samples: Sequence[Sample], groups: Int64, hold_out_sources: Sequence[Sequence[str]]
) -> tuple[Int64, list[str]]:
    """Number of the fold of each sample by its source, int64 [sample]; and lines for people about it.

    A fold then shows what a model does in hospitals that it has not seen. A group with images in several folds is in
    none of them.
    """
    named = [source for sources in hold_out_sources for source in sources]
    present = {sample.source for sample in samples}
    known = ", ".join(sorted(present)) or "none"
    for source in sorted(present.symmetric_difference(named)):
        what = "is in no fold" if source in present else "has no image"
        remedy = f"name each source once; they are {known}"
        raise UsageError(f"--hold-out-source: source {source or '(not given)'} {what}; {remedy}")
    if len(named) != len(set(named)) or len(hold_out_sources) < 2:
        raise UsageError(f"--hold-out-source: name each source once, in two folds or more; they are {known}")
    home = {source: fold for fold, sources in enumerate(hold_out_sources) for source in sources}
    parts = np.array([home[sample.source] for sample in samples], np.int64)
    divided = [group for group in np.unique(groups) if len(np.unique(parts[groups == group])) > 1]
    parts[np.isin(groups, divided)] = HELD_OUT
    lines = [f"{np.sum(parts == HELD_OUT)} rows of {len(divided)} groups with images in several folds are left out"]
    for fold, sources in enumerate(hold_out_sources):
        inside = parts == fold
        if not inside.any():
            raise UsageError(
                f"--hold-out-source: fold {fold} keeps no image, since its groups have images in other folds too; "
                "put these sources into one fold"
            )
        lines.append(f"fold {fold}: {inside.sum()} rows of {', '.join(sources)}, {_shares(samples, inside)}")
    return parts, lines


def _shares(samples: Sequence[Sample], inside: Bool) -> str:
    labels = [sample.label or "no label" for sample, is_in in zip(samples, inside, strict=True) if is_in]
    names = sorted({sample.label or "no label" for sample in samples})
    return ", ".join(f"{labels.count(name) / len(labels):.1%} {name}" for name in names)


def _row(sample: Sample, part: int, folder: Path, columns: Columns, added: Sequence[str]) -> dict[str, str]:
    row = dict(sample.values)
    row[columns.image] = relative(sample.image, folder)
    if sample.mask is not None:
        row[columns.mask] = relative(sample.mask, folder)
    if FOLD_COLUMN in added:
        row[FOLD_COLUMN] = "" if part == HELD_OUT else str(part)
    if columns.split in added:
        row[columns.split] = "test" if part == HELD_OUT else "train"
    return row
