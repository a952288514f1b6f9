import numpy as np
import pydicom.pixels
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxrnet.errors import RadiographError
from cxrnet.imaging.greyscale import apply_modality, apply_voi, find_padding, is_inverted, is_uneven
from cxrnet.imaging.levels import find_levels
from cxrnet.imaging.radiograph import scale

from .conftest import dicom_of

VALUES = np.arange(4096, dtype=np.float64).reshape(64, 64) - 1000


def header(**attributes: object) -> Dataset:
    dataset = dicom_of(np.zeros((64, 64), np.uint16))
    dataset.set_original_encoding(False, True)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def table(entries: int, first: int, bits: int, data: object, *, vr: str = "OW") -> Sequence:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries, first, bits])
    item.add_new("LUTData", vr, data)
    return Sequence([item])


def voi(dataset: Dataset, values: np.ndarray = VALUES) -> np.ndarray:
    return apply_voi(values, dataset, "film", [], [])


def modality(dataset: Dataset, values: np.ndarray = VALUES) -> np.ndarray:
    return apply_modality(values, dataset, "film", [])


def test_modality_applies_slope_and_intercept():
    np.testing.assert_array_equal(modality(header(RescaleSlope=2, RescaleIntercept=-7)), VALUES * 2 - 7)


def test_modality_applies_an_intercept_without_slope():
    np.testing.assert_array_equal(modality(header(RescaleIntercept=5)), VALUES + 5)


def test_modality_tells_its_step():
    history: list[str] = []
    apply_modality(VALUES, header(RescaleSlope=1, RescaleIntercept=-1024), "film", history)
    assert history == ["rescaled by slope 1 and intercept -1024 (0028,1053)"]


def test_modality_refuses_a_slope_of_0():
    with pytest.raises(RadiographError, match=r"film: Rescale Slope \(0028,1053\) is 0; the slope must not be 0"):
        modality(header(RescaleSlope=0, RescaleIntercept=0))


def test_modality_table_of_12_bits_is_looked_up():
    data = (np.arange(16, dtype="<u2") ** 2).tobytes()
    looked_up = modality(header(ModalityLUTSequence=table(16, 0, 12, data)), np.arange(-4.0, 20).reshape(4, 6))
    np.testing.assert_array_equal(looked_up.ravel(), np.clip(np.arange(-4, 20), 0, 15) ** 2)


def test_voi_table_starts_at_a_negative_value():
    data = np.arange(8, dtype="<u2").tobytes()
    looked_up = voi(header(VOILUTSequence=table(8, -3, 16, data)), np.arange(-6.0, 6).reshape(3, 4))
    np.testing.assert_array_equal(looked_up.ravel(), np.clip(np.arange(-3, 9), 0, 7))


def test_voi_table_of_8_bits_may_have_more_than_256_entries():
    entries = np.arange(1024) // 4
    looked_up = voi(header(VOILUTSequence=table(1024, 0, 8, entries.tolist(), vr="US")), np.arange(1024.0)[None])
    np.testing.assert_array_equal(looked_up[0], entries)


def test_voi_table_of_8_bits_may_be_packed():
    looked_up = voi(header(VOILUTSequence=table(4, 0, 8, bytes([9, 8, 7, 6]))), np.arange(4.0)[None])
    np.testing.assert_array_equal(looked_up, [[9, 8, 7, 6]])


def test_voi_table_goes_before_a_window():
    dataset = header(VOILUTSequence=table(2, 0, 16, b"\1\0\2\0"), WindowCenter=0, WindowWidth=2)
    assert set(np.unique(voi(dataset))) == {1, 2}


def test_voi_table_that_is_too_short_is_refused():
    with pytest.raises(RadiographError, match=r"LUT Data \(0028,3006\) is shorter than LUT Descriptor"):
        voi(header(VOILUTSequence=table(99, 0, 16, b"\1\0")))


def test_voi_table_without_descriptor_is_refused():
    with pytest.raises(RadiographError, match=r"reading VOI LUT Sequence \(0028,3010\) failed \(AttributeError\)"):
        voi(header(VOILUTSequence=Sequence([Dataset()])))


@given(
    centre=st.integers(-1000, 4000),
    width=st.integers(1, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_voi_window_equals_pydicom_after_scaling(centre, width, function):
    dataset = header(WindowCenter=centre, WindowWidth=width, VOILUTFunction=function)
    ours = voi(dataset)
    with np.errstate(over="ignore"):
        theirs = pydicom.pixels.apply_windowing(VALUES, dataset)
    if ours.min() == ours.max():
        return
    if function == "LINEAR" and width == 1:
        assert len(np.unique(ours)) == 2
        return
    np.testing.assert_allclose(scale("film", ours), scale("film", theirs), atol=2e-3)


def test_voi_takes_the_first_of_several_windows_and_says_so():
    warnings: list[str] = []
    history: list[str] = []
    dataset = header(WindowCenter=[100, 7], WindowWidth=[50, 7])
    windowed = apply_voi(VALUES, dataset, "film", history, warnings)
    assert (windowed.min(), windowed.max()) == (75, 124)
    assert history == ["windowed 100/50 LINEAR (0028,1050)"]
    assert warnings == ["Window Center (0028,1050) has several windows; the first was used"]


def test_voi_ignores_a_centre_without_width_and_says_so():
    warnings: list[str] = []
    apply_voi(VALUES, header(WindowCenter=100), "film", [], warnings)
    assert "do not come together" in warnings[0]


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        ({"WindowWidth": 0}, r"Window Width \(0028,1051\) is 0 for LINEAR; it must be at least 1"),
        ({"WindowWidth": -5}, "is -5 for LINEAR"),
        ({"WindowWidth": 0, "VOILUTFunction": "SIGMOID"}, "is 0 for SIGMOID; it must be greater than 0"),
        ({"WindowWidth": 9, "VOILUTFunction": "CUBIC"}, r"VOI LUT Function \(0028,1056\) is not known"),
    ],
)
def test_voi_refuses_a_window(attributes, words):
    with pytest.raises(RadiographError, match=words):
        voi(header(WindowCenter=40, **attributes))


def test_voi_refuses_a_window_of_text():
    dataset = header(WindowCenter=40)
    dataset.add_new("WindowWidth", "LO", "wide")
    with pytest.raises(RadiographError, match=r"Window Width \(0028,1051\) is not a number"):
        voi(dataset)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted", "warned"),
    [
        ("MONOCHROME1", "INVERSE", True, False),
        ("MONOCHROME1", None, True, False),
        ("MONOCHROME2", "IDENTITY", False, False),
        ("MONOCHROME2", "INVERSE", False, True),
        ("MONOCHROME1", "IDENTITY", True, True),
    ],
)
def test_polarity_follows_the_photometric_interpretation(photometric, shape, inverted, warned):
    warnings: list[str] = []
    dataset = header(PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert is_inverted(dataset, warnings) == inverted
    assert bool(warnings) == warned


def test_padding_is_a_range_when_a_limit_is_given():
    dataset = header(PixelPaddingValue=10, PixelPaddingRangeLimit=12)
    padding = find_padding(_levels(np.arange(20)), dataset, [])
    assert padding is not None
    assert np.flatnonzero(padding[0]).tolist() == [10, 11, 12]


def test_padding_is_none_when_no_pixel_has_its_value():
    assert find_padding(_levels(np.arange(20)), header(PixelPaddingValue=99), []) is None


def test_share_of_the_padding_is_that_of_the_pixels():
    history: list[str] = []
    find_padding(_levels(np.array([3, 3, 3, 7])), header(PixelPaddingValue=3), history)
    assert history == ["took 75.0% of the pixels for padding (0028,0120)"]


@pytest.mark.parametrize(
    ("tags", "uneven"),
    [
        ({}, False),
        ({"WindowCenter": 10, "WindowWidth": 4, "RescaleSlope": -1, "RescaleIntercept": 0}, False),
        ({"PixelPaddingValue": 0}, True),
        ({"VOILUTSequence": table(3, 0, 8, b"\0\5\2\0")}, True),
        ({"ModalityLUTSequence": table(3, 0, 8, b"\0\5\2\0")}, True),
    ],
)
def test_tables_and_padding_are_uneven(tags, uneven):
    assert is_uneven(header(**tags)) == uneven


def _levels(stored):
    return find_levels(stored[None].astype(np.uint16), counted=True)
