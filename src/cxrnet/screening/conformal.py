"""Prediction sets: the classes that a radiograph may have, so that the true one is among them 90 % of the time.

Split-conformal prediction with a threshold for each class (Mondrian by class, Vovk 2012, "Conditional validity of
inductive conformal predictors"; least ambiguous sets with class-wise coverage, Sadinle, Lei and Wasserman 2019, "Least
ambiguous set-valued classifiers with bounded error levels"). A class is in the set where its probability reaches the
threshold of that class, which all but 10 % of its calibration images did. The promise holds for images that are
exchangeable with those of the calibration, class by class; it does not hold for another hospital.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from cxrnet.arrays import Floating, Int64

LEVEL = 0.9


def fit_thresholds(
    probabilities: Floating, labels: Int64, classes: Sequence[str], *, level: float = LEVEL
) -> dict[str, float]:
    """Return class -> lowest probability with which it is in the set, so that a share `level` of its images has it.

    `probabilities` are float [image, class], each row by a model that was not trained on the image. Of n images of a
    class it is the k-th lowest of their probabilities of it, k being floor((n + 1) (1 - level)); 0, so that the class
    is in every set, where k is 0.
    """
    thresholds = {}
    for index, name in enumerate(classes):
        own = np.sort(probabilities[labels == index, index])
        rank = math.floor(round((len(own) + 1) * (1 - level), 9))
        thresholds[name] = float(own[rank - 1]) if rank else 0.0
    return thresholds


def conformal_set(probabilities: Mapping[str, float], thresholds: Mapping[str, float]) -> tuple[str, ...]:
    """Return the classes of the prediction set, in the order of `probabilities` (class -> probability in [0, 1])."""
    return tuple(name for name, probability in probabilities.items() if probability >= thresholds[name])


def ambiguity(members: Sequence[str], *, level: float) -> str | None:
    """Return why a prediction set leaves the answer open, in words; None where it holds one class."""
    if len(members) == 1:
        return None
    named = " and ".join(members) if members else "no class: the image is unlike those of every class"
    return f"the {100 * level:.0f} % prediction set holds {named}"
