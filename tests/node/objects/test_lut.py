from functools import partial

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from cxrnet.node.objects.lut import shown
from tests.node.objects.conftest import save, study_of, table


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"gsps"})


def header(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def test_a_window_is_kept():
    grey = shown(header(WindowCenter=["100", "50"], WindowWidth=["200", "60"], VOILUTFunction="SIGMOID"))
    (item,) = grey.SoftcopyVOILUTSequence
    assert (item.WindowCenter, item.WindowWidth, item.VOILUTFunction) == (100, 200, "SIGMOID")


def test_a_table_goes_before_a_window():
    (item,) = shown(header(WindowCenter=1, WindowWidth=2, VOILUTSequence=[table()])).SoftcopyVOILUTSequence
    assert "WindowCenter" not in item
    assert list(item.VOILUTSequence[0].LUTDescriptor) == [256, 0, 16]


def test_a_modality_table_is_kept_with_its_kind():
    grey = shown(header(ModalityLUTSequence=[table(first=-5)]))
    (item,) = grey.ModalityLUTSequence
    assert list(item.LUTDescriptor) == [256, -5, 16]
    assert item["LUTDescriptor"].VR == "SS"
    assert item.ModalityLUTType == "OD"


def test_slope_and_intercept_are_kept_in_16_characters():
    grey = shown(header(RescaleSlope="0.3333333333333", RescaleIntercept="-1024"))
    assert (float(grey.RescaleSlope), float(grey.RescaleIntercept), grey.RescaleType) == (0.3333333333333, -1024, "US")


def test_an_intercept_alone_has_the_slope_1():
    grey = shown(header(RescaleIntercept="-1024", WindowCenter=1000, WindowWidth=2000))
    assert (grey.RescaleSlope, grey.RescaleIntercept) == (1, -1024)


@pytest.mark.parametrize(("width", "function"), [(0, ""), (0.5, "LINEAR"), (0, "LINEAR_EXACT"), (9, "CUBIC")])
def test_a_window_that_cannot_be_applied_is_left_out(width, function):
    assert len(shown(header(WindowCenter=5, WindowWidth=width, VOILUTFunction=function))) == 0


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_voi_table_of_any_depth_shows_the_same_greys(made, tmp_path, bits):
    path = save(study_of(VOILUTSequence=[table(bits)]), tmp_path / "chest.dcm")
    source, state = pydicom.dcmread(path), made(path)["contours.gsps.dcm"]
    stored = source.pixel_array
    seen = apply_voi(stored, source) / (2**bits - 1)
    voi = state.SoftcopyVOILUTSequence[0]
    assert voi.VOILUTSequence[0].LUTDescriptor[2] == 16
    np.testing.assert_allclose(apply_voi(stored, voi) / (2**16 - 1), seen, atol=1e-5)


def test_a_modality_table_of_12_bits_keeps_its_values_and_their_range():
    grey = shown(header(ModalityLUTSequence=[table(12)]))
    (item,) = grey.ModalityLUTSequence
    assert list(item.LUTDescriptor) == [256, 0, 16]
    np.testing.assert_array_equal(np.frombuffer(item.LUTData, "<u2"), np.frombuffer(table(12).LUTData, "<u2"))
    (window,) = grey.SoftcopyVOILUTSequence
    assert (window.WindowCenter, window.WindowWidth) == (2048, 4096)


def test_a_first_value_written_as_unsigned_is_negative_in_a_signed_image():
    item = table(first=0)
    item.LUTDescriptor = [256, 65536 - 100, 16]
    grey = shown(header(PixelRepresentation=1, VOILUTSequence=[item]))
    assert list(grey.SoftcopyVOILUTSequence[0].VOILUTSequence[0].LUTDescriptor) == [256, -100, 16]


def test_nothing_is_invented():
    assert len(shown(Dataset())) == 0


def test_half_a_window_is_not_a_window():
    assert len(shown(header(WindowCenter=5))) == 0


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_table_survives_other_byte_orders(made, tmp_path, syntax):
    item = table()
    if syntax == ExplicitVRBigEndian:
        item["LUTData"].value = np.frombuffer(item.LUTData, "<u2").astype(">u2").tobytes()
    del item.ModalityLUTType
    dataset = study_of(VOILUTSequence=[item])
    dataset.file_meta.TransferSyntaxUID = syntax
    state = made(save(dataset, tmp_path / "chest.dcm"))["contours.gsps.dcm"]
    kept = state.SoftcopyVOILUTSequence[0].VOILUTSequence[0]
    assert list(kept.LUTDescriptor) == [256, 0, 16]
    np.testing.assert_array_equal(np.frombuffer(kept.LUTData, "<u2"), np.frombuffer(table().LUTData, "<u2"))


def test_modality_table_without_a_unit_fills_16_bits_and_its_window_follows():
    item = table(12)
    item.ModalityLUTType = "US"
    grey = shown(header(ModalityLUTSequence=[item], WindowCenter=2048, WindowWidth=4096))
    (voi,) = grey.SoftcopyVOILUTSequence
    low, high = (float(voi.WindowCenter) - 0.5 + side * (float(voi.WindowWidth) - 1) / 2 for side in (-1, 1))
    assert np.frombuffer(grey.ModalityLUTSequence[0].LUTData, "<u2").max() == 0xFFFF
    assert (low, high) == pytest.approx((0, 0xFFFF), abs=0.01)


def test_modality_table_with_a_unit_keeps_its_values():
    before, after = table(12), shown(header(ModalityLUTSequence=[table(12)])).ModalityLUTSequence[0]
    assert after.ModalityLUTType == "OD"
    assert bytes(after.LUTData) == bytes(before.LUTData)


def test_a_table_of_bytes_fills_whole_words():
    (item,) = shown(header(VOILUTSequence=[table(8, entries=255)])).SoftcopyVOILUTSequence
    made = item.VOILUTSequence[0]
    assert list(made.LUTDescriptor) == [256, 0, 8]
    assert made.LUTData == table(8, entries=255).LUTData + b"\xff"


@pytest.mark.parametrize(
    "broken", [{}, {"LUTDescriptor": [256, 0, 16]}, {"LUTDescriptor": [256, 0, 16], "LUTData": b"12"}]
)
def test_a_damaged_voi_table_is_left_out_as_the_reader_leaves_it_out(broken):
    assert len(shown(header(VOILUTSequence=[header(**broken)], WindowCenter=5, WindowWidth=9))) == 0
