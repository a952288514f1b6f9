"""What a model says of one radiograph, as the audit compares it: from a bundle, or from any function that scores."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from cxrnet.arrays import Float32, Float64
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.calibration import Calibration
from cxrnet.model.gate_runtime import GateRuntime
from cxrnet.screening.conformal import conformal_set
from cxrnet.screening.gate import check_image
from cxrnet.screening.heatmap import contrast, resize
from cxrnet.screening.pipeline import Pipeline
from cxrnet.screening.scores import BALANCED, logits_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """What a model says of one radiograph."""

    # float64 [class], probabilities; given whatever the gate says. None where the image cannot be scored
    scores: Float64 | None
    answer: int = -1  # index of the predicted class: by the operating point of two classes, else the highest score
    refusals: tuple[str, ...] = ()  # codes of the gate, or of the reader, that forbid a score
    conformal_set: tuple[str, ...] | None = None  # classes of the prediction set; None where the model has none
    lungs: Float32 | None = None  # float32 [height, width], lung probability in [0, 1]; None where the model finds none
    # float32 [class, height, width], each class against the others, NaN outside the lungs; None likewise
    heat_maps: Float32 | None = None


Reader = Callable[[Radiograph, int | None], Reading]
"""From a radiograph, and the one fold to ask (None asks the whole ensemble), to a reading."""


class BundleReader:
    """Readings of an open bundle with a classifier. It can be called from several threads."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._gate = GateRuntime(pipeline.bundle.gate_graph)
        config = pipeline.bundle.config
        assert config.classifier is not None  # the audit has refused such a bundle
        self.classes = config.classifier.classes
        self.threshold = config.classifier.pooling.mask_threshold
        self._has_logits_in_maps = config.classifier.has_logits_in_maps
        self._calibration = config.calibration or Calibration.identity(len(self.classes))
        self._point = self._calibration.operating_points.get(BALANCED)

    def __call__(self, radiograph: Radiograph, fold: int | None = None) -> Reading:
        """Return the reading of a radiograph by the ensemble, or by one of its folds."""
        image = self.pipeline.prepare(radiograph)
        stages = self.pipeline.run(image)
        result = check_image(
            radiograph.tags,
            pixels=radiograph.pixels,
            view=self._gate.predict(image),
            lungs=stages.lung_probability > 0.5,
        )
        maps, logits = stages.class_maps, stages.logits
        if fold is not None:
            maps = stages.fold_maps[fold]
            is_mean = self._has_logits_in_maps
            logits = maps.mean(axis=(1, 2)) if is_mean else logits_of(stages.fold_scores[fold]).astype(np.float32)
        scores = self._calibration.probabilities(logits).astype(np.float64)
        heat = resize(contrast(maps, logits), *image.shape)
        sets = self._calibration.conformal
        by_class = dict(zip(self.classes, map(float, scores), strict=True))
        return Reading(
            scores=scores,
            answer=predicted_class(scores, self._point),
            conformal_set=None if sets is None else conformal_set(by_class, sets.thresholds),
            refusals=tuple(reason.code for reason in result.refusals),
            lungs=stages.lung_probability,
            heat_maps=np.where(stages.lung_mask > self.threshold, heat, np.float32(np.nan)),
        )


def score_reader(
    score: Callable[[Any], float], *, threshold: float = 0.5, takes: Literal["array", "radiograph"] = "array"
) -> Reader:
    """Return the reader of any model that scores an image; arguments as in `audit_stability`.

    It raises UsageError where a score is no probability.
    """

    def read(radiograph: Radiograph, fold: int | None = None) -> Reading:
        image = np.rint(radiograph.pixels).astype(np.uint8) if takes == "array" else radiograph
        value = float(score(image))
        if not 0 <= value <= 1:
            raise UsageError(f"{radiograph.name}: the score is {value:g}; a probability from 0 to 1 is needed")
        scores = np.array([value, 1 - value])
        return Reading(scores=scores, answer=predicted_class(scores, threshold))

    return read


def predicted_class(scores: Float64, point: float | None) -> int:
    """Return the index of the class that scores call."""
    if point is not None and len(scores) == 2:
        return 0 if scores[0] >= point else 1
    return int(scores.argmax())
