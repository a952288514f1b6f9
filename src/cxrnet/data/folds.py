"""Folds for cross-validation: stratified by class, never dividing a group, a patient or a repeated film.

scikit-learn's StratifiedGroupKFold is not used: with `shuffle` it stratified wrongly until 2025, it can return an
empty fold, and its folds change with its version. Here groups go, largest first, where they leave the counts of
every class, and of all images, nearest to an equal share; then single groups are moved for as long as that helps.
The images of each class from each source are spread as well, with a tenth of the weight.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxrnet.arrays import Float64, Int64
from cxrnet.data.duplicates import SIMILARITY, detail, join, near_pairs
from cxrnet.data.manifest import Sample
from cxrnet.data.masks import read_many
from cxrnet.errors import ManifestError, UsageError

TOLERANCE = 0.02
"""Most that the share of a class in a fold may differ from its share in the whole."""

_SOURCE_WEIGHT = 0.1
_PASSES = 30


def assign_folds(samples: Sequence[Sample], *, folds: int, seed: int) -> Int64:
    """Number of the fold of each sample, int64 [sample], 0 to folds - 1; the same for the same arguments.

    Raises:
        UsageError: There are fewer groups than folds.
        ManifestError: The folds cannot be made even, see `check_folds`.
    """
    if folds < 2:
        raise UsageError(f"--folds {folds}: is too few; 2 or more folds are made")
    return distribute(samples, unite(samples), [1 / folds] * folds, seed=seed)


def unite(samples: Sequence[Sample], duplicates: Sequence[tuple[int, int]] = ()) -> Int64:
    """Number of what must stay together, int64 [sample]: group, patient, image and duplicates are all respected.

    A patient whose films are in two groups joins them.

    Args:
        samples: Rows of a manifest.
        duplicates: Positions of pairs of samples that show the same film.
    """
    first: dict[tuple[str, str], int] = {}
    pairs = list(duplicates)
    for place, sample in enumerate(samples):
        for key in (("group", sample.group), ("patient", sample.patient or ""), ("image", str(sample.image))):
            if key[1]:
                pairs.append((first.setdefault(key, place), place))
    return join(len(samples), pairs)


def find_duplicates(
    samples: Sequence[Sample], *, similarity: float = SIMILARITY, jobs: int | None = None
) -> list[tuple[int, int]]:
    """Positions of pairs of samples that show nearly the same film; every image is read.

    Raises:
        RadiographError: An image cannot be read.
    """
    first: dict[Path, int] = {}
    for place, sample in enumerate(samples):
        first.setdefault(sample.image, place)
    details = list(read_many(lambda decoder, image: detail(decoder.read(image).pixels), list(first), jobs=jobs))
    places = list(first.values())
    if not details:
        return []
    return [(places[one], places[other]) for one, other, _ in near_pairs(np.stack(details), similarity=similarity)]


def distribute(samples: Sequence[Sample], groups: Int64, shares: Sequence[float], *, seed: int) -> Int64:
    """Number of the part of each sample, int64 [sample].

    Args:
        samples: Rows of a manifest.
        groups: What stays together, from `unite`.
        shares: Of each part in the whole, adding up to 1.
        seed: Of the order in which groups of the same size are dealt.

    Raises:
        UsageError: There are fewer groups than parts.
        ManifestError: See `check_folds`.
    """
    number = int(groups.max(initial=-1)) + 1
    if number < len(shares):
        raise UsageError(f"{number} groups cannot fill {len(shares)} folds; take fewer folds or add patients")
    labels = _numbers([sample.label or "" for sample in samples])
    cells = _numbers([(sample.source, sample.label or "") for sample in samples])
    columns = [np.zeros_like(labels), 1 + labels, 2 + labels.max() + cells]  # all, classes, classes of a source
    counts = np.zeros((number, int(columns[-1].max()) + 1))
    for column in columns:
        np.add.at(counts, (groups, column), 1)
    weights = 1 / counts.sum(axis=0)
    weights[2 + labels.max() :] *= _SOURCE_WEIGHT
    parts = _deal(counts, weights, np.asarray(shares), np.random.default_rng(seed))[groups]
    check_folds(samples, groups, parts, shares)
    return parts


def check_folds(samples: Sequence[Sample], groups: Int64, parts: Int64, shares: Sequence[float]) -> None:
    """Hold that no group is divided, no part is empty, and classes keep their shares.

    A class may be further off than `TOLERANCE` where the largest group is larger than the difference: groups are
    not divided for it.

    Raises:
        ManifestError: One of these does not hold.
    """
    if len(np.unique(np.stack([groups, parts]), axis=1).T) != len(np.unique(groups)):
        raise ManifestError("a group is in two folds; make the folds again with `cxrnet data split`")
    sizes = np.bincount(parts, minlength=len(shares))
    if not sizes.all():
        raise ManifestError(f"fold {int(np.argmin(sizes))} is empty; take fewer folds or add patients")
    sizes_of_groups = np.bincount(groups)
    weight, group = sizes_of_groups.max(), samples[int(np.argmax(groups == sizes_of_groups.argmax()))].group
    for part, name, here, whole in _off_shares(samples, parts):
        if abs(here - whole) > weight / sizes[part]:
            raise ManifestError(
                f"fold {part}: {here:.1%} of its images are {name}, of all {whole:.1%}; try another --seed or fewer "
                f"folds (the largest group, {group}, has {weight} images of {sizes[part]} in a fold)"
            )


def describe_uneven(samples: Sequence[Sample], groups: Int64, parts: Int64) -> list[str]:
    """Lines for people about shares that are off by more than `TOLERANCE`, with the group that is too large."""
    sizes = np.bincount(groups)
    group = samples[int(np.argmax(groups == sizes.argmax()))].group
    return [
        f"fold {part}: {here:.1%} {name} instead of {whole:.1%}; groups are not divided, the largest, {group}, "
        f"has {sizes.max()} images"
        for part, name, here, whole in _off_shares(samples, parts)
    ]


def _off_shares(samples: Sequence[Sample], parts: Int64) -> Iterator[tuple[int, str, float, float]]:
    """Part, class, share of the class in the part and in all, where these differ by more than `TOLERANCE`."""
    labels = _numbers([sample.label or "" for sample in samples])
    for part in range(int(parts.max()) + 1):
        for label, name in enumerate(sorted({sample.label or "" for sample in samples})):
            here, whole = float(np.mean(labels[parts == part] == label)), float(np.mean(labels == label))
            if abs(here - whole) > TOLERANCE:
                yield part, name or "without a label", here, whole


def _deal(counts: Float64, weights: Float64, shares: Float64, chance: np.random.Generator) -> Int64:
    """Number of the part of each group, int64 [group].

    The cost of a part is the weighted sum, over the columns, of its squared distance from its share.

    Args:
        counts: [group, column], images; column 0 counts all of a group.
        weights: [column].
        shares: [part].
        chance: Orders groups of the same size.
    """
    goals = shares[:, None] * counts.sum(axis=0)
    order = chance.permutation(len(counts))
    order = order[np.argsort(-counts[order, 0], kind="stable")]
    filled, members = np.zeros_like(goals), np.zeros(len(shares), np.int64)
    parts = np.zeros(len(counts), np.int64)

    def cost_of_adding(group: int) -> Float64:
        cost = ((2 * (filled - goals) + counts[group]) * counts[group] * weights).sum(axis=1)
        return np.asarray(np.round(cost, 9))

    for place, group in enumerate(order):
        empty = np.flatnonzero(members == 0)
        must_fill = len(order) - place <= len(empty)
        fullness = filled[:, 0] / shares
        parts[group] = empty[0] if must_fill else np.lexsort((fullness, cost_of_adding(group)))[0]
        filled[parts[group]] += counts[group]
        members[parts[group]] += 1
    for _ in range(_PASSES):
        before = parts.copy()
        for group in order[members[parts[order]] > 1]:
            filled[parts[group]] -= counts[group]
            cost = cost_of_adding(group)
            if members[parts[group]] > 1 and cost.min() < cost[parts[group]]:
                members[parts[group]] -= 1
                parts[group] = int(cost.argmin())
                members[parts[group]] += 1
            filled[parts[group]] += counts[group]
        if np.array_equal(parts, before):
            break
    return parts


def _numbers(names: Sequence[Any]) -> Int64:
    """Place of each name among the different names in their order, int64 [name]."""
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    return np.array([places[name] for name in names], np.int64)
