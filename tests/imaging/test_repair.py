"""Data sets whose structure is damaged around pixels that are whole."""

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit

from cxrnet.errors import RadiographError

from .conftest import dicom_of, read, save

PRIVATE = pydicom.tag.Tag(0x0011, 0x1001)


def private(path, ramp):
    dataset = dicom_of(ramp)
    dataset.add_new((0x0011, 0x0010), "LO", "ACME")
    dataset.add_new(PRIVATE, "SH", "ABCD")
    return save(dataset, path)


def change(path, old, new):
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    return read(path)


@pytest.mark.parametrize("header", [b"??\4\0", b"  \4\0", b"\0\0\4\0", b"ox\4\0", b"??\0\0\4\0\0\0", b"ZZ\4\0"])
def test_unknown_value_representation_before_the_pixels_is_read_over(tmp_path, ramp, header):
    path = private(tmp_path / "xray.dcm", ramp)
    expected = read(path).pixels
    np.testing.assert_array_equal(change(path, b"SH\4\0ABCD", header + b"ABCD").pixels, expected)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("trailer", [b"\0" * 100, b"\xff" * 64, b"JUNK" * 9, b"\0"])
def test_bytes_behind_the_data_set_are_left_out(tmp_path, ramp, trailer, syntax):
    dataset = dicom_of(ramp)
    if syntax == "implicit":
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset["PixelData"].VR = "OW"
    path = save(dataset, tmp_path / "xray.dcm")
    expected = read(path).pixels
    path.write_bytes(path.read_bytes() + trailer)
    np.testing.assert_array_equal(read(path).pixels, expected)


@pytest.mark.parametrize("left", [-8, -4, -2])
@pytest.mark.parametrize("trailer", [b"", b"\0" * 16])
def test_missing_delimiter_behind_a_compressed_frame_is_added(tmp_path, left, trailer):
    import cv2

    grey = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    dataset = dicom_of(grey)
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([cv2.imencode(".jpg", grey)[1].tobytes()])
    dataset["PixelData"].is_undefined_length = True
    path = save(dataset, tmp_path / "xray.dcm")
    expected = read(path).pixels
    path.write_bytes(path.read_bytes()[:left] + trailer)
    np.testing.assert_array_equal(read(path).pixels, expected)


def test_repair_is_a_warning(tmp_path, ramp):
    path = private(tmp_path / "xray.dcm", ramp)
    assert any("repaired" in warning for warning in change(path, b"SH\4\0ABCD", b"??\4\0ABCD").warnings)


def test_file_without_pixels_stays_one(tmp_path, ramp):
    path = save(dicom_of(ramp, PixelData=None), tmp_path / "xray.dcm")
    with pytest.raises(RadiographError, match="no pixel data"):
        read(path)


@pytest.mark.parametrize("syntax", ["explicit", "implicit"])
@pytest.mark.parametrize("items", [1, 2])
def test_missing_delimiter_behind_a_sequence_is_added(tmp_path, ramp, syntax, items):
    item = pydicom.Dataset()
    item.add_new(PRIVATE, "SH", "ABCD")
    dataset = dicom_of(ramp)
    dataset.add_new((0x0071, 0x1001), "SQ", [item] * items)
    dataset[0x0071, 0x1001].is_undefined_length = True
    for each in dataset[0x0071, 0x1001].value:
        each.is_undefined_length_sequence_item = True
    if syntax == "implicit":
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset["PixelData"].VR = "OW"
    path = save(dataset, tmp_path / "xray.dcm")
    expected = read(path).pixels
    read_again = change(path, bytes.fromhex("feffdde000000000"), b"")
    np.testing.assert_array_equal(read_again.pixels, expected)
    assert any("repaired" in warning for warning in read_again.warnings)
