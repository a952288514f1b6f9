from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from cxrnet.errors import RadiographError
from cxrnet.imaging.frame import read_frame, syntax_name
from cxrnet.imaging.radiograph import Fault, Limits

from .conftest import dicom_of
from .test_codestream import JP2, SIZ, box


def frame_of(pixels: np.ndarray, **attributes: object) -> np.ndarray:
    return read_frame(dicom_of(pixels, **attributes), "xray", Limits(), [])


def compressed(pixels: np.ndarray, syntax: str, frame: bytes) -> np.ndarray:
    dataset = dicom_of(pixels)
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].is_undefined_length = True
    return read_frame(dataset, "xray", Limits(), [])


def test_frame_is_the_stored_values(ramp):
    np.testing.assert_array_equal(frame_of(ramp), ramp)


def test_frame_drops_overlay_bits_above_the_stored_ones(ramp):
    overlay = np.where(ramp % 3 == 0, 0x8000, 0).astype(np.uint16)
    np.testing.assert_array_equal(frame_of((ramp % 4096) | overlay, bits=12), ramp % 4096)


def test_frame_drops_bits_below_and_above_the_stored_ones(ramp):
    shifted = ((ramp % 1024) << 2) | 3 | 0x8000
    np.testing.assert_array_equal(frame_of(shifted, bits=10, HighBit=11), ramp % 1024)


def test_frame_keeps_the_sign_of_12_stored_bits(ramp):
    signed = (ramp % 4096).astype(np.int16) - 2048
    without_sign_bits = (signed.astype(np.uint16) & 0x0FFF).view(np.int16)
    np.testing.assert_array_equal(frame_of(without_sign_bits, bits=12), signed)


@pytest.mark.parametrize(
    ("attributes", "code", "words"),
    [
        ({"Rows": None}, Fault.UNREADABLE, r"Rows \(0028,0010\) is missing"),
        ({"Rows": 0}, Fault.TOO_SMALL, "80 x 0 pixels"),
        ({"Rows": 65535, "Columns": 65535}, Fault.TOO_LARGE, "65535 x 65535 pixels; at most 50000000"),
        ({"Rows": 65}, Fault.UNREADABLE, "the pixel data is 10240 bytes of 10400; the file is truncated"),
        ({"SamplesPerPixel": 3}, Fault.UNREADABLE, r"Samples per Pixel \(0028,0002\) is 3; such an image has 1"),
        ({"BitsAllocated": 1}, Fault.UNREADABLE, r"Bits Allocated \(0028,0100\) is 1; 8 or 16 or 32 is accepted"),
        ({"BitsAllocated": None}, Fault.UNREADABLE, r"Bits Allocated \(0028,0100\) is missing"),
        ({"BitsStored": 20}, Fault.UNREADABLE, r"Bits Stored \(0028,0101\) is 20 of 16 allocated"),
        ({"HighBit": 16}, Fault.UNREADABLE, r"High Bit \(0028,0102\) is 16 for 16 bits stored of 16"),
        ({"HighBit": 3}, Fault.UNREADABLE, "is 3 for 16 bits"),
        ({"PixelRepresentation": 2}, Fault.UNREADABLE, r"Pixel Representation \(0028,0103\) is 2; 0 or 1"),
    ],
)
def test_frame_refuses_a_header(ramp, attributes, code, words):
    with pytest.raises(RadiographError, match=words) as refused:
        frame_of(ramp, **attributes)
    assert refused.value.code == code


def test_colour_without_a_planar_configuration_is_by_pixel(ramp):
    grey = (ramp % 256).astype(np.uint8)
    dataset = dicom_of(grey, SamplesPerPixel=3, PhotometricInterpretation="RGB", PixelData=np.repeat(grey, 3).tobytes())
    np.testing.assert_array_equal(read_frame(dataset, "xray", Limits(), [], samples=3)[..., 1], grey)


@pytest.mark.parametrize("surplus", [bytes(7), bytes(64 * 80 * 2), bytes(64 * 80 * 4)])
@pytest.mark.parametrize("frames", [None, 1, 0])
def test_surplus_pixel_data_is_left_out_with_a_warning(ramp, surplus, frames):
    warnings: list[str] = []
    dataset = dicom_of(ramp, PixelData=ramp.tobytes() + surplus)
    if frames is not None:
        dataset.NumberOfFrames = frames
    np.testing.assert_array_equal(read_frame(dataset, "xray", Limits(), warnings), ramp)
    assert "the first frame was read" in warnings[0]


def test_frame_of_another_size_is_refused_before_decoding(ramp):
    with pytest.raises(RadiographError, match="the compressed frame is 90 x 70, the header says 80 x 64"):
        compressed(ramp, JPEG2000Lossless, SIZ)


def test_frame_of_several_components_is_refused_before_decoding(ramp):
    three = b"\xff\xd8\xff\xc0\0\x11\x08\0\x40\0\x50\x03" + b"\1\x11\0" * 3
    with pytest.raises(RadiographError, match="the compressed frame has 3 components; such an image has 1"):
        compressed(ramp, JPEGBaseline8Bit, three)


def test_frame_in_a_box_of_length_0_does_not_hang(ramp):
    with pytest.raises(RadiographError, match="the compressed frame has no valid header; the file is damaged"):
        compressed(ramp, JPEG2000Lossless, JP2 + box(b"jp2h", b"", length=0) + box(b"jp2c", SIZ))


def test_frame_that_no_decoder_takes_is_refused(ramp):
    sized = SIZ.replace(b"\0\0\0\x5f\0\0\0\x4d\0\0\0\5\0\0\0\7", b"\0\0\0\x50\0\0\0\x40" + bytes(8))
    with pytest.raises(RadiographError, match=r"\(Lossless Only\) frame failed \(RuntimeError\); the file is damaged"):
        compressed(ramp, JPEG2000Lossless, sized)


def test_rle_frame_with_segments_that_are_too_long_is_refused(ramp):
    dataset = dicom_of(ramp)
    dataset.compress(RLELossless, generate_instance_uid=False, encoding_plugin="pydicom")
    dataset.Rows = 50 + 14
    dataset.Columns = 79
    with pytest.raises(RadiographError, match="an RLE segment is 64 bytes too long"):
        read_frame(dataset, "xray", Limits(), [])


@pytest.mark.parametrize("excess", [1, 2, 5])
def test_rle_padding_is_dropped_with_a_warning(ramp, excess):
    warnings: list[str] = []
    dataset = dicom_of(ramp)
    rows = [_rle(plane + bytes(excess)) for plane in (ramp.astype(">u2").tobytes()[at::2] for at in (0, 1))]
    rows = [row + bytes(len(row) % 2) for row in rows]
    offsets = [64, 64 + len(rows[0]), *[0] * 13]
    frame = np.array([2, *offsets], "<u4").tobytes() + b"".join(rows)
    dataset.PixelData = encapsulate([frame])
    dataset.file_meta.TransferSyntaxUID = RLELossless
    np.testing.assert_array_equal(read_frame(dataset, "xray", Limits(), warnings), ramp)
    assert f"{excess} bytes beyond the last pixel" in warnings[0]


def _rle(data):
    """Literal runs of up to 128 bytes."""
    return b"".join(bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128] for at in range(0, len(data), 128))


@pytest.mark.parametrize("number", [52, 53, 54, 55, 56])
def test_retired_jpeg_of_8_bits_is_read(number):
    grey = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(grey).save(buffer, "JPEG", quality=95, progressive=True)
    dataset = dicom_of(grey, PixelData=encapsulate([buffer.getvalue()]))
    dataset.file_meta.TransferSyntaxUID = UID(f"1.2.840.10008.1.2.4.{number}")
    np.testing.assert_allclose(read_frame(dataset, "xray", Limits(), []).astype(int), grey, atol=4)


def test_missing_decoder_names_the_transfer_syntax(ramp):
    with pytest.raises(RadiographError, match="no decoder for MPEG2 Main Profile / Main Level; send it uncompressed"):
        compressed(ramp, "1.2.840.10008.1.2.4.100", b"\0\0")


def test_unknown_transfer_syntax_is_named_by_number_only():
    assert syntax_name("1.2.3.4") == "1.2.3.4"
    assert syntax_name("1.2 ZZPHI") == "an unknown transfer syntax"
