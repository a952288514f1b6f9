import numpy as np
import pytest

from cxrnet.evaluation.audit.changes import REFERENCE
from cxrnet.evaluation.audit.geometry import map_back
from cxrnet.imaging.radiograph import Radiograph

KINDS = ("border-black", "border-white", "scale", "rotate", "shift", "shift-down", "crop", "mirror")
MOVING = [change for change in REFERENCE if change.kind in KINDS]


@pytest.mark.parametrize("change", MOVING, ids=lambda change: change.name)
def test_what_a_change_moves_comes_back_to_its_place(change):
    rows, columns = np.mgrid[0:150, 0:170]
    blob = ((rows - 60) / 40.0) ** 2 + ((columns - 50) / 20.0) ** 2 < 1
    copy, matrix = change.apply(Radiograph.from_array(blob.astype(np.uint8) * 255))
    back = map_back(copy.pixels, matrix) if copy.pixels.shape == blob.shape else resized_back(copy.pixels, matrix)
    seen = np.isfinite(back)
    assert seen.mean() > 0.8
    assert ((back > 127) != blob)[seen].mean() < 0.02


def resized_back(pixels, matrix):
    """Map back after bringing the copy to the size of the original, as a network's input is."""
    from cxrnet.imaging.preprocess import resize

    return map_back(resize(pixels, 150, 170, "bilinear"), matrix)
