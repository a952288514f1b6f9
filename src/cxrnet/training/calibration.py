"""Calibration on out-of-fold scores only, and the operating points of a two-class model.

Temperature and bias are the maximum-likelihood fit of softmax(logits / temperature + bias): Platt scaling for two
classes, vector scaling with one temperature for more (Guo et al. 2017). Prediction sets: `cxrnet.screening.conformal`.
"""

from collections.abc import Sequence

import numpy as np
import torch

from cxrnet.arrays import Bool, Float64, Int64
from cxrnet.errors import UsageError
from cxrnet.model.calibration import Calibration, Conformal
from cxrnet.screening.conformal import LEVEL, fit_thresholds

SENSITIVE, SPECIFIC = 0.95, 0.95
"""Recall that the operating point `sensitive` keeps, and specificity that `specific` keeps, on out-of-fold images."""


def fit_calibration(logits: Float64, labels: Int64, names: Sequence[str] = ()) -> Calibration:
    """Return the calibration of out-of-fold logits, float [image, class].

    `names` are those of the classes; without them no prediction sets are fitted.
    """
    classes = logits.shape[1]
    missing = sorted(set(range(classes)) - set(labels.tolist()))
    if missing:
        raise UsageError(f"calibration: class {missing[0]} has no out-of-fold image; train all folds first")
    values, truth = torch.from_numpy(logits).double(), torch.from_numpy(labels)
    slope = torch.zeros((), dtype=torch.float64, requires_grad=True)  # logarithm of 1 / temperature
    bias = torch.zeros(classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([slope, bias], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = torch.nn.functional.cross_entropy(values * slope.exp() + bias, truth)
        held = entropy + 1e-6 * (slope.square() + bias.square().sum())  # classes that a line divides have no optimum
        held.backward()  # type: ignore[no-untyped-call]
        return held

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    inverse, centred = slope.detach().exp(), (bias - bias.mean()).detach()
    probability = torch.softmax(values * inverse + centred, dim=1).numpy()
    return Calibration(
        temperature=float(1 / inverse),
        bias=tuple(centred.tolist()),
        images=len(labels),
        operating_points=operating_points(probability[:, 0], labels == 0) if classes == 2 else {},
        conformal=Conformal(level=LEVEL, thresholds=fit_thresholds(probability, labels, names)) if names else None,
    )


def operating_points(probability: Float64, is_positive: Bool) -> dict[str, float]:
    """Return the lowest probability that counts as the first class, for three purposes.

    `balanced` makes recall plus specificity largest; `sensitive` is the highest that keeps 95 % recall; `specific` the
    lowest that keeps 95 % specificity. Both arrays are [image].
    """
    thresholds = np.unique(np.concatenate([[0.0, 1.0], probability]))
    positive, negative = np.sort(probability[is_positive]), np.sort(probability[~is_positive])
    recall = (len(positive) - np.searchsorted(positive, thresholds)) / len(positive)
    specificity = np.searchsorted(negative, thresholds) / len(negative)
    sensitive = thresholds[recall >= SENSITIVE].max()
    specific = thresholds[specificity >= SPECIFIC]
    return {
        "balanced": float(thresholds[np.argmax(recall + specificity)]),
        "sensitive": float(sensitive),
        "specific": float(specific.min()) if len(specific) else 1.0,
    }
