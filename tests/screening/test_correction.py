import numpy as np
import pytest

from cxrnet.imaging.radiograph import Radiograph
from cxrnet.screening.correction import correct_orientation


def radiograph():
    pixels = np.arange(70 * 80, dtype=np.uint16).reshape(70, 80)
    return Radiograph.from_array(pixels, spacing_mm=(0.2, 0.3))


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("is_inverted", [False, True])
def test_rotated_and_inverted_radiograph_is_restored(turn, is_inverted):
    right = radiograph()
    wrong = np.rot90(255 - right.pixels if is_inverted else right.pixels, turn // 90)
    spacing = (0.3, 0.2) if turn % 180 else (0.2, 0.3)
    changed = Radiograph(pixels=np.ascontiguousarray(wrong), name="x", sha256="", format="PNG", spacing_mm=spacing)
    back, steps = correct_orientation(changed, is_inverted=is_inverted, turn=turn)
    np.testing.assert_allclose(back.pixels, right.pixels, atol=1e-4)
    assert back.spacing_mm == (0.2, 0.3)
    assert back.history == steps
    assert len(steps) == is_inverted + bool(turn)
