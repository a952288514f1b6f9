import numpy as np
import pytest

from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Fault

from .conftest import dicom_of, read, save

GREY = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)


def write(tmp_path, channels, **attributes):
    dataset = dicom_of(GREY, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0, **attributes)
    dataset.PixelData = np.ascontiguousarray(channels).tobytes()
    return save(dataset, tmp_path / "xray.dcm")


def palette(tmp_path, red):
    tables = {}
    for colour, values in (("Red", red), ("Green", range(256)), ("Blue", range(256))):
        tables[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tables[f"{colour}PaletteColorLookupTableData"] = (np.asarray(values) * 257).astype("<u2").tobytes()
    return save(dicom_of(GREY, PhotometricInterpretation="PALETTE COLOR", **tables), tmp_path / "xray.dcm")


@pytest.mark.parametrize("planar", [0, 1])
def test_grey_in_rgb_is_read(tmp_path, planar):
    channels = np.stack([GREY] * 3, 0 if planar else -1)
    pixels = read(write(tmp_path, channels) if not planar else write_planar(tmp_path, channels)).pixels
    np.testing.assert_array_equal(pixels, read(save(dicom_of(GREY), tmp_path / "grey.dcm")).pixels)


def write_planar(tmp_path, channels):
    dataset = dicom_of(GREY, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=1)
    dataset.PixelData = channels.tobytes()
    return save(dataset, tmp_path / "xray.dcm")


def test_grey_with_halved_chrominance_is_read(tmp_path):
    values = np.full((64, 40, 4), 128, np.uint8)  # two grey values, then the blue and red of both
    values[..., :2] = GREY.reshape(64, 40, 2)
    dataset = dicom_of(GREY, SamplesPerPixel=3, PhotometricInterpretation="YBR_FULL_422", PlanarConfiguration=0)
    dataset.PixelData = values.tobytes()
    pixels = read(save(dataset, tmp_path / "xray.dcm")).pixels
    np.testing.assert_array_equal(pixels, read(save(dicom_of(GREY), tmp_path / "grey.dcm")).pixels)


def test_colour_in_rgb_is_refused(tmp_path):
    channels = np.stack([GREY] * 3, -1)
    channels[10:20, 10:20, 0] += 30
    with pytest.raises(RadiographError) as refused:
        read(write(tmp_path, channels))
    assert refused.value.code == Fault.COLOUR


def test_grey_palette_is_read_and_a_coloured_one_refused(tmp_path):
    pixels = read(palette(tmp_path, range(256))).pixels
    np.testing.assert_allclose(pixels, read(save(dicom_of(GREY), tmp_path / "grey.dcm")).pixels, atol=1e-3)
    with pytest.raises(RadiographError) as refused:
        read(palette(tmp_path, np.arange(256)[::-1]))
    assert refused.value.code == Fault.COLOUR
