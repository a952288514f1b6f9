import struct

import cv2
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


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", ["i2", "i4", "f4", "u2"])
def test_compressed_samples_of_either_byte_order(tmp_path, kind, order):
    expected = read(write(tmp_path, stretched(kind))).pixels
    pixels = read(write(tmp_path, stretched(kind), byteorder=order, compression="zlib")).pixels
    np.testing.assert_allclose(pixels, expected, atol=1e-3)


def test_compression_of_64_bit_samples(tmp_path):
    expected = read(write(tmp_path, stretched("f8"))).pixels
    cv2.imwrite(str(tmp_path / "lzw.tif"), stretched("f8"), [cv2.IMWRITE_TIFF_COMPRESSION, 5])
    np.testing.assert_allclose(read(tmp_path / "lzw.tif").pixels, expected, atol=1e-3)


def packed(bits, *, photometric=1):
    """A TIFF of the ramp in samples of `bits` bits, without gaps within a row."""
    values = np.rint(RAMP * 0.99 * (2**bits - 1)).astype(np.uint16)
    content = np.packbits((values[..., None] >> np.arange(bits)[::-1] & 1).reshape(len(values), -1).astype(np.uint8), 1)
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 122), (277, 1), (278, height)]
    tags.append((279, content.size))
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 9) + directory + bytes(4) + content.tobytes()


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("photometric", [0, 1])
def test_packed_samples_are_read(tmp_path, bits, photometric):
    (tmp_path / "xray.tif").write_bytes(packed(bits, photometric=photometric))
    expected = np.rint(RAMP * 0.99 * (2**bits - 1))
    expected *= 255 / expected.max()
    pixels = read(tmp_path / "xray.tif").pixels
    np.testing.assert_allclose(pixels, expected if photometric else 255 - expected, atol=1e-3)


@pytest.mark.parametrize("bits", [6, 24])
def test_packed_samples_that_are_not_read_are_named(tmp_path, bits):
    (tmp_path / "xray.tif").write_bytes(packed(bits))
    with pytest.raises(RadiographError, match=f"{bits}-bit unsigned samples"):
        read(tmp_path / "xray.tif")


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_grey_in_separate_planes_of_colour(tmp_path, kind, channels):
    grey = stretched(kind)
    planes = np.stack([grey] * 3 + [np.full_like(grey, np.iinfo(kind).max)] * (channels - 3))
    layout = {"photometric": "rgb", "planarconfig": "separate", "extrasamples": ["unassalpha"] * (channels - 3)}
    np.testing.assert_allclose(
        read(write(tmp_path, planes, **layout)).pixels, read(write(tmp_path, grey)).pixels, atol=1e-3
    )


def test_colour_in_separate_planes_is_refused(tmp_path):
    planes = np.stack([stretched("u2"), stretched("u2")[::-1], stretched("u2")[:, ::-1]])
    with pytest.raises(RadiographError) as refused:
        read(write(tmp_path, planes, photometric="rgb", planarconfig="separate"))
    assert refused.value.code == Fault.COLOUR


@pytest.mark.parametrize("kind", ["u4", "f2"])
def test_page_behind_one_of_another_format(tmp_path, kind):
    with tifffile.TiffWriter(tmp_path / "xray.tif") as file:
        file.write(np.ascontiguousarray(stretched("u1")[::-4, ::4]), photometric="minisblack", subfiletype=1)
        file.write(stretched(kind), photometric="minisblack")
    np.testing.assert_array_equal(read(tmp_path / "xray.tif").pixels, read(write(tmp_path, stretched(kind))).pixels)


def test_stack_in_one_page_is_refused(tmp_path):
    for values in (stretched("u2"), stretched("u4")):
        with pytest.raises(RadiographError) as refused:
            read(write(tmp_path, np.stack([np.tile(values, (2, 2))] * 16), volumetric=True))
        assert refused.value.code == Fault.MULTI_FRAME
    with pytest.raises(RadiographError) as refused:
        read(write(tmp_path, stretched("u2"), description="ImageJ=1.54f\nimages=12\nslices=12\n", metadata=None))
    assert refused.value.code == Fault.MULTI_FRAME


def test_picture_before_a_damaged_directory_is_read(tmp_path):
    path = write(tmp_path, stretched("u1"))
    content = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", content, 4)[0]
    entries = struct.unpack_from("<H", content, first)[0]
    struct.pack_into("<I", content, first + 2 + 12 * entries, len(content))
    path.write_bytes(content + struct.pack("<HHHIII", 1, 11798, 3, 1, 7, 0))  # a directory without width and height
    np.testing.assert_array_equal(read(path).pixels, stretched("u1"))


def test_value_given_several_times_is_refused(tmp_path):
    path = write(tmp_path, stretched("u8"))
    content = bytearray(path.read_bytes())
    place = content.index(struct.pack("<HHI", 262, 3, 1))
    struct.pack_into("<HHI", content, place, 262, 3, 2)  # Photometric Interpretation
    path.write_bytes(content)
    with pytest.raises(RadiographError, match=r"reading the TIFF header failed \(TypeError\); the file is damaged"):
        read(path)
