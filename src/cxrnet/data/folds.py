"""Folds for cross-validation: stratified by class, never dividing a group, a patient or a repeated image.

Groups are assigned, largest first, where they leave the counts of every class, and of all images, nearest to an equal
share; then single groups are moved for as long as that helps. The images of each class from each source are balanced
as well, with a tenth of the weight. scikit-learn's StratifiedGroupKFold does not know sources, and its folds change
with its version; shipped models quote the folds of a seed.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from cxrnet.arrays import Float64, Int64
from cxrnet.data.manifest import Sample
from cxrnet.errors import ManifestError, UsageError

TOLERANCE = 0.02
"""Largest difference of a class's share in a fold from its share in the whole."""

_SOURCE_WEIGHT = 0.1
_PASSES = 30


def assign_folds(
    samples: Sequence[Sample], *, folds: int, seed: int, duplicates: Sequence[tuple[int, int]] = ()
) -> Int64:
    """Number of the fold of each sample, int64 [sample], 0 to folds - 1; the same for the same arguments."""
    if folds < 2:
        raise UsageError(f"--folds {folds}: is too few; 2 or more folds are made")
    return assign(samples, group_ids(samples, duplicates), [1 / folds] * folds, seed=seed)


def group_ids(samples: Sequence[Sample], duplicates: Sequence[tuple[int, int]] = ()) -> Int64:
    """Number of what must stay together, int64 [sample]: group, patient, image and duplicates are all respected.

    A patient whose images are in two groups joins them. Folds, checks and confidence intervals all use these groups.
    """
    first: dict[tuple[str, str], int] = {}
    pairs = list(duplicates)
    for place, sample in enumerate(samples):
        for key in (("group", sample.group_key), ("patient", sample.patient_key), ("image", sample.identity)):
            if key[1]:
                pairs.append((first.setdefault(key, place), place))
    if not pairs:
        return np.empty(0, np.int64)
    one, other = np.array(pairs).T
    graph = coo_array((np.ones(len(pairs)), (one, other)), (len(samples), len(samples)))
    return connected_components(graph, directed=False)[1].astype(np.int64)  # type: ignore[no-any-return]


def assign(samples: Sequence[Sample], groups: Int64, shares: Sequence[float], *, seed: int) -> Int64:
    """Number of the part of each sample, int64 [sample]."""
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
    parts = _greedy_assign(counts, weights, np.asarray(shares), np.random.default_rng(seed))[groups]
    check_folds(samples, groups, parts)
    return parts


def check_folds(samples: Sequence[Sample], groups: Int64, parts: Int64) -> list[str]:
    """Check that classes keep their shares; return a line for people on each that a large group keeps from it.

    A class may be further off than `TOLERANCE` where the largest group is larger than the difference: groups are
    not divided for it.
    """
    labels = np.array([sample.label or "without a label" for sample in samples])
    members = np.bincount(groups)
    largest, name = members.max(), samples[int(np.argmax(groups == members.argmax()))].group
    lines = []
    for fold, size in enumerate(np.bincount(parts)):
        for label in np.unique(labels):
            share, whole = float(np.mean(labels[parts == fold] == label)), float(np.mean(labels == label))
            if abs(share - whole) > max(TOLERANCE, largest / size):
                raise ManifestError(
                    f"fold {fold}: {share:.1%} of its images are {label}, of all {whole:.1%}; try another --seed or "
                    f"fewer folds (the largest group, {name}, has {largest} images of {size})"
                )
            if abs(share - whole) > TOLERANCE:
                lines.append(
                    f"fold {fold}: {share:.1%} {label} instead of {whole:.1%}; groups are not divided, the largest, "
                    f"{name}, has {largest} images"
                )
    return lines


def _greedy_assign(counts: Float64, weights: Float64, shares: Float64, rng: np.random.Generator) -> Int64:
    """Number of the part of each group, int64 [group].

    The cost of a part is the weighted sum, over the columns, of its squared distance from its share.

    Args:
        counts: [group, column], images; column 0 counts all of a group.
        weights: [column].
        shares: [part].
        rng: Orders groups of the same size.
    """
    goals = shares[:, None] * counts.sum(axis=0)
    order = rng.permutation(len(counts))
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
