"""Pixel Representation that contradicts the codestream or the picture."""

import cv2
import numpy as np
import pytest
from openjpeg.utils import encode_array
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless

from cxrnet.imaging.frame import read_frame
from cxrnet.imaging.radiograph import Limits
from cxrnet.imaging.signedness import find_sign, with_sign
from tests.material import draw_xray

from .conftest import dicom_of


def picture(low, high):
    """Return a made-up radiograph, int64 [120, 136], that fills these values."""
    grey = cv2.GaussianBlur(draw_xray(height=120, width=136)[0].astype(np.float64), (0, 0), 1)
    return np.rint(np.interp(grey, (grey.min(), grey.max()), (low, high))).astype(np.int64)


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("is_signed", [True, False])
@pytest.mark.parametrize("declared", [True, False])
def test_sign_is_that_of_the_picture(bits, is_signed, declared):
    values = picture(0, 2**bits - 1) - is_signed * 2 ** (bits - 1)
    stored = with_sign(values, bits, is_signed=declared)
    assert find_sign(stored, bits, is_signed=declared) == is_signed


@pytest.mark.parametrize("declared", [True, False])
def test_values_within_one_half_of_the_range_stay_as_declared(declared):
    assert find_sign(picture(10, 1900), 12, is_signed=declared) == declared


@pytest.mark.parametrize("quality", [None, 75, 95])
def test_mask_of_two_values_stays_as_declared(quality):
    mask = draw_xray(height=240, width=272)[1].astype(np.uint8) * 255
    if quality is not None:
        mask = cv2.imdecode(cv2.imencode(".jpg", mask, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_GRAYSCALE)
    assert find_sign(mask, 8, is_signed=False) is False


@pytest.mark.parametrize("coded", [np.int16, np.uint16])
@pytest.mark.parametrize("declared", [0, 1])
@pytest.mark.parametrize("bits", [12, 16])
def test_jpeg_2000_of_another_sign_than_the_header_is_read(coded, declared, bits):
    values = picture(0, 4095) - 2048 * (coded == np.int16)
    dataset = dicom_of(np.zeros((120, 136), np.uint16), bits=bits, PixelRepresentation=declared)
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([bytes(encode_array(values.astype(coded), bits_stored=bits))])
    warnings: list[str] = []
    np.testing.assert_array_equal(read_frame(dataset, "xray", Limits(), warnings), values)
    assert bool(warnings) == (declared != (coded == np.int16))


def test_plain_pixels_called_signed_are_read_as_the_picture_shows():
    warnings: list[str] = []
    dataset = dicom_of(picture(0, 4095).astype(np.uint16), bits=12, PixelRepresentation=1)
    np.testing.assert_array_equal(read_frame(dataset, "xray", Limits(), warnings), picture(0, 4095))
    assert warnings == ["Pixel Representation (0028,0103) contradicts the pixels, which were read as unsigned"]
