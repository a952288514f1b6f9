import importlib.metadata
from pathlib import Path

import gdcm
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Fault

from .conftest import dicom_of, read, recompress, save


def sample(name: str) -> Path:
    """A file of the pydicom-data package."""
    found = [each for each in importlib.metadata.files("pydicom-data") or [] if each.name == name]
    return Path(str(found[0].locate()))


def scaled(pixels: np.ndarray) -> np.ndarray:
    low, high = int(pixels.min()), int(pixels.max())
    return ((pixels.astype(np.float64) - low) / (high - low) * 255).astype(np.float32)


def test_pixels_are_scaled_from_their_own_range(write_dicom, ramp):
    radiograph = read(write_dicom(ramp))
    np.testing.assert_allclose(radiograph.pixels, scaled(ramp), atol=1e-4)
    assert radiograph.history == (
        "read DICOM, 80 x 64, 16-bit MONOCHROME2, Explicit VR Little Endian",
        "scaled from 0..5119 to 0..255",
    )


def test_monochrome1_is_inverted_once(write_dicom, ramp):
    upright = read(write_dicom(ramp)).pixels
    negative = read(write_dicom(5119 - ramp, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(negative.pixels, upright)
    assert negative.history.count("inverted once for MONOCHROME1 (0028,0004)") == 1


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_window_moves_no_pixel_but_what_is_shown(write_dicom, ramp, photometric):
    plain = read(write_dicom(ramp, PhotometricInterpretation=photometric))
    window = {"WindowCenter": 1000, "WindowWidth": 801, "PhotometricInterpretation": photometric}
    windowed = read(write_dicom(ramp, **window))
    np.testing.assert_array_equal(windowed.pixels, plain.pixels)
    shown = windowed.displayed(windowed.pixels).ravel()
    dark, bright = (shown[:500], shown[1500:]) if photometric == "MONOCHROME2" else (shown[1500:], shown[:500])
    assert ((dark == 0).all(), (bright == 255).all()) == (True, True)


@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["implicit", "big endian", "deflated", "RLE", "J2K", "JPEG-LS", "JPEG lossless"])
def test_twins_give_equal_pixels(tmp_path, ramp, bits, photometric, signed, syntax):
    picture = ramp % 1000
    stored = 999 - picture if photometric == "MONOCHROME1" else picture
    pixels = stored.astype(np.int16) - 500 if signed else stored.astype(np.uint16)
    dataset = dicom_of(pixels, bits=bits, PhotometricInterpretation=photometric)
    path = tmp_path / "xray.dcm"
    if syntax in ("RLE", "J2K"):
        uid = RLELossless if syntax == "RLE" else JPEG2000Lossless
        dataset.compress(uid, generate_instance_uid=False)
        save(dataset, path)
    elif syntax in ("JPEG-LS", "JPEG lossless"):
        kind = gdcm.TransferSyntax.JPEGLSLossless
        if syntax == "JPEG lossless":
            kind = gdcm.TransferSyntax.JPEGLosslessProcess14_1
        recompress(save(dataset, path), kind)
    else:
        if syntax == "big endian":
            dataset.PixelData = pixels.byteswap().tobytes()
        dataset.file_meta.TransferSyntaxUID = {
            "implicit": ImplicitVRLittleEndian,
            "big endian": ExplicitVRBigEndian,
            "deflated": DeflatedExplicitVRLittleEndian,
        }[syntax]
        dataset.save_as(path, enforce_file_format=True)
    np.testing.assert_array_equal(read(path).pixels, read(save(dicom_of(picture), tmp_path / "plain.dcm")).pixels)


@pytest.mark.parametrize("xray", ["RG1", "RG3"])
def test_lossless_jpeg_2000_xray_equals_its_uncompressed_twin(xray):
    plain, compressed = read(sample(f"{xray}_UNCR.dcm")), read(sample(f"{xray}_J2KR.dcm"))
    np.testing.assert_array_equal(compressed.pixels, plain.pixels)


def test_xray_has_white_bones_and_black_air():
    pixels = read(sample("RG1_UNCR.dcm")).pixels
    spine, right_lung = pixels[300:600, 880:960].mean(), pixels[300:600, 300:500].mean()
    assert spine > right_lung + 40


def test_12_bit_jpeg_is_decoded_close_to_its_lossless_twin():
    lossy = read(Path(pydicom.data.get_testdata_file("JPGExtended.dcm", download=False))).pixels
    lossless = read(Path(pydicom.data.get_testdata_file("JPEG-LL.dcm", download=False))).pixels
    assert np.corrcoef(lossy.ravel(), lossless.ravel())[0, 1] > 0.98


def test_modality_table_equals_pydicom():
    dataset = pydicom.dcmread(sample("mlut_18.dcm"))
    expected = pydicom.pixels.apply_modality_lut(dataset.pixel_array, dataset)
    np.testing.assert_allclose(read(sample("mlut_18.dcm")).pixels, scaled(expected), atol=1e-4)


def test_voi_table_equals_pydicom():
    dataset = pydicom.dcmread(sample("vlut_04.dcm"))
    expected = pydicom.pixels.apply_voi_lut(dataset.pixel_array, dataset)
    np.testing.assert_allclose(read(sample("vlut_04.dcm")).pixels, scaled(expected), atol=1e-4)


def test_padding_becomes_background_in_monochrome1_and_does_not_count(write_dicom, ramp):
    ramp[0] = 60000
    attributes = {"PixelPaddingValue": 60000, "PhotometricInterpretation": "MONOCHROME1"}
    pixels = read(write_dicom(ramp, **attributes)).pixels
    assert (pixels[0] == 0).all()
    assert pixels[1:].max() == 255


def test_8_bit_dicom_is_scaled_too(write_dicom, ramp):
    pixels = read(write_dicom((ramp % 100).astype(np.uint8))).pixels
    assert (pixels.min(), pixels.max()) == (0, 255)


def float_dicom(tmp_path: Path, values: np.ndarray) -> Path:
    dataset = dicom_of(np.zeros(values.shape, np.uint32), PixelData=None, BitsStored=None, HighBit=None)
    dataset.FloatPixelData = values.astype("<f4").tobytes()
    return save(dataset, tmp_path / "float.dcm")


def test_float_pixel_data_is_read(tmp_path, ramp):
    np.testing.assert_allclose(read(float_dicom(tmp_path, ramp / 7 - 3)).pixels, scaled(ramp), atol=1e-3)


def test_float_pixel_data_with_nan_is_refused(tmp_path, ramp):
    values = ramp.astype(np.float32)
    values[3, 3] = np.nan
    with pytest.raises(RadiographError, match="some pixels are NaN or infinite; every pixel must be"):
        read(float_dicom(tmp_path, values))


@pytest.mark.parametrize(
    ("attributes", "code", "words"),
    [
        ({"PixelData": None}, Fault.NO_PIXELS, "the DICOM file holds no pixel data"),
        ({"PixelData": b""}, Fault.NO_PIXELS, "the DICOM file holds no pixel data"),
        ({"NumberOfFrames": 3}, Fault.MULTI_FRAME, "the file holds 3 frames; give one image a file"),
        ({"NumberOfFrames": 2**31 - 1}, Fault.MULTI_FRAME, "the file holds 2147483647 frames"),
        ({"PhotometricInterpretation": "HSV"}, Fault.COLOUR, "interpretation is HSV"),
        ({"PhotometricInterpretation": "RGB"}, Fault.UNREADABLE, r"Samples per Pixel \(0028,0002\) is 1"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, Fault.UNREADABLE, "palette"),
        ({"PhotometricInterpretation": "ZZPHI"}, Fault.UNREADABLE, r"\(0028,0004\) is missing or not known"),
        ({"PhotometricInterpretation": None}, Fault.UNREADABLE, r"\(0028,0004\) is missing or not known"),
    ],
)
def test_dicom_is_refused(write_dicom, ramp, attributes, code, words):
    with pytest.raises(RadiographError, match=words) as refused:
        read(write_dicom(ramp, **attributes))
    assert refused.value.code == code


def test_dicomdir_is_refused(write_dicom, ramp):
    path = write_dicom(ramp, DirectoryRecordSequence=Sequence([pydicom.Dataset()]))
    with pytest.raises(RadiographError, match="a DICOMDIR, an index of other files; give the image files") as refused:
        read(path)
    assert refused.value.code == Fault.NO_PIXELS


@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize(
    ("uid", "kind"),
    [
        ("1.2.840.10008.5.1.4.1.1.88.11", "a Basic Text Structured Report"),
        ("1.2.840.10008.5.1.4.1.1.88.59", "a Key Object Selection Document"),
        ("1.2.840.10008.5.1.4.1.1.11.1", "a Grayscale Softcopy Presentation State"),
        ("1.2.840.10008.5.1.4.1.1.66.4", "a Segmentation"),
        ("1.2.840.10008.5.1.4.1.1.66.7", "a Label Map Segmentation"),
        ("1.2.840.10008.5.1.4.1.1.104.1", "an Encapsulated PDF"),
        ("1.2.840.10008.5.1.4.1.1.481.2", "an RT Dose"),
        ("1.2.840.10008.5.1.4.1.1.9.1.1", "a 12-lead ECG Waveform"),
        ("1.2.840.10008.5.1.4.1.1.77.1.1.1", "a Video Endoscopic Image"),
    ],
)
def test_object_that_is_no_still_image_is_refused_and_named(write_dicom, ramp, uid, kind, pixels):
    path = write_dicom(ramp, SOPClassUID=uid, **({} if pixels else {"PixelData": None}))
    with pytest.raises(RadiographError, match=f"the file is {kind}, not a radiograph; give the image") as refused:
        read(path)
    assert refused.value.code == Fault.NO_PIXELS


def test_transfer_syntax_of_several_values_is_guessed_by_the_bytes(write_dicom, ramp):
    path = write_dicom(ramp)
    content = path.read_bytes()
    syntax = b"1.2.840.10008.1.2.1"
    path.write_bytes(content.replace(syntax, b"1.2.840.10008\\1.2.1", 1))
    radiograph = read(path)
    np.testing.assert_array_equal(radiograph.pixels, read(write_dicom(ramp)).pixels)
    assert "Transfer Syntax UID (0002,0010) is no UID; read as Explicit VR Little Endian" in radiograph.warnings


def test_images_of_unknown_classes_are_read(write_dicom, ramp):
    for uid in ("1.2.840.10008.5.1.4.1.1.7", "1.2.826.0.1.3680043.2", None):
        assert read(write_dicom(ramp, SOPClassUID=uid)).pixels.shape == ramp.shape


def test_truncated_file_is_refused(write_dicom, ramp):
    path = write_dicom(ramp)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(RadiographError, match=r"^xray\.dcm: .*; "):
        read(path)


def test_nested_sequences_do_not_exhaust_the_stack(write_dicom, ramp):
    path = write_dicom(ramp)
    header = path.read_bytes()
    nested = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 3000
    path.write_bytes(header[: header.index(b"\x28\0\x02\0US")] + nested)
    with pytest.raises(RadiographError, match=r"^xray\.dcm: .*; "):
        read(path)


def test_file_without_preamble_is_read_with_a_warning(tmp_path, ramp):
    path = tmp_path / "bare.dcm"
    dataset = dicom_of(ramp)
    dataset.file_meta = FileMetaDataset()
    dataset.save_as(path, implicit_vr=True, little_endian=True)
    assert not path.read_bytes()[128:].startswith(b"DICM")
    radiograph = read(path)
    np.testing.assert_allclose(radiograph.pixels, scaled(ramp), atol=1e-4)
    assert "(0002,0010) is missing; read as Implicit VR Little Endian" in radiograph.warnings[0]


def test_compressed_file_without_transfer_syntax_is_refused(write_dicom, tmp_path, ramp):
    dataset = dicom_of(ramp)
    dataset.compress(RLELossless, generate_instance_uid=False)
    path = save(dataset, tmp_path / "xray.dcm")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"\x02\0\x10\0UI", b"\x02\0\x11\0UI"))
    with pytest.raises(RadiographError, match=r"\(0002,0010\) is missing and the pixels are not plain"):
        read(path)


def test_no_identifier_is_carried_along(write_dicom, ramp):
    canaries = dict.fromkeys(("PatientName", "PatientID", "StudyDescription", "AccessionNumber"), "ZZPHI")
    radiograph = read(write_dicom(ramp, Modality="DX", ViewPosition="PA", **canaries))
    assert radiograph.tags == {"Modality": "DX", "ViewPosition": "PA", "PhotometricInterpretation": "MONOCHROME2"}
    assert "ZZPHI" not in repr(radiograph)


def test_burnt_in_text_is_warned_of(write_dicom, ramp):
    warnings = read(write_dicom(ramp, BurnedInAnnotation="YES")).warnings
    assert warnings == ("Burned In Annotation (0028,0301) is YES: text is part of the picture",)


@pytest.mark.parametrize("photometric", ["monochrome2", " MONOCHROME2 ", "Monochrome2"])
def test_photometric_interpretation_is_known_in_any_case(write_dicom, ramp, photometric):
    path = write_dicom(ramp)
    expected = read(path).pixels
    dataset = pydicom.dcmread(path)
    dataset.add_new("PhotometricInterpretation", "LO", photometric)
    np.testing.assert_array_equal(read(save(dataset, path)).pixels, expected)
