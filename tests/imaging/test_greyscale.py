import numpy as np
import pytest
from pydicom.dataset import Dataset

from cxrnet.errors import RadiographError
from cxrnet.imaging.greyscale import apply_modality, find_padding, is_inverted, is_uneven
from cxrnet.imaging.levels import find_levels

from .conftest import header, table

VALUES = np.arange(4096, dtype=np.float64).reshape(64, 64) - 1000


def modality(dataset: Dataset, values: np.ndarray = VALUES) -> np.ndarray:
    return apply_modality(values, dataset, "xray", [])


def test_modality_applies_slope_and_intercept():
    np.testing.assert_array_equal(modality(header(RescaleSlope=2, RescaleIntercept=-7)), VALUES * 2 - 7)


def test_modality_applies_an_intercept_without_slope():
    np.testing.assert_array_equal(modality(header(RescaleIntercept=5)), VALUES + 5)


def test_modality_tells_its_step():
    history: list[str] = []
    apply_modality(VALUES, header(RescaleSlope=1, RescaleIntercept=-1024), "xray", history)
    assert history == ["rescaled by slope 1 and intercept -1024 (0028,1053)"]


def test_modality_refuses_a_slope_of_0():
    with pytest.raises(RadiographError, match=r"xray: Rescale Slope \(0028,1053\) is 0; the slope must not be 0"):
        modality(header(RescaleSlope=0, RescaleIntercept=0))


@pytest.mark.parametrize(("first", "written_as"), [(-1000, "SS"), (-1000, "US"), (40000, "US"), (40000, "SS")])
def test_modality_table_begins_where_the_pixels_are_whatever_its_sign(first, written_as):
    sequence = table(4, 0, 16, np.arange(4, dtype="<u2").tobytes())
    number = first + 2**16 * ((written_as == "US") - (first > 32767)) if first < 0 or written_as == "SS" else first
    sequence[0].add_new("LUTDescriptor", written_as, [4, number, 16])
    looked_up = modality(header(ModalityLUTSequence=sequence), np.arange(first, first + 4.0)[None])
    np.testing.assert_array_equal(looked_up, [[0, 1, 2, 3]])


def test_modality_table_that_is_too_short_is_refused():
    with pytest.raises(RadiographError, match=r"LUT Data \(0028,3006\)"):
        modality(header(ModalityLUTSequence=table(99, 0, 16, b"\1\0")))


def test_modality_table_of_12_bits_is_looked_up():
    data = (np.arange(16, dtype="<u2") ** 2).tobytes()
    looked_up = modality(header(ModalityLUTSequence=table(16, 0, 12, data)), np.arange(-4.0, 20).reshape(4, 6))
    np.testing.assert_array_equal(looked_up.ravel(), np.clip(np.arange(-4, 20), 0, 15) ** 2)


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
    padding = find_padding(_levels(np.arange(20)), dataset, [], [])
    assert padding is not None
    assert np.flatnonzero(padding[0]).tolist() == [10, 11, 12]


@pytest.mark.parametrize(
    ("stored", "bits", "written"),
    [(-32768, 16, 32768), (-2048, 12, 0xF800), (-2048, 12, 0x0800), (-2048, 12, -2048), (40000, 16, 40000 - 2**16)],
)
def test_padding_of_the_other_signedness_is_found(stored, bits, written):
    is_signed = stored < 0
    dataset = header(BitsAllocated=16, BitsStored=bits, PixelRepresentation=int(is_signed))
    dataset.add_new("PixelPaddingValue", "SS" if written < 0 else "US", written)
    values = np.array([[stored, 5, 6, 7]], np.int16 if is_signed else np.uint16)
    padding = find_padding(find_levels(values, counted=True), dataset, [], [])
    assert padding is not None
    assert padding.sum() == 1


def test_there_is_no_padding_when_no_pixel_has_its_value():
    assert find_padding(_levels(np.arange(20)), header(PixelPaddingValue=99), [], []) is None


def test_padding_of_every_pixel_is_ignored_with_a_warning():
    warnings: list[str] = []
    dataset = header(PixelPaddingValue=0, PixelPaddingRangeLimit=4095)
    assert find_padding(_levels(np.arange(20)), dataset, [], warnings) is None
    assert warnings == ["Pixel Padding Value (0028,0120) covers the whole image and was ignored"]


def test_share_of_the_padding_is_that_of_the_pixels():
    history: list[str] = []
    find_padding(_levels(np.array([3, 3, 3, 7])), header(PixelPaddingValue=3), history, [])
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
