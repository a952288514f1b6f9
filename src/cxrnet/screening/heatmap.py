"""Heat maps in closed form from the class maps (paper 3.2.2, Figs. 12 to 14).

Scores are softmax(mean over all positions, or those of the lungs, of the class maps A), so the gradient of score c
with respect to A_k is the same everywhere, s_c (1[c = k] - s_k) / positions, and Grad-CAM of class c is, up to a
positive factor,

    cam_c = sum over k of s_c (1[c = k] - s_k) A_k
          ~ sum over k != c of w_k (A_c - A_k)        w = softmax(logits without c)

With two classes that is the difference of their maps. The second form holds where a score saturates and the first
divides 0 by 0. As published there is no ReLU, and a map is scaled to 0..1 within the lungs of its own image.
"""

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import cv2
import numpy as np

from cxrnet.arrays import Bool, Float32
from cxrnet.errors import UsageError
from cxrnet.imaging.radiograph import Limits


@dataclass(frozen=True, kw_only=True, eq=False)
class HeatMaps:
    """The heat maps of one image, at any size.

    Attributes:
        classes: Class names.
        class_maps: float32 [class, rows, columns], of the ensemble.
        fold_maps: float32 [fold, class, rows, columns].
        logits: float32 [class].
        lung_mask: float32 [height, width] in [0, 1], at the size of the prepared image.
        mask_threshold: The maps end where the mask is at or below this.
    """

    classes: tuple[str, ...]
    class_maps: Float32
    fold_maps: Float32
    logits: Float32
    lung_mask: Float32
    mask_threshold: float

    def maps(self, height: int | None = None, width: int | None = None) -> dict[str, Float32]:
        """Return the heat map of each class: float32 [height, width], 0 weakest to 1 strongest, NaN outside the lungs.

        Without a size it is that of the prepared image. Other sizes keep the scale of that one.

        Raises:
            UsageError: The size is not one.
        """
        lungs = self._lungs(height, width)
        raw = resize(self._activations, *lungs.shape)
        return {
            name: np.where(lungs, np.clip((raw[index] - low) / span, 0, 1), np.float32(np.nan))
            for index, (name, (low, span)) in enumerate(zip(self.classes, self._ranges, strict=True))
        }

    def spread(self, height: int | None = None, width: int | None = None) -> dict[str, Float32]:
        """Return where the folds disagree: their standard deviation in units of the heat map, NaN outside the lungs.

        0.1 means that the folds differ there by a tenth of what lies between the map's weakest and strongest spot.
        """
        lungs = self._lungs(height, width)
        per_fold = np.stack([contrast(maps, self.logits) for maps in self.fold_maps])
        raw = resize(per_fold.std(axis=0), *lungs.shape)
        return {
            name: np.where(lungs, raw[index] / span, np.float32(np.nan))
            for index, (name, (_, span)) in enumerate(zip(self.classes, self._ranges, strict=True))
        }

    @cached_property
    def _activations(self) -> Float32:
        return contrast(self.class_maps, self.logits)

    @cached_property
    def _ranges(self) -> list[tuple[np.float32, np.float32]]:
        """Lowest value and span of each class within the lungs, at the size of the prepared image."""
        lungs = self._lungs(None, None)
        if not lungs.any():
            return [(np.float32(0), np.float32(1))] * len(self.classes)
        inside = [plane[lungs] for plane in resize(self._activations, *self.lung_mask.shape)]
        return [(one.min(), max(one.max() - one.min(), np.float32(1e-30))) for one in inside]

    def _lungs(self, height: int | None, width: int | None) -> Bool:
        mask = self.lung_mask
        if height is None and width is None:
            return mask > self.mask_threshold
        try:
            rows, columns = operator.index(cast(int, height)), operator.index(cast(int, width))
            is_size = min(rows, columns) > 0 and rows * columns <= Limits().pixels
        except TypeError:
            is_size = False
        if not is_size:
            raise UsageError(
                f"heat maps: size is {height} x {width}; give height and width, whole numbers of 1 or more "
                f"with a product of at most {Limits().pixels}, or neither"
            )
        resized: Bool = resize(mask[None], rows, columns)[0] > self.mask_threshold
        return resized


def first_minus_second(maps: Mapping[str, Float32]) -> Float32 | None:
    """Return the difference of two heat maps, -1 to 1; None unless there are two."""
    if len(maps) != 2:
        return None
    first, second = maps.values()
    return first - second


def contrast(class_maps: Float32, logits: Float32) -> Float32:
    """Return each class map against the others, float32 [class, rows, columns]: Grad-CAM up to a positive factor."""
    if len(class_maps) == 2:
        return np.stack([class_maps[0] - class_maps[1], class_maps[1] - class_maps[0]])
    against = []
    for index, own in enumerate(class_maps):
        others = np.delete(logits, index)
        weights = np.exp(others - others.max())
        opposing = np.tensordot(weights / weights.sum(), np.delete(class_maps, index, axis=0), axes=1)
        against.append(own - opposing)
    return np.stack(against).astype(np.float32)


def resize(maps: Float32, height: int, width: int) -> Float32:
    """Return float32 [map, height, width] of [map, rows, columns]: bilinear, half-pixel centres, edges repeated."""
    if maps.shape[1:] == (height, width):
        return maps
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in maps])
