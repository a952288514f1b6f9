"""From the graph's logits to the scores of a finding, and how far the folds of the ensemble disagree about them.

The interval measures disagreement between folds, not all uncertainty. Folds share most of their training images, so
it is too short if anything, and it knows nothing of hospitals and diseases that none of them has seen.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cxrnet.arrays import Float32, Float64
from cxrnet.model.calibration import Calibration
from cxrnet.model.config import ClassifierConfig
from cxrnet.model.runtime import ModelOutput

BALANCED = "balanced"
"""The operating point that a score is compared with; `MIDDLE` where a model has none."""

MIDDLE = 0.5

SMALLEST = np.finfo(np.float32).tiny
"""Stands for a score that has no logarithm in float32."""

# Student's t: 97.5 % quantile for 1 to 63 degrees of freedom; a bundle has at most 64 folds.
_T = (
    12.706204736174659, 4.302652729749458, 3.182446305283705, 2.7764451051977908, 2.570581835636314,
    2.4469118511449675, 2.364624251592783, 2.306004135204166, 2.2621571627982036, 2.2281388519862735,
    2.200985160091639, 2.1788128296672262, 2.16036865646279, 2.144786687917802, 2.1314495455597737,
    2.1199052992212537, 2.1098155778333165, 2.1009220402410356, 2.0930240544083105, 2.085963447265865,
    2.07961384472768, 2.0738730679040223, 2.068657610419047, 2.063898561628022, 2.0595385527532963,
    2.0555294386428713, 2.051830516480286, 2.0484071417952454, 2.0452296421327043, 2.0422724563012413,
    2.0395134463964086, 2.036933343460102, 2.034515297449342, 2.0322445093177173, 2.0301079282503425,
    2.028094000980449, 2.0261924630291084, 2.024394163911969, 2.02269092003676, 2.0210753903062715,
    2.019540970441376, 2.018081702818445, 2.016692199227822, 2.015367574443763, 2.014103388880848,
    2.012895598919429, 2.011740513729762, 2.0106347576242367, 2.0095752371292424, 2.008559112100759,
    2.007583770315832, 2.006646805061687, 2.0057459953178696, 2.0048792881880546, 2.0040447832891433,
    2.0032407188478683, 2.0024654592910025, 2.0017174841452374, 2.0009953780882626, 2.000297822014262,
    1.9996235849949493, 1.9989715170333782, 1.9983405425207454,
)  # fmt: skip


class Scores(NamedTuple):
    """What an ensemble says of one image.

    `ensemble` float32 [class] and `folds` float32 [fold, class] are probabilities in [0, 1]; `interval` float64
    [class, (low, high)] is the 95 % interval of each class's score, None for a single fold; `uncertainty_reason` says
    why the folds leave the answer open, None where they do not.
    """

    ensemble: Float32
    folds: Float32
    interval: Float64 | None
    uncertainty_reason: str | None


def score(output: ModelOutput, calibration: Calibration | None, config: ClassifierConfig) -> Scores:
    """Return the scores in the graph's output.

    A calibration was fitted on single folds, whose spread an ensemble's logits do not have, so that the ensemble is,
    if anything, less sure than it could be.
    """
    if config.has_logits_in_maps:
        rounded = output.fold_maps.mean(axis=(2, 3))
        fold_logits = output.fold_maps.mean(axis=(2, 3), dtype=np.float64)
    else:
        rounded = fold_logits = logits_of(output.fold_scores)
    if calibration is None:
        ensemble, folds = output.logits.astype(np.float64), fold_logits
        scores, fold_scores, point = output.scores, output.fold_scores, None
    else:
        ensemble, folds = calibration.apply(output.logits), calibration.apply(fold_logits)
        scores = calibration.probabilities(output.logits)
        fold_scores = calibration.probabilities(rounded)
        point = calibration.operating_points.get(BALANCED)
    interval = interval_of(ensemble, folds)
    return Scores(scores, fold_scores, interval, uncertainty_reason(ensemble, folds, config.classes, interval, point))


def logits_of(scores: Float32) -> Float64:
    """Return logits, float64 [..., class], of scores [..., class]: those that gave them, but for a constant."""
    return np.log(np.maximum(scores, SMALLEST), dtype=np.float64)


def interval_of(ensemble: Float64, folds: Float64) -> Float64 | None:
    """Return the 95 % interval of each class's score over the folds, float64 [class, (low, high)]; None for one fold.

    It is Student's t-interval of the mean of the folds' log-odds, placed around the log-odds of the ensemble: where the
    score of an ensemble of very many such folds would lie. Logits are calibrated: those of the ensemble float64
    [class], of the folds float64 [fold, class].
    """
    if len(folds) < 2:
        return None
    middle, half = log_odds(ensemble), half_width(log_odds(folds))
    odds = np.stack([middle - half, middle + half], axis=-1)
    probabilities: Float64 = 0.5 * (1 + np.tanh(odds / 2))  # 1 / (1 + exp(-odds)) without overflow
    return probabilities


def uncertainty_reason(
    ensemble: Float64, folds: Float64, classes: Sequence[str], interval: Float64 | None, point: float | None
) -> str | None:
    """Return why the answer is uncertain; None where the folds agree on it, or there is only one.

    Two classes: the interval of the first holds the balanced operating point, `point`, or `MIDDLE` without one. More
    classes: the interval of the difference between the two highest scores, in log-odds, holds 0. Logits and interval
    are those of `interval_of`.
    """
    if interval is None:
        return None
    if len(classes) == 2:
        (low, high), limit = interval[0], MIDDLE if point is None else point
        if not low <= limit <= high:
            return None
        what = "the middle" if point is None else "the balanced operating point"
        return f"the folds put {classes[0]} between {low:.2f} and {high:.2f}, on both sides of {what} {limit:.2f}"
    second, first = np.argsort(ensemble)[-2:]
    if ensemble[first] - ensemble[second] > half_width(folds[:, first] - folds[:, second]):
        return None
    return f"the folds disagree whether {classes[first]} or {classes[second]} scores higher"


def log_odds(logits: Float64) -> Float64:
    """Return log(p / (1 - p)) of each class, float64 [..., class], where p is the softmax of logits [..., class]."""
    classes = range(logits.shape[-1])
    rest = [np.logaddexp.reduce(np.delete(logits, index, axis=-1), axis=-1) for index in classes]
    odds: Float64 = logits - np.stack(rest, axis=-1)
    return odds


def half_width(values: Float64) -> Float64:
    """Return half of Student's 95 % t-interval of the mean of float64 [fold, ...] over its first axis; two or more."""
    count = len(values)
    width: Float64 = _T[count - 2] * values.std(axis=0, ddof=1) / math.sqrt(count)
    return width
