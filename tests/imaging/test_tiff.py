import numpy as np
import pytest
import tifffile

from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Fault

from .conftest import read

RAMP = np.add.outer(np.arange(80), np.arange(90)) / 167


def stretched(kind):
    """The ramp over the whole range of a type."""
    if np.dtype(kind).kind == "f":
        return RAMP.astype(kind)
    info = np.iinfo(kind)
    return (RAMP * 0.99 * (float(info.max) - float(info.min)) + float(info.min)).astype(kind)


def write(tmp_path, values, **options):
    tifffile.imwrite(tmp_path / "xray.tif", values, **({"photometric": "minisblack"} | options))
    return tmp_path / "xray.tif"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"])
def test_sample_format_is_held_exactly(tmp_path, kind, order):
    pixels = read(write(tmp_path, stretched(kind), byteorder=order)).pixels
    expected = stretched(kind).astype(float)
    expected = expected if kind == "u1" else (expected - expected.min()) / np.ptp(expected) * 255
    np.testing.assert_allclose(pixels, expected, atol=1e-3)


@pytest.mark.parametrize("options", [{"compression": "zlib"}, {"tile": (16, 16)}, {"bigtiff": True}])
def test_32_bit_unsigned_in_other_layouts(tmp_path, options):
    expected = read(write(tmp_path, stretched("u4"))).pixels
    np.testing.assert_array_equal(read(write(tmp_path, stretched("u4"), **options)).pixels, expected)


@pytest.mark.parametrize("kind", ["u4", "f2"])
def test_white_is_zero_is_inverted(tmp_path, kind):
    expected = read(write(tmp_path, stretched(kind))).pixels
    inverted = read(write(tmp_path, stretched(kind), photometric="miniswhite")).pixels
    np.testing.assert_allclose(inverted, 255 - expected, atol=1e-3)


@pytest.mark.parametrize("axis", [0, -1])
def test_alpha_next_to_16_bits_is_dropped(tmp_path, axis):
    grey = stretched("u2")
    layout = {"planarconfig": "separate" if axis == 0 else "contig", "extrasamples": ["unassalpha"]}
    radiograph = read(write(tmp_path, np.stack([grey, np.full_like(grey, 65535)], axis), **layout))
    np.testing.assert_array_equal(radiograph.pixels, read(write(tmp_path, grey)).pixels)
    assert "alpha" in radiograph.warnings[0]


def test_complex_samples_are_refused_by_name(tmp_path):
    with pytest.raises(RadiographError, match="complex samples") as refused:
        read(write(tmp_path, RAMP.astype(np.complex64)))
    assert refused.value.code == Fault.UNREADABLE


@pytest.mark.parametrize("kind", ["u1", "u2", "u4"])
@pytest.mark.parametrize(("first", "flags"), [(False, 1), (True, 1), (False, 0)])
def test_thumbnails_are_no_pictures(tmp_path, kind, first, flags):
    full, small = stretched(kind), np.ascontiguousarray(stretched(kind)[::-4, ::4])
    pages = [(full, 0), (small, flags)]
    with tifffile.TiffWriter(tmp_path / "xray.tif") as file:
        for values, subfile in reversed(pages) if first else pages:
            file.write(values, photometric="minisblack", subfiletype=subfile)
    radiograph = read(tmp_path / "xray.tif")
    assert radiograph.pixels.shape == RAMP.shape
    np.testing.assert_array_equal(radiograph.pixels, read(write(tmp_path, full)).pixels)


def test_two_full_pages_are_refused(tmp_path):
    with pytest.raises(RadiographError) as refused:
        read(write(tmp_path, np.stack([stretched("u1")] * 2)))
    assert refused.value.code == Fault.MULTI_FRAME
