"""From the logits of a classifier to calibrated probabilities, and the thresholds of prediction sets."""

from typing import Annotated, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AliasChoices, Field

from cxrnet.model.record import Frozen, Positive


class Conformal(Frozen):
    """Prediction sets that hold the true class in a share `level` of the images (`cxrnet.screening.conformal`).

    Attributes:
        level: For every class.
        thresholds: Class -> lowest probability with which it is in the set.
    """

    level: Annotated[float, Field(gt=0, lt=1)]
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]]


class Calibration(Frozen):
    """From logits to probabilities, fitted on images that the fold behind a logit had not seen.

    probability = softmax(logits / temperature + bias)

    Attributes:
        temperature: Above 1 where the network is too sure of itself.
        bias: One number per class, summing to 0; takes back what class weights did to rare classes.
        images: Number of images that it was fitted on.
        operating_points: Name -> lowest probability of the first class that counts as one; two classes only.
        conformal: Prediction sets; None in bundles that were calibrated without them.
    """

    temperature: Annotated[float, Field(gt=0)]
    bias: tuple[float, ...]
    images: Positive = Field(validation_alias=AliasChoices("images", "films"))
    operating_points: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(default={})
    conformal: Conformal | None = None

    @classmethod
    def identity(cls, classes: int) -> Self:
        """Return the calibration that leaves logits as they are, for a model without one."""
        return cls(temperature=1.0, bias=(0.0,) * classes, images=1)

    def apply(self, logits: ArrayLike) -> NDArray[np.float64]:
        """Return calibrated logits, float64 [..., class], of logits [..., class]."""
        calibrated: NDArray[np.float64] = np.asarray(logits, np.float64) / self.temperature + np.asarray(self.bias)
        return calibrated

    def probabilities(self, logits: ArrayLike) -> NDArray[np.float32]:
        """Return calibrated probabilities in [0, 1], float32 [..., class], of logits [..., class]."""
        calibrated = self.apply(logits)
        powers = np.exp(calibrated - calibrated.max(axis=-1, keepdims=True))
        probabilities: NDArray[np.float32] = (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)
        return probabilities
