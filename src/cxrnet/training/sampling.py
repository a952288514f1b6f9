"""How often an image is drawn, so that where it comes from says less about its class.

Public collections are confounded: most sources hold one class only, so that a network can learn the hospital in place
of the disease. Images of sources with every class cannot be recognised that way, if each class is drawn alike there.
"""

from collections.abc import Sequence

import numpy as np

from cxrnet.arrays import Float64, Int64
from cxrnet.data.manifest import Sample
from cxrnet.training.config import ClassifierTraining

MAX_RATIO = 8
"""How many times as often as in an even draw an image is drawn at most: a class of a source can be a single image."""


def draw_probabilities(labels: Int64, sources: Sequence[str], *, mixed_share: float) -> Float64:
    """Return how likely each image is the next one drawn, float64 [image], summing to 1.

    Sources that have images of every class share `mixed_share` of the draws, by the number of their images, and each
    class is drawn alike within each of them. The rest is drawn from the other sources: each class alike, and the
    sources of one class alike. Without sources of one kind, those of the other have all. What an image would be drawn
    beyond `MAX_RATIO` times an even draw goes to all others in proportion.
    """
    names = np.asarray(sources)
    classes = np.unique(labels)
    mixed = [name for name in np.unique(names) if np.array_equal(np.unique(labels[names == name]), classes)]
    is_mixed = np.isin(names, mixed)
    if is_mixed.all() or not is_mixed.any():
        mixed_share = float(is_mixed.all())
    probabilities = np.zeros(len(labels))
    for name in mixed:
        share = mixed_share * (names == name).sum() / is_mixed.sum() / len(classes)
        for label in classes:
            cell = (names == name) & (labels == label)
            probabilities[cell] = share / cell.sum()
    if mixed_share < 1:
        alone = np.unique(labels[~is_mixed])
        for label in alone:
            homes = np.unique(names[~is_mixed & (labels == label)])
            for name in homes:
                cell = (names == name) & (labels == label)
                probabilities[cell] = (1 - mixed_share) / len(alone) / len(homes) / cell.sum()
    return _capped(probabilities / probabilities.sum(), MAX_RATIO / np.count_nonzero(probabilities))


def _capped(probabilities: Float64, limit: float) -> Float64:
    is_capped = np.zeros(len(probabilities), bool)
    while (beyond := ~is_capped & (probabilities > limit)).any():
        is_capped |= beyond
        rest = probabilities[~is_capped]
        probabilities = probabilities.copy()
        probabilities[is_capped] = limit
        probabilities[~is_capped] = rest * ((1 - limit * is_capped.sum()) / rest.sum())
    return probabilities


def fold_draws(config: ClassifierTraining, samples: Sequence[Sample], labels: Int64, train: Int64) -> Float64 | None:
    """Return how likely each training image of a fold is drawn, float64 [n]; None shows each once in an epoch."""
    if config.balance != "source":
        return None
    sources = [samples[int(index)].source for index in train]
    return draw_probabilities(labels[train], sources, mixed_share=config.mixed_share)
