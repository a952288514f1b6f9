"""The lungs of one radiograph."""

from __future__ import annotations

from dataclasses import dataclass

from cxrnet.arrays import Bool, Float32
from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.heatmap import resize


@dataclass(frozen=True, kw_only=True, eq=False)
class Segmentation:
    """The lungs of one radiograph: `probability` float32 [height, width] in [0, 1], of the prepared image's size."""

    radiograph: Radiograph
    probability: Float32

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


def lung_area_fraction(probability: Float32) -> float:
    """Return the share of pixels whose lung probability is above 0.5."""
    return float((probability > 0.5).mean())


def lungs_at(probability: Float32, height: int, width: int) -> Bool:
    """Return the lung mask, bool [height, width], at another size: resized probability above 0.5."""
    mask: Bool = resize(probability[None], height, width)[0] > 0.5
    return mask
