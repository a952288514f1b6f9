import pytest

from cxrnet.model.segmenter_classes import check_classes, lung_channels, swapped_sides
from tests.material import CLASSES


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (("background", "heart"), "one of them must be lungs, or two right lung and left lung"),
        (("background", "left lung", "heart"), "one of them must be lungs, or two right lung and left lung"),
        (("background", "lungs", "right lung", "left lung"), "one of them must be lungs"),
        (("right lung", "left lung"), "one of them must be background"),
        (("lungs", "heart", "background"), "of more than two the first must be background"),
    ],
)
def test_classes_at_fault_are_refused(classes, problem):
    with pytest.raises(ValueError, match=problem):
        check_classes(classes)


def test_lungs_are_known_by_name():
    assert lung_channels(CLASSES) == (1, 2)
    assert lung_channels(("background", "lung", "heart")) == (1,)


def test_sides_change_in_a_mirrored_image():
    assert swapped_sides((*CLASSES, "left clavicle", "right clavicle")) == (0, 2, 1, 3, 5, 4)
    with pytest.raises(ValueError, match="mirrored images need right clavicle as well"):
        swapped_sides((*CLASSES, "left clavicle"))
