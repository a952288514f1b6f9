"""How far the folds of an ensemble leave its score open.

This is the folds' disagreement and not all that is uncertain: folds share most of their training films, so that the
interval is, if anything, too short, and it knows nothing of hospitals and diseases that none of them has seen.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from cxrnet.arrays import Float64
from cxrnet.model.config import Calibration
from cxrnet.model.runtime import ModelOutput

CONFIDENCE = 0.95
BALANCED = "balanced"
"""The operating point that a score is held against."""

EVEN = 0.5
"""What it is held against where there is none."""


def interval_of(output: ModelOutput, calibration: Calibration | None) -> Float64 | None:
    """Return the 95 % interval of each class's score over the folds, float64 [class, (low, high)] in [0, 1].

    It is Student's t-interval of the mean of the folds' log-odds, calibrated where there is a calibration, around the
    log-odds of the ensemble, as probabilities: where the score of an ensemble of very many such folds would lie.

    Returns:
        None for a single fold.
    """
    folds = _scaled(output.fold_maps.mean(axis=(2, 3), dtype=np.float64), calibration)
    if len(folds) < 2:
        return None
    ensemble = log_odds(_scaled(output.logits.astype(np.float64), calibration))
    half = half_width(log_odds(folds))
    return _probability(np.stack([ensemble - half, ensemble + half], axis=-1))


def doubt(
    output: ModelOutput, calibration: Calibration | None, classes: tuple[str, ...], interval: Float64 | None
) -> str | None:
    """Return why the answer is uncertain, in words; None where the folds leave no doubt, or there is only one.

    Of two classes, the interval of the first holds the balanced operating point (0.5 where there is none). Of more,
    the interval of the difference between the two highest scores, in log-odds, holds 0.
    """
    if interval is None:
        return None
    if len(classes) == 2:
        points = {} if calibration is None else calibration.operating_points
        point, (low, high) = points.get(BALANCED, EVEN), interval[0]
        if not low <= point <= high:
            return None
        what = "the balanced operating point" if BALANCED in points else "the middle"
        return f"the folds leave {classes[0]} between {low:.2f} and {high:.2f}, with {what} {point:.2f} in between"
    ensemble = _scaled(output.logits.astype(np.float64), calibration)
    folds = _scaled(output.fold_maps.mean(axis=(2, 3), dtype=np.float64), calibration)
    second, first = np.argsort(ensemble)[-2:]
    if ensemble[first] - ensemble[second] > half_width(folds[:, first] - folds[:, second]):
        return None
    return f"the folds leave open whether {classes[first]} or {classes[second]} scores higher"


def log_odds(logits: Float64) -> Float64:
    """Return log(p / (1 - p)) of each class, float64 [..., class], where p is the softmax of logits [..., class]."""
    others = []
    for index in range(logits.shape[-1]):
        rest = np.delete(logits, index, axis=-1)
        others.append(np.logaddexp.reduce(rest, axis=-1))
    odds: Float64 = logits - np.stack(others, axis=-1)
    return odds


def half_width(values: Float64) -> Float64:
    """Return half of Student's t-interval of the mean of float64 [fold, ...] over its first axis; two folds or more."""
    count = len(values)
    width: Float64 = student_quantile(count - 1) * values.std(axis=0, ddof=1) / math.sqrt(count)
    return width


@cache
def student_quantile(degrees: int, confidence: float = CONFIDENCE) -> float:
    """Return t with P(|T| <= t) = `confidence` for whole degrees of freedom (Abramowitz and Stegun 26.7.3, 26.7.4)."""
    low, high = 0.0, math.pi / 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _student_share(middle, degrees) < confidence else (low, middle)
    return math.sqrt(degrees) * math.tan(low)


def _student_share(angle: float, degrees: int) -> float:
    """P(|T| <= t) at t = sqrt(degrees) tan(angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = degrees % 2
    term, total = (cosine, 0.0) if is_odd else (1.0, 0.0)
    for step in range(2 if is_odd else 1, degrees, 2):
        total += term
        term *= step / (step + 1) * cosine**2
    return (angle + sine * total) * 2 / math.pi if is_odd else sine * total


def _scaled(logits: Float64, calibration: Calibration | None) -> Float64:
    if calibration is None:
        return logits
    scaled: Float64 = logits / calibration.temperature + np.asarray(calibration.bias)
    return scaled


def _probability(odds: Float64) -> Float64:
    """1 / (1 + exp(-odds)) without overflow."""
    chance: Float64 = 0.5 * (1 + np.tanh(odds / 2))
    return chance
