"""The lungs of one radiograph."""

from dataclasses import dataclass

import numpy as np

from cxrnet.arrays import Bool, Float32, UInt8
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.model.segmenter_classes import has_label_maps
from cxrnet.screening.heatmap import resize


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """What a segmenter of more than two classes finds in one radiograph."""

    classes: tuple[str, ...]  # their names, `background` first
    probability: Float32  # float32 [class, height, width] in [0, 1], of the prepared image's size

    def labels(self, height: int, width: int) -> UInt8:
        """Return the index of the likeliest class, uint8 [height, width], at another size."""
        return np.asarray(resize(self.probability, height, width).argmax(axis=0), np.uint8)


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """The lungs of one radiograph: `probability` float32 [height, width] in [0, 1], of the prepared image's size.

    `anatomy` is there with a segmenter of more than two classes.
    """

    radiograph: Radiograph
    probability: Float32
    anatomy: Anatomy | None = None

    @property
    def area_fraction(self) -> float:
        """Share of the image that is lung, 0 to 1."""
        return lung_area_fraction(self.probability)

    @property
    def area_cm2(self) -> float | None:
        """Area of the lungs in the plane of the detector; None where the pixel spacing is not known."""
        if self.radiograph.spacing_mm is None:
            return None
        row, column = self.radiograph.spacing_mm
        return self.area_fraction * self.radiograph.pixels.size * row * column / 100


def anatomy_of(probability: Float32 | None, classes: tuple[str, ...]) -> Anatomy | None:
    """Return what a segmenter found, float32 [class, height, width]; None of one of two classes."""
    if probability is None or not has_label_maps(classes):
        return None
    return Anatomy(classes=classes, probability=probability)


def lung_area_fraction(probability: Float32) -> float:
    """Return the share of pixels whose lung probability is above 0.5."""
    return float((probability > 0.5).mean())


def lungs_at(probability: Float32, height: int, width: int) -> Bool:
    """Return the lung mask, bool [height, width], at another size: resized probability above 0.5."""
    mask: Bool = resize(probability[None], height, width)[0] > 0.5
    return mask
