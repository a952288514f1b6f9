import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageChops

from cxrnet.errors import RadiographError
from cxrnet.imaging.files import read_file
from cxrnet.imaging.radiograph import Fault, Limits

from .conftest import read

EIGHT_BIT = (np.arange(64 * 80).reshape(64, 80) // 20).astype(np.uint8)
NOISE = np.random.default_rng(7).integers(0, 256, (128, 128, 3), dtype=np.uint8)


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def tiff(values: np.ndarray, *, photometric: int = 1) -> bytes:
    """A plain TIFF of 16-bit integers or 32-bit floats [height, width]."""
    height, width = values.shape
    kind = 3 if values.dtype.kind == "f" else 1
    entries = [(256, width), (257, height), (258, 8 * values.itemsize), (259, 1), (262, photometric)]
    entries += [(273, 8 + 2 + 12 * 10 + 4), (277, 1), (278, height), (279, values.nbytes), (339, kind)]
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 10) + directory + bytes(4) + values.tobytes()


def png_header(width: int, height: int) -> bytes:
    content = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + content + struct.pack(">I", zlib.crc32(content))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "GIF"])
def test_8_bit_picture_keeps_its_values(tmp_path, kind):
    radiograph = read(save(tmp_path / "xray", Image.fromarray(EIGHT_BIT), format=kind))
    np.testing.assert_array_equal(radiograph.pixels, EIGHT_BIT)
    assert radiograph.format == kind


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "PA"])
def test_grey_stored_in_another_mode_keeps_its_values(tmp_path, mode):
    image = Image.fromarray(EIGHT_BIT)
    image = image.convert("P").convert("PA") if mode == "PA" else image.convert(mode)
    options = {"compression": "raw"} if mode == "PA" else {}
    kind = "TIFF" if mode == "PA" else "PNG"
    np.testing.assert_array_equal(read(save(tmp_path / "xray", image, format=kind, **options)).pixels, EIGHT_BIT)


def test_1_bit_picture_is_black_and_white(tmp_path):
    pixels = read(save(tmp_path / "xray.png", Image.fromarray(EIGHT_BIT > 99))).pixels
    assert set(np.unique(pixels)) == {0, 255}


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("JPEG", "RGB"), ("WEBP", "RGB"), ("TIFF", "LAB")])
def test_grey_picture_in_colour_space_is_close(tmp_path, kind, mode):
    image = Image.fromarray(EIGHT_BIT).convert("RGB")
    if mode == "LAB":
        image = Image.merge("LAB", [Image.fromarray(EIGHT_BIT), *[Image.new("L", image.size, 0)] * 2])
    else:
        image = image.convert(mode)
    pixels = read(save(tmp_path / "xray", image, format=kind)).pixels
    assert np.corrcoef(pixels.ravel(), EIGHT_BIT.ravel())[0, 1] > 0.98


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, ramp, kind):
    radiograph = read(save(tmp_path / "xray", Image.fromarray(ramp), format=kind))
    np.testing.assert_allclose(radiograph.pixels.ravel(), np.arange(5120) / 5119 * 255, atol=1e-4)
    assert radiograph.history == (f"read {kind}, 80 x 64, 16-bit grey", "scaled from 0..5119 to 0..255")


@pytest.mark.parametrize("kind", [".png", ".tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_keeps_its_12_bits(tmp_path, ramp, kind, channels):
    path = tmp_path / f"xray{kind}"
    cv2.imwrite(str(path), np.repeat((ramp % 4096)[..., None], channels, axis=2))
    pixels = read(path).pixels
    np.testing.assert_allclose(pixels, (ramp % 4096) / 4095 * 255, atol=1e-3)


def test_16_bit_grey_with_alpha_keeps_its_values(tmp_path, ramp):
    rows = b"".join(b"\0" + np.stack([row, row * 0 + 65535], axis=1).astype(">u2").tobytes() for row in ramp)
    header = png_header(80, 64)
    content = b"IHDR" + struct.pack(">IIBBBBB", 80, 64, 16, 4, 0, 0, 0)
    data = b"IDAT" + zlib.compress(rows)
    chunks = b"".join(
        struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (content, data, b"IEND")
    )
    (tmp_path / "xray.png").write_bytes(header[:8] + chunks)
    np.testing.assert_allclose(read(tmp_path / "xray.png").pixels.ravel(), np.arange(5120) / 5119 * 255, atol=1e-3)


def test_16_bit_tiff_where_white_is_zero_is_inverted(tmp_path, ramp):
    (tmp_path / "xray.tif").write_bytes(tiff(ramp, photometric=0))
    np.testing.assert_allclose(
        read(tmp_path / "xray.tif").pixels.ravel(), 255 - np.arange(5120) / 5119 * 255, atol=1e-3
    )


def test_8_bit_tiff_where_white_is_zero_is_inverted(tmp_path):
    (tmp_path / "xray.tif").write_bytes(tiff(EIGHT_BIT, photometric=0))
    np.testing.assert_array_equal(read(tmp_path / "xray.tif").pixels, 255.0 - EIGHT_BIT)


def test_float_tiff_is_scaled(tmp_path, ramp):
    (tmp_path / "xray.tif").write_bytes(tiff((ramp / 9999 - 0.2).astype(np.float32)))
    np.testing.assert_allclose(read(tmp_path / "xray.tif").pixels.ravel(), np.arange(5120) / 5119 * 255, atol=1e-3)


def test_float_tiff_with_nan_is_refused(tmp_path, ramp):
    values = ramp.astype(np.float32)
    values[0, 0] = np.nan
    (tmp_path / "xray.tif").write_bytes(tiff(values))
    with pytest.raises(RadiographError, match="some pixels are NaN or infinite"):
        read(tmp_path / "xray.tif")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_obeyed(tmp_path, kind, orientation):
    upright = np.zeros((96, 128), np.uint8)
    upright[:48, :64], upright[:48, 64:] = 80, 200  # top left grey, top right bright, below dark
    inverse = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # EXIF to Pillow's Transpose
    image = Image.fromarray(upright)
    if orientation > 1:
        image = image.transpose(Image.Transpose(turn[inverse]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    radiograph = read(save(tmp_path / "xray", image, format=kind, exif=exif))
    np.testing.assert_allclose(radiograph.pixels, upright, atol=12)
    assert len(radiograph.history) == (1 if orientation == 1 else 2)


def test_exif_orientation_is_obeyed_in_16_bit_colour(tmp_path, ramp):
    path = tmp_path / "xray.png"
    cv2.imwrite(str(path), np.repeat(ramp[..., None], 3, axis=2))
    exif = b"eXIf" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    chunk = struct.pack(">I", len(exif) - 4) + exif + struct.pack(">I", zlib.crc32(exif))
    content = path.read_bytes()
    path.write_bytes(content[:33] + chunk + content[33:])
    np.testing.assert_allclose(read(path).pixels, np.rot90(ramp, -1) / 5119 * 255, atol=1e-3)


def test_exif_nonsense_is_ignored_with_a_warning(tmp_path):
    path = save(
        tmp_path / "xray.jpg",
        Image.fromarray(EIGHT_BIT),
        exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    )
    assert read(path).warnings == ("the EXIF orientation is not readable and was ignored",)


@pytest.mark.parametrize("is_inverted", [True, False])
@pytest.mark.parametrize("has_grey_in_black", [True, False])
def test_cmyk_jpeg_without_an_adobe_marker_is_read(tmp_path, is_inverted, has_grey_in_black):
    ink, none = Image.fromarray(255 - EIGHT_BIT), Image.new("L", EIGHT_BIT.shape[::-1], 0)
    inks = [none, none, none, ink] if has_grey_in_black else [ink, ink, ink, none]
    image = Image.merge("CMYK", inks if is_inverted else [ImageChops.invert(each) for each in inks])
    path = save(tmp_path / "xray.jpg", image, format="JPEG", quality=95)  # Pillow inverts, and writes the marker
    content = path.read_bytes()
    at = content.index(b"\xff\xee")
    path.write_bytes(content[:at] + content[at + 2 + int.from_bytes(content[at + 2 : at + 4], "big") :])
    assert np.corrcoef(read(path).pixels.ravel(), EIGHT_BIT.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "WEBP", "PNG"])
def test_several_pictures_are_refused(tmp_path, kind):
    pages = [Image.fromarray(EIGHT_BIT), Image.fromarray(255 - EIGHT_BIT)]
    path = save(tmp_path / "xray", pages[0], format=kind, save_all=True, append_images=pages[1:])
    with pytest.raises(RadiographError, match="xray: the file holds 2 pictures") as refused:
        read(path)
    assert refused.value.code == Fault.MULTI_FRAME


def test_preview_in_a_camera_file_is_passed_over_with_a_warning(tmp_path):
    pages = [Image.fromarray(EIGHT_BIT), Image.fromarray(255 - EIGHT_BIT)]
    path = save(tmp_path / "xray.jpg", pages[0], format="MPO", save_all=True, append_images=pages[1:])
    assert read(path).warnings == ("the file holds 2 pictures; the first was read",)


def test_colour_picture_is_refused(tmp_path):
    with pytest.raises(RadiographError, match="of the picture is in colour; a radiograph is grey") as refused:
        read(save(tmp_path / "xray.png", Image.fromarray(NOISE)))
    assert refused.value.code == Fault.COLOUR


def test_16_bit_colour_picture_is_refused(tmp_path):
    cv2.imwrite(str(tmp_path / "xray.png"), NOISE.astype(np.uint16) * 16)
    with pytest.raises(RadiographError, match="of the picture is in colour"):
        read(tmp_path / "xray.png")


def test_tinted_xray_with_a_red_arrow_is_accepted(tmp_path):
    tinted = EIGHT_BIT[..., None] * np.array([0.75, 0.85, 1.0])
    tinted[5:15, 5:25] = [255, 0, 0]
    read(save(tmp_path / "xray.png", Image.fromarray(tinted.astype(np.uint8))))


def test_transparent_parts_are_warned_of(tmp_path):
    rgba = np.dstack([EIGHT_BIT] * 3 + [255 - EIGHT_BIT])
    radiograph = read(save(tmp_path / "xray.png", Image.fromarray(rgba)))
    np.testing.assert_array_equal(radiograph.pixels, EIGHT_BIT)
    assert radiograph.warnings == ("parts of the picture are transparent; the values stored there were used",)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF"])
def test_truncated_picture_is_refused(tmp_path, kind):
    path = save(tmp_path / "xray", Image.fromarray(NOISE[..., 0]), format=kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RadiographError, match=f"xray: .*{kind} .* failed") as refused:
        read(path)
    assert refused.value.code == Fault.UNREADABLE


@pytest.mark.parametrize("side", [8000, 30000])
def test_size_is_checked_before_decoding(tmp_path, side):
    (tmp_path / "bomb.png").write_bytes(png_header(side, side))
    with pytest.raises(RadiographError, match="pixels; at most 50000000") as refused:
        read(tmp_path / "bomb.png")
    assert refused.value.code == Fault.TOO_LARGE


@pytest.mark.parametrize(("size", "code"), [((63, 200), Fault.TOO_SMALL), ((64, 64), Fault.CONSTANT)])
def test_degenerate_picture_is_refused(tmp_path, size, code):
    with pytest.raises(RadiographError) as refused:
        read(save(tmp_path / "xray.png", Image.new("L", size, 9)))
    assert refused.value.code == code


def test_limits_are_the_callers(tmp_path):
    path = save(tmp_path / "xray.png", Image.fromarray(EIGHT_BIT))
    with pytest.raises(RadiographError, match="at most 5000 pixels are read"):
        read_file(path, limits=Limits(pixels=5000))


@pytest.mark.shared
def test_odd_pictures_are_read_or_refused_as_listed(shared):
    for path in sorted((shared / "data/odd/images").iterdir()):
        if path.name.startswith("chest_") and path.name != "chest_truncated.jpg":
            read(path)


@pytest.mark.shared
def test_photograph_of_a_person_is_refused(shared):
    with pytest.raises(RadiographError, match="22% of the picture is in colour"):
        read(shared / "data/odd/images/photo_person.jpg")


@pytest.mark.parametrize(
    ("marker", "bits", "problem"), [(0xC3, 8, "a lossless or hierarchical JPEG"), (0xC1, 12, "a JPEG of 12 bits")]
)
def test_jpeg_of_a_process_that_is_not_read_is_named(tmp_path, marker, bits, problem):
    encoded = bytearray(cv2.imencode(".jpg", np.arange(128 * 128, dtype=np.uint8).reshape(128, 128))[1].tobytes())
    at = encoded.index(b"\xff\xc0")
    encoded[at + 1], encoded[at + 4] = marker, bits
    path = tmp_path / "chest.jpg"
    path.write_bytes(encoded)
    with pytest.raises(RadiographError, match=f"^chest.jpg: is {problem}; save it as PNG"):
        read_file(path, limits=Limits())
