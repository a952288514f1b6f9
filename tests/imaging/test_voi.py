import numpy as np
import pydicom.pixels
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from cxrnet.imaging.radiograph import Radiograph, invert_curve
from cxrnet.imaging.voi import Display, find_display

from .conftest import header, table

VALUES = np.arange(4096, dtype=np.float64).reshape(64, 64) - 1000


def display(dataset: Dataset, values: np.ndarray = VALUES, *, warnings: list[str] | None = None) -> Display:
    noted: list[str] = [] if warnings is None else warnings
    return find_display(values, dataset, values.min(), values.max(), "xray", [], noted)


def shown(dataset: Dataset, values: np.ndarray = VALUES) -> np.ndarray:
    """What a viewer would show, 0..255."""
    grey, curve = display(dataset, values)
    pixels = ((grey - grey.min()) / np.ptp(grey) * 255).astype(np.float32)
    return Radiograph(pixels=pixels, name="xray", sha256="", format="DICOM", tone_curve=curve).displayed(pixels)


def lut(values: object, first: int = 0) -> Sequence:
    data = np.asarray(values, "<u2")
    return table(len(data), first, 16, data.tobytes())


@given(
    centre=st.integers(-1000, 4000),
    width=st.integers(2, 5000),
    function=st.sampled_from(["LINEAR", "LINEAR_EXACT", "SIGMOID"]),
)
def test_window_is_shown_as_pydicom_shows_it_and_moves_no_value(centre, width, function):
    dataset = header(WindowCenter=centre, WindowWidth=width, VOILUTFunction=function)
    with np.errstate(over="ignore"):
        expected = pydicom.pixels.apply_windowing(VALUES, dataset)
    assert display(dataset).grey is VALUES
    if np.ptp(expected) > 1:
        expected = (expected - expected.min()) / np.ptp(expected) * 255
        np.testing.assert_allclose(shown(dataset), expected, atol=2.5 if function == "SIGMOID" else 0.05)


@pytest.mark.parametrize(
    "attributes",
    [
        {"WindowWidth": 0},
        {"WindowWidth": -5},
        {"WindowWidth": 0, "VOILUTFunction": "SIGMOID"},
        {"WindowWidth": 9, "VOILUTFunction": "CUBIC"},
        {"WindowWidth": 9, "WindowCenter": 99999},
        {"WindowWidth": None},
        {"VOILUTSequence": table(99, 0, 16, b"\1\0")},
        {"VOILUTSequence": Sequence([Dataset()])},
        {"VOILUTSequence": table(4, 0, 16, bytes(8))},
        {"VOILUTSequence": table(300, 0, 16, np.arange(200, dtype="<u2").tobytes())},
    ],
)
def test_unusable_setting_is_a_warning_and_moves_no_value(attributes):
    warnings: list[str] = []
    dataset = header(**({"WindowCenter": 40} | {key: value for key, value in attributes.items() if value is not None}))
    found = display(dataset, warnings=warnings)
    assert (found.curve, len(warnings)) == ((), 1)
    assert found.grey is VALUES


def test_window_of_text_is_a_warning():
    warnings: list[str] = []
    dataset = header(WindowCenter=40)
    dataset.add_new("WindowWidth", "LO", "wide")
    display(dataset, warnings=warnings)
    assert "Window Width (0028,1051) is not a number" in warnings[0]


def test_first_of_several_windows_is_shown():
    warnings: list[str] = []
    found = display(header(WindowCenter=[100, 7], WindowWidth=[50, 7]), warnings=warnings)
    assert "several windows" in warnings[0]
    assert [round(value * 4095 / 255 - 1000) for value, _ in found.curve] == [-1000, 75, 124, 3095]


def test_table_goes_before_a_window():
    dataset = header(VOILUTSequence=lut([0, 100]), WindowCenter=0, WindowWidth=2)
    assert set(np.unique(shown(dataset, np.arange(-2.0, 4)[None]))) == {0, 255}


def test_rising_table_moves_no_value():
    dataset = header(VOILUTSequence=lut(np.arange(2048) ** 2 // 64))
    values = np.arange(2048.0)[None]
    assert display(dataset, values).grey is values
    np.testing.assert_allclose(shown(dataset, values)[0], np.arange(2048) ** 2 / 2047**2 * 255, atol=0.5)


def test_table_that_rises_but_for_rounding_moves_no_value():
    entries = np.arange(1000) * 10
    entries[::100] += 15
    values = np.arange(1000.0)[None]
    assert display(header(VOILUTSequence=lut(entries)), values).grey is values


def test_falling_table_inverts_once_and_clips_nothing():
    values = np.arange(1000.0)[None]
    dataset = header(VOILUTSequence=lut(np.clip(600 - np.arange(1000), 0, 400)))
    np.testing.assert_array_equal(display(dataset, values).grey, 999 - values)
    np.testing.assert_allclose(shown(dataset, values)[0], np.clip(600 - np.arange(1000), 0, 400) / 400 * 255, atol=0.6)


def test_table_that_changes_the_order_is_applied():
    entries = 500 - abs(np.arange(1000) - 500)
    found = display(header(VOILUTSequence=lut(entries)), np.arange(1000.0)[None])
    np.testing.assert_array_equal(found.grey[0], entries)
    assert found.curve == ()


@pytest.mark.parametrize("first", [-3, 2**16 - 3])
def test_table_begins_at_a_negative_value_whatever_its_sign(first):
    values = np.arange(-6.0, 6)[None]
    sequence = lut(np.arange(8))
    sequence[0].add_new("LUTDescriptor", "SS" if first < 0 else "US", [8, first, 16])
    expected = np.clip(np.arange(-3, 9), 0, 7) / 7 * 255
    np.testing.assert_allclose(shown(header(VOILUTSequence=sequence), values)[0], expected, atol=1e-4)


def test_table_of_8_bits_may_have_more_than_256_entries_or_be_packed():
    values = np.arange(1024.0)[None]
    long = header(VOILUTSequence=table(1024, 0, 8, (np.arange(1024) // 4).tolist(), vr="US"))
    np.testing.assert_allclose(shown(long, values)[0], np.arange(1024) // 4, atol=1)
    packed = header(VOILUTSequence=table(4, 0, 8, bytes([0, 8, 16, 255])))
    np.testing.assert_allclose(shown(packed, values[:, :4])[0], [0, 8, 16, 255], rtol=1e-6)


def test_inverted_curve_shows_the_negative():
    curve = ((0.0, 0.0), (60.0, 10.0), (255.0, 255.0))
    assert invert_curve(curve) == ((0.0, 0.0), (195.0, 245.0), (255.0, 255.0))
