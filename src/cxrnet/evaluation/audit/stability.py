"""Stability: what changes when the same radiograph is stored or shown in another way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from cxrnet.arrays import AnyArray, Float32, Float64
from cxrnet.errors import RadiographError, UsageError
from cxrnet.evaluation.audit.changes import SETS, Change
from cxrnet.evaluation.audit.geometry import Affine, affine, map_back
from cxrnet.evaluation.audit.reading import BundleReader, Reader, Reading, score_reader
from cxrnet.evaluation.audit.record import ChangeRecord, StabilityRecord, Value
from cxrnet.evaluation.bootstrap import RESAMPLES, estimate, mean_statistic, ratio
from cxrnet.evaluation.segmentation_metrics import overlap
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.pipeline import Pipeline

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
    """One image under all changes."""

    group: str  # unit of the bootstrap
    label: str | None  # true class; None where it is unknown
    before: Reading  # the reading of the unchanged image, without its arrays
    after: Mapping[str, Reading]  # change -> the reading of the changed copy, without its arrays
    effects: Mapping[str, Mapping[str, float]]  # change -> effect -> value, NaN where undefined


def audit_stability(
    model: Pipeline | Callable[[Any], float],
    images: Iterable[Radiograph | AnyArray],
    *,
    takes: Literal["array", "radiograph"] = "array",
    changes: str = "reference",
    threshold: float = 0.5,
    groups: Sequence[str] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> StabilityRecord:
    """Return how far the score of any model moves when the same radiographs are stored or shown differently.

    Args:
        model: A function from an image to the probability of one class, in [0, 1], or an open bundle. Of a function
            only `class_changes`, `score_move` and `refused` have values, since it gives neither lungs nor heat maps;
            where it raises RadiographError, a changed copy counts as refused.
        images: Radiographs, or whatever `Radiograph.from_array` takes; one at a time is held in memory.
        takes: What the function is given: `array`, uint8 [height, width], or `radiograph`, with tags and float pixels.
        changes: Name of a set of changes, one of `SETS`.
        threshold: Lowest probability of the function that counts as the class.
        groups: Of each image, for example its patient: images of one group are resampled together. None takes each
            image as a group.
        resamples: Of the bootstrap; 0 gives no intervals.
        seed: Of the noise and of the bootstrap.
    """
    if changes not in SETS:
        raise UsageError(f"changes {changes}: is not known; {', '.join(SETS)} are accepted")
    if isinstance(model, Pipeline):
        reader: Reader = BundleReader(model)
    else:
        reader = score_reader(model, threshold=threshold, takes=takes)
    trials: list[Trial] = []
    for number, image in enumerate(images):
        radiograph = image if isinstance(image, Radiograph) else Radiograph.from_array(image)
        if groups is not None and number == len(groups):
            raise UsageError(f"groups: {len(groups)} for more images; give one for each image")
        group = str(number) if groups is None else groups[number]
        trials.append(try_changes(radiograph, reader, SETS[changes], group=group, seed=seed))
    if groups is not None and len(trials) < len(groups):
        raise UsageError(f"groups: {len(groups)} for {len(trials)} images; give one for each image")
    if not trials:
        raise UsageError("images: the list is empty; give one or more")
    return stability_record(trials, SETS[changes], resamples=resamples, seed=seed)


def try_changes(
    radiograph: Radiograph,
    reader: Reader,
    changes: Sequence[Change],
    *,
    group: str = "",
    label: str | None = None,
    fold: int | None = None,
    seed: int = 0,
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
            reading, matrix = Reading(scores=None, refusals=(str(error.code),)), affine()
        effects[change.name] = compare(before, reading, matrix) | {"set_coverage": covers(reading, label)}
        after[change.name] = replace(reading, lungs=None, heat_maps=None)
    before = replace(before, lungs=None, heat_maps=None)
    return Trial(group=group, label=label, before=before, after=after, effects=effects)


def compare(before: Reading, after: Reading, matrix: Affine) -> dict[str, float]:
    """Return the effects of a change, by the names of `EFFECTS`.

    Class changes and refusals are 0 or 1. The move of the score is half the sum of the absolute differences of the
    probabilities: for two classes that of either. Lungs and heat maps are compared where both images show them, the
    heat maps inside both lungs.
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


def covers(reading: Reading, label: str | None) -> float:
    """Return 1 where the prediction set holds the true class, 0 where it does not, NaN without a set or a class."""
    return np.nan if reading.conformal_set is None or label is None else float(label in reading.conformal_set)


def correlation(one: Float32, other: Float32) -> float:
    """Return Pearson's correlation of two maps where both have a value, NaN where it is undefined."""
    both = np.isfinite(one) & np.isfinite(other)
    if np.count_nonzero(both) < 2 or one[both].std() == 0 or other[both].std() == 0:
        return np.nan
    return float(np.corrcoef(one[both], other[both])[0, 1])


def stability_record(
    trials: Sequence[Trial], changes: Sequence[Change], *, resamples: int, seed: int
) -> StabilityRecord:
    """Return the effects of each change over all images, and of the sets of changes that were made whole.

    The effect on an image is its mean over the changes of a set; intervals are over groups.
    """
    groups = [trial.group for trial in trials]

    def estimates(values: Mapping[str, Float64], images: int | None = None) -> dict[str, Value]:
        counts = {name: int(np.isfinite(each).sum()) if images is None else images for name, each in values.items()}
        found = estimate(mean_statistic(values), groups, counts=counts, resamples=resamples, seed=seed)
        return {name: Value.of(each) for name, each in found.items()}

    def effects(some: Sequence[Change]) -> dict[str, Value]:
        values = {}
        for effect in EFFECTS:
            table = np.array([[trial.effects[change.name][effect] for change in some] for trial in trials])
            count = np.isfinite(table).sum(axis=1)
            values[effect] = ratio(np.nansum(table, axis=1), count.astype(np.float64))
        return estimates(values)

    given = ("name", "kind", "strength", "amount", "label")
    records = (
        ChangeRecord(**{name: getattr(change, name) for name in given}, effects=effects([change])) for change in changes
    )
    unchanged = {
        "refused": np.array([float(bool(trial.before.refusals)) for trial in trials]),
        "set_coverage": np.array([covers(trial.before, trial.label) for trial in trials]),
    }
    return StabilityRecord(
        changes=tuple(records),
        means={name: effects(SETS[name]) for name in ("reference", "middle") if set(SETS[name]) <= set(changes)},
        unchanged=estimates(unchanged, len(trials)),
    )
