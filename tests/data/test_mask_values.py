import pytest

from cxrnet.data.mask_values import AUTOMATIC, parse_mask_values, values_for
from cxrnet.errors import UsageError
from tests.material import CLASSES


def test_values_of_classes_are_named_in_pairs():
    values = parse_mask_values("heart=3, right lung=1,left lung=2,heart=4", "255")
    assert values.classes == (
        ("background", ("0",)),
        ("heart", ("3", "4")),
        ("right lung", ("1",)),
        ("left lung", ("2",)),
    )
    assert values_for(values, CLASSES).names == CLASSES
    assert values.void == ("255",)


def test_background_of_colours_is_black():
    assert dict(parse_mask_values("lungs=#FF0000", None).classes) == {"background": ("#000000",), "lungs": ("#ff0000",)}


def test_without_names_the_value_of_a_class_is_its_index():
    assert values_for(AUTOMATIC, CLASSES).classes == tuple((name, (str(index),)) for index, name in enumerate(CLASSES))
    assert values_for(AUTOMATIC, ("lungs", "background")) == AUTOMATIC


@pytest.mark.parametrize(
    ("text", "void", "problem"),
    [
        ("right lung=1,left lung=1", None, "--mask-values 1: has two meanings"),
        ("right lung=1,left lung=2", "2", "--mask-values 2: has two meanings"),
        ("right lung=1,2", None, r"--mask-values 2: is not CLASS=VALUE; for example 'right lung=1"),
        ("right lung=grey", None, "--mask-values grey: is not a value of a mask"),
    ],
)
def test_pairs_at_fault_are_refused(text, void, problem):
    with pytest.raises(UsageError, match=problem):
        parse_mask_values(text, void)


@pytest.mark.parametrize(
    ("text", "classes", "problem"),
    [
        (
            "1,2",
            CLASSES,
            "has the classes background, right lung, left lung, heart; give 'right lung=1,left lung=2,heart=3'",
        ),
        ("heart=1,left lung=2", CLASSES, "names background, heart, left lung, and the segmenter has background, right"),
        ("right lung=1", ("lungs", "background"), "has the classes lungs, background; give the values of lung alone"),
    ],
)
def test_values_that_do_not_fit_the_classes_are_refused(text, classes, problem):
    with pytest.raises(UsageError, match=problem):
        values_for(parse_mask_values(text, None), classes)
