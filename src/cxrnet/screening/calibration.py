"""From the graph's logits to the scores that a finding shows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cxrnet.arrays import Float32
from cxrnet.model.config import Calibration
from cxrnet.model.runtime import ModelOutput


def scores_of(output: ModelOutput, calibration: Calibration | None) -> tuple[Float32, Float32]:
    """Return the scores of the ensemble, float32 [class], and of the folds, float32 [fold, class], in [0, 1].

    Without a calibration they are those of the graph. With one, the logits of the ensemble and of each fold go through
    it; it was fitted on single folds, whose spread an ensemble's logits do not have, so that the ensemble is, if
    anything, less sure than it could be.
    """
    if calibration is None:
        return output.scores, output.fold_scores
    fold_logits = output.fold_maps.mean(axis=(2, 3))
    return calibrate(output.logits, calibration), calibrate(fold_logits, calibration)


def calibrate(logits: NDArray[np.floating], calibration: Calibration) -> Float32:
    """Return softmax(logits / temperature + bias), float32 [..., class] of logits [..., class]."""
    scaled = logits.astype(np.float64) / calibration.temperature + np.asarray(calibration.bias)
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    probabilities: Float32 = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
    return probabilities
