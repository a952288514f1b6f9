"""Made-up findings for the tests of the panel."""

from dataclasses import replace

import numpy as np

from cxrnet import Finding, HeatMaps, Radiograph
from cxrnet.screening.gate import Reason
from tests.plots.material import lung_mask, radiograph

MODEL = {"name": "published-v7", "version": "1.0", "sha256": "3f9ac2d1" * 8}


def heatmap(height=120, width=136):
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None].repeat(width, axis=1)
    return np.where(lung_mask(height, width), ramp, np.float32(np.nan))


class DrawnMaps(HeatMaps):
    """Heat maps that are given as they are, at the size of the radiograph."""

    def __init__(self, drawn):
        super().__init__(
            classes=tuple(drawn), class_maps=None, fold_maps=None, logits=None, lung_mask=None, mask_threshold=0.3
        )
        object.__setattr__(self, "drawn", drawn)

    def maps(self, height=None, width=None):
        return self.drawn


def finding(*, height, width, status, pixels=None, name="chest.dcm", **parts):
    image = Radiograph.from_array(radiograph(height, width) if pixels is None else pixels)
    return Finding(
        input=name,
        status=status,
        model=MODEL,
        radiograph=replace(image, name=name),
        lung_probability=lung_mask(height, width).astype(np.float32),
        **parts,
    )


def scored(*, height=120, width=136, scores=None, folds=None, heatmaps=None, **changes):
    scores = {"covid": 0.94, "non-covid": 0.06} if scores is None else scores
    folds = folds or {name: [score] * 6 for name, score in scores.items()}
    parts = {
        "scores": scores,
        "folds": folds,
        "heatmaps": DrawnMaps(heatmaps or dict.fromkeys(scores, heatmap(height, width))),
        "lung_area_fraction": 0.3,
    }
    return finding(height=height, width=width, status="scored", **(parts | changes))


def refused(*, height=120, width=136, **changes):
    reasons = (Reason("LUNG_AREA", "lungs cover 2 % of the image; 8-70 % is plausible"),)
    parts = {"reasons": reasons, "lung_area_fraction": 0.02}
    return finding(height=height, width=width, status="refused", **(parts | changes))
