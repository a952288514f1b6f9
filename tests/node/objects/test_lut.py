from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from cxrnet.node.objects.lut import shown
from tests.node.objects.conftest import save, study_of


@pytest.fixture
def made(made):
    """Function from a file to its objects, of this kind alone: the others take their time."""
    return partial(made, kinds={"gsps"})


def table(first=0, entries=256, bits=16):
    item = Dataset()
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [entries, first, bits])
    item.add_new("LUTData", "OW", np.arange(entries, dtype="<u2").tobytes())
    item.ModalityLUTType = "OD"
    return item


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


def test_nothing_is_invented():
    assert len(shown(Dataset())) == 0


def test_half_a_window_is_none():
    assert len(shown(header(WindowCenter=5))) == 0


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_a_table_survives_other_byte_orders(made, tmp_path, syntax):
    item = table()
    if syntax == ExplicitVRBigEndian:
        item["LUTData"].value = np.arange(256, dtype=">u2").tobytes()
    del item.ModalityLUTType
    dataset = study_of(VOILUTSequence=[item])
    dataset.file_meta.TransferSyntaxUID = syntax
    state = made(save(dataset, tmp_path / "chest.dcm"))["contours.gsps.dcm"]
    kept = state.SoftcopyVOILUTSequence[0].VOILUTSequence[0]
    assert list(kept.LUTDescriptor) == [256, 0, 16]
    np.testing.assert_array_equal(np.frombuffer(kept.LUTData, "<u2"), np.arange(256))
