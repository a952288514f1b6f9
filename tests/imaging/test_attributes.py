import pytest
from pydicom.dataset import Dataset

from cxrnet.errors import RadiographError
from cxrnet.imaging.attributes import code, integer, label, number, numbers, spacing


def dataset_of(**attributes: object) -> Dataset:
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def with_text(keyword: str, value: str) -> Dataset:
    """A numeric attribute that holds text, as a file with explicit value representations can."""
    dataset = Dataset()
    dataset.add_new(keyword, "LO", value)
    return dataset


def test_label_gives_name_and_tag():
    assert label("RescaleSlope") == "Rescale Slope (0028,1053)"


def test_numbers_are_empty_when_absent_or_without_value():
    assert numbers(Dataset(), "WindowWidth") == ()
    assert numbers(dataset_of(WindowWidth=None), "WindowWidth") == ()


@pytest.mark.parametrize("text", ["wide", "inf"])
def test_numbers_are_none_when_text_or_not_finite(text):
    assert numbers(with_text("WindowWidth", text), "WindowWidth") is None


def test_number_refuses_text():
    with pytest.raises(RadiographError, match=r"Rescale Slope \(0028,1053\) is not a number"):
        number(with_text("RescaleSlope", "ZZPHI"), "RescaleSlope", "xray", default=1)


def test_integer_refuses_what_is_missing():
    with pytest.raises(RadiographError, match=r"xray: Rows \(0028,0010\) is missing; pixels cannot be read"):
        integer(Dataset(), "Rows", "xray")


def test_integer_refuses_fractions():
    with pytest.raises(RadiographError, match="is not a whole number"):
        integer(with_text("Rows", "1.5"), "Rows", "xray")


def test_code_joins_several_values():
    assert code(dataset_of(PatientOrientation=["L", "F"]), "PatientOrientation") == "L\\F"


def test_code_does_not_let_free_text_through():
    dataset = with_text("Columns", "John Smith, born 1950")
    assert code(dataset, "Columns") == "?"


def test_spacing_prefers_the_calibrated_one():
    found, steps, _ = spacing(dataset_of(PixelSpacing=[0.2, 0.1], ImagerPixelSpacing=[0.3, 0.3]))
    assert found == (0.2, 0.1)
    assert steps == ["spacing 0.2 x 0.1 mm from Pixel Spacing (0028,0030)"]


def test_spacing_at_the_detector_is_divided_by_the_magnification():
    found, steps, _ = spacing(dataset_of(ImagerPixelSpacing=[0.22, 0.22], EstimatedRadiographicMagnificationFactor=1.1))
    assert found == pytest.approx((0.2, 0.2))
    assert steps[1].endswith("(0018,1114) 1.1")


@pytest.mark.parametrize("value", [[0, 0], [-1, 1], [0.1]])
def test_spacing_is_ignored_with_a_warning_when_unusable(value):
    found, _, warnings = spacing(dataset_of(ImagerPixelSpacing=value))
    assert found is None
    assert "(0018,1164)" in warnings[0]
    assert "not usable and was ignored" in warnings[0]


def test_spacing_ignores_a_magnification_of_0():
    found, _, warnings = spacing(dataset_of(ImagerPixelSpacing=[0.2, 0.2], EstimatedRadiographicMagnificationFactor=0))
    assert found == (0.2, 0.2)
    assert len(warnings) == 1
