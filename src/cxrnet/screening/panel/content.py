"""What a panel shows, checked where it comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from cxrnet.arrays import AnyArray, Bool, Float32, UInt8

_SLACK = 1e-6  # a float32 mean of ones may pass 1 by so much


@dataclass(frozen=True, kw_only=True)
class PanelContent:
    """All that a panel tells of one radiograph.

    Attributes:
        name: File name of the input; any characters.
        radiograph: uint8 [height, width], upright and ready for viewing.
        lungs: bool [height, width].
        status: Whether the image got a score.
        reasons: Code and text each: why it was refused, or the warnings of a scored image.
        scores: Probability in [0, 1] of each class, in the order of the model; empty when refused.
        folds: Per class one probability a fold; the classes of `scores`.
        interval: Per class the ends of its score's interval over the folds, each in [0, 1]; empty for one fold.
        doubt: Why the answer is uncertain, in words; None where it is not.
        heatmaps: Per class float32 [height, width], 0 to 1, NaN outside the lungs; the classes of `scores`.
        source_size: Height and width of the image in the file, where `radiograph` is a reduced view of it.
        difference: float32 [height, width], first class minus second, -1 to 1, NaN outside; two classes only.
        model: Name, version and checksum of the model.
        lung_area_fraction: Share of the image that is lung, 0 to 1.
        is_calibrated: Whether the scores are calibrated probabilities.

    Raises:
        ValueError: The parts do not belong together: a programming error.
    """

    name: str
    radiograph: UInt8
    lungs: Bool
    status: Literal["scored", "refused"]
    model: str
    lung_area_fraction: float
    is_calibrated: bool
    reasons: tuple[tuple[str, str], ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    folds: Mapping[str, Sequence[float]] = field(default_factory=dict)
    interval: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    doubt: str | None = None
    heatmaps: Mapping[str, Float32] = field(default_factory=dict)
    difference: Float32 | None = None
    source_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.radiograph.ndim != 2 or self.radiograph.dtype != np.uint8:
            found = f"{self.radiograph.dtype} {list(self.radiograph.shape)}"
            raise ValueError(f"radiograph: is {found}; uint8 [height, width] is accepted")
        self._check_map("lungs", self.lungs, np.dtype(np.bool_))
        for name, heatmap in self.heatmaps.items():
            self._check_map(f"heat map of {name}", heatmap, np.dtype(np.float32))
        if self.difference is not None:
            self._check_map("difference", self.difference, np.dtype(np.float32))
        self._check_classes()
        self._check_scores()

    def _check_map(self, name: str, image: AnyArray, dtype: np.dtype[Any]) -> None:
        if image.shape != self.radiograph.shape or image.dtype != dtype:
            found = f"{image.dtype} {list(image.shape)}"
            raise ValueError(f"{name}: is {found}; {dtype} {list(self.radiograph.shape)} is accepted")

    def _check_classes(self) -> None:
        count = len(self.scores)
        if (self.status == "scored") != (count > 0):
            raise ValueError(f"scores: {count} classes when {self.status}; a scored image has some, a refused none")
        for name, classes in (("folds", self.folds), ("heatmaps", self.heatmaps)):
            if set(classes) != set(self.scores):
                raise ValueError(f"{name}: classes are {list(classes)}; {list(self.scores)} is accepted")
        if self.interval and set(self.interval) != set(self.scores):
            raise ValueError(f"interval: classes are {list(self.interval)}; {list(self.scores)} is accepted")
        if self.difference is not None and count != 2:
            raise ValueError(f"difference: given for {count} classes; 2 classes are accepted")

    def _check_scores(self) -> None:
        for name, score in self.scores.items():
            if not self.folds[name]:
                raise ValueError(f"folds of {name}: are none; a model has one or more")
            for probability in (score, *self.folds[name], *self.interval.get(name, ())):
                if not -_SLACK <= probability <= 1 + _SLACK:
                    raise ValueError(f"score of {name}: is {probability}; a probability in [0, 1] is accepted")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the radiograph in pixels."""
        return self.radiograph.shape[0], self.radiograph.shape[1]
