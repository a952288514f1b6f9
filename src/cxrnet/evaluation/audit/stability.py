"""Stability: what changes when the same radiograph is stored or shown in another way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from cxrnet.arrays import Float32
from cxrnet.data.manifest import Sample
from cxrnet.errors import RadiographError
from cxrnet.evaluation.audit.changes import SETS, Change
from cxrnet.evaluation.audit.geometry import Affine, identity, map_back
from cxrnet.evaluation.audit.reading import Reader, Reading
from cxrnet.evaluation.audit.record import ChangeRecord, StabilityRecord, Value
from cxrnet.evaluation.bootstrap import Estimate, estimate, mean_statistic
from cxrnet.evaluation.segmentation_metrics import overlap
from cxrnet.imaging.radiograph import Radiograph

EFFECTS = {
    "class_changes": "Class changes",
    "score_move": "Mean move of the score",
    "refused": "Refused by the gate",
    "lung_dice": "Dice of the lungs",
    "heat_correlation": "Correlation of the heat maps",
    "set_coverage": "Prediction set holds the true class",
}
"""Effect -> its name for people."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One image under all changes.

    Attributes:
        sample: Row of the manifest.
        before: The reading of the unchanged image, without its arrays.
        after: Change -> the reading of the changed copy, without its arrays.
        effects: Change -> effect -> value, NaN where undefined.
    """

    sample: Sample
    before: Reading
    after: Mapping[str, Reading] = field(default_factory=dict)
    effects: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def try_changes(
    sample: Sample, radiograph: Radiograph, reader: Reader, changes: Sequence[Change], *, fold: int | None, seed: int
) -> Trial:
    """Return what the changes do to the reading of one radiograph."""
    before = reader(radiograph, fold)
    after: dict[str, Reading] = {}
    effects: dict[str, dict[str, float]] = {}
    for change in changes:
        try:
            copy, matrix = change.apply(radiograph, seed=seed)
            reading = reader(copy, fold)
        except RadiographError as error:  # a window that leaves one grey value, for example
            reading, matrix = Reading(scores=None, refusals=(str(error.code),)), identity()
        effects[change.name] = compare(before, reading, matrix) | {"set_coverage": covers(reading, sample)}
        after[change.name] = _without_arrays(reading)
    return Trial(sample=sample, before=_without_arrays(before), after=after, effects=effects)


def compare(before: Reading, after: Reading, matrix: Affine) -> dict[str, float]:
    """Return the effects of a change, by the names of `EFFECTS`.

    Class changes and refusals are 0 or 1. The move of the score is half the sum of the absolute differences of the
    probabilities: for two classes that of either. Lungs and heat maps are compared where both images show them, the
    heat maps inside both lungs.

    Args:
        before: Of the unchanged image.
        after: Of the changed copy.
        matrix: From the one to the other.
    """
    effects = dict.fromkeys(EFFECTS, np.nan) | {"refused": float(bool(after.refusals))}
    if before.scores is not None and after.scores is not None:
        effects["class_changes"] = float(before.answer != after.answer)
        effects["score_move"] = float(np.abs(before.scores - after.scores).sum() / 2)
    if before.lungs is not None and after.lungs is not None:
        found = map_back(after.lungs, matrix)
        seen = np.isfinite(found)
        effects["lung_dice"] = overlap(found[seen] > 0.5, before.lungs[seen] > 0.5)["dice"]
    if before.heat_maps is not None and after.heat_maps is not None:
        index = 0 if len(before.heat_maps) == 2 else before.answer
        effects["heat_correlation"] = correlation(before.heat_maps[index], map_back(after.heat_maps[index], matrix))
    return effects


def covers(reading: Reading, sample: Sample) -> float:
    """Return 1 where the prediction set holds the true class, 0 where it does not, NaN where there is no set."""
    return np.nan if reading.conformal_set is None else float(sample.label in reading.conformal_set)


def correlation(one: Float32, other: Float32) -> float:
    """Return Pearson's correlation of two maps where both have a value, NaN where it is undefined."""
    both = np.isfinite(one) & np.isfinite(other)
    if np.count_nonzero(both) < 2 or one[both].std() == 0 or other[both].std() == 0:
        return np.nan
    return float(np.corrcoef(one[both], other[both])[0, 1])


def estimate_effects(
    trials: Sequence[Trial], changes: Sequence[Change], *, resamples: int, seed: int
) -> dict[str, Estimate]:
    """Return each effect over the images, with its interval over groups: of an image, the mean over `changes`."""
    values = {}
    for effect in EFFECTS:
        table = np.array([[trial.effects[change.name][effect] for change in changes] for trial in trials])
        known = np.isfinite(table)
        count = known.sum(axis=1)
        total = np.where(known, table, 0.0).sum(axis=1)
        values[effect] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    counts = {effect: int(np.isfinite(each).sum()) for effect, each in values.items()}
    groups = [trial.sample.group for trial in trials]
    return estimate(mean_statistic(values), groups, counts=counts, resamples=resamples, seed=seed)


def stability_record(
    trials: Sequence[Trial], changes: Sequence[Change], *, resamples: int, seed: int
) -> StabilityRecord:
    """Return the effects of each change over all images, and of the sets of changes that were made whole."""

    def effects(some: Sequence[Change]) -> dict[str, Value]:
        found = estimate_effects(trials, some, resamples=resamples, seed=seed)
        return {name: Value.of(each) for name, each in found.items()}

    first = {
        "refused": np.array([float(bool(trial.before.refusals)) for trial in trials]),
        "set_coverage": np.array([covers(trial.before, trial.sample) for trial in trials]),
    }
    groups = [trial.sample.group for trial in trials]
    unchanged = estimate(mean_statistic(first), groups, resamples=resamples, seed=seed)
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
        unchanged={name: Value.of(each) for name, each in unchanged.items()},
    )


def _without_arrays(reading: Reading) -> Reading:
    return replace(reading, lungs=None, heat_maps=None)
