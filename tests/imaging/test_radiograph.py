import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from cxrnet.errors import RadiographError
from cxrnet.imaging.radiograph import Fault, Limits, Radiograph, check_size, fault, refusing, scale

EIGHT_BIT = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64).astype(np.uint8)


def test_from_array_keeps_8_bit_values():
    radiograph = Radiograph.from_array(EIGHT_BIT)
    assert radiograph.pixels.dtype == np.float32
    np.testing.assert_array_equal(radiograph.pixels, EIGHT_BIT)


def test_from_array_carries_name_spacing_and_checksum():
    radiograph = Radiograph.from_array(EIGHT_BIT, name="phantom", spacing_mm=(0.2, 0.1))
    assert (radiograph.name, radiograph.spacing_mm, radiograph.format) == ("phantom", (0.2, 0.1), "array")
    assert radiograph.sha256 == hashlib.sha256(EIGHT_BIT.tobytes()).hexdigest()


def test_from_array_scales_16_bits_from_their_own_range():
    pixels = EIGHT_BIT.astype(np.uint16) * 16 + 100
    radiograph = Radiograph.from_array(pixels)
    np.testing.assert_allclose(radiograph.pixels, EIGHT_BIT, atol=1e-4)
    assert radiograph.history[-1] == "scaled from 100..4180 to 0..255"


@given(arrays(np.float64, (64, 64), elements=st.floats(-1e300, 1e300, allow_subnormal=False), fill=st.floats(-5, 5)))
def test_from_array_fills_0_to_255_whatever_the_values(pixels):
    if pixels.min() == pixels.max():
        return
    scaled = Radiograph.from_array(pixels).pixels
    assert (scaled.min(), scaled.max()) == (0, 255)


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(
    "give",
    [
        np.ndarray.tolist,
        lambda pixels: pixels.astype(np.int64),
        lambda pixels: pixels.astype(">u2"),
        lambda pixels: pixels.astype(">f4"),
        np.asmatrix,
        np.ma.masked_array,
        Image.fromarray,
        lambda pixels: Image.fromarray(pixels).convert("RGB"),
    ],
    ids=["list", "int64", "big endian", "big endian float", "matrix", "masked", "Pillow", "Pillow RGB"],
)
def test_from_array_takes_what_numpy_makes_an_array_of(give):
    np.testing.assert_allclose(Radiograph.from_array(give(EIGHT_BIT)).pixels, EIGHT_BIT, atol=1e-4)


def test_from_array_takes_tensors():
    torch = pytest.importorskip("torch")
    np.testing.assert_array_equal(Radiograph.from_array(torch.from_numpy(EIGHT_BIT)).pixels, EIGHT_BIT)
    steps = torch.arange(4096.0).reshape(64, 64) // 64
    for tensor in (steps.requires_grad_(), steps.to(torch.bfloat16)):
        np.testing.assert_allclose(Radiograph.from_array(tensor).pixels, steps.detach() / 63 * 255, atol=1e-3)


@pytest.mark.parametrize("name", [3, None, Path("folder/xray.png"), b"xray"])
def test_any_name_is_text(name):
    assert Radiograph.from_array(EIGHT_BIT, name=name).name == str(name)


def test_what_fails_to_become_an_array_is_refused():
    class Failing:
        def __array__(self, dtype=None, copy=None):
            raise KeyError("two\nlines")

    with pytest.raises(RadiographError, match="NumPy makes no array of it"):
        Radiograph.from_array(Failing())


def test_masked_values_do_not_count_even_where_they_are_nan():
    pixels = EIGHT_BIT.astype(np.float32)
    mask = np.zeros(pixels.shape, bool)
    pixels[:2], mask[:2] = np.nan, True
    radiograph = Radiograph.from_array(np.ma.masked_array(pixels, mask))
    assert (radiograph.pixels[:2] == 0).all()
    np.testing.assert_allclose(radiograph.pixels[2:], EIGHT_BIT[2:], atol=1e-4)


@pytest.mark.parametrize(
    "spacing", [(0, -1), (0.1,), (1, 2, 3), ("a", 1), (np.nan, 1), (np.inf, 1), 3, "12", {1, 2}, np.zeros((3, 3))]
)
def test_from_array_refuses_a_spacing(spacing):
    with pytest.raises(RadiographError, match="spacing_mm"):
        Radiograph.from_array(EIGHT_BIT, spacing_mm=spacing)


@pytest.mark.parametrize(
    ("pixels", "code", "words"),
    [
        (
            np.zeros((64, 64, 3), np.uint8),
            Fault.UNREADABLE,
            "xray: the array has 3 axes; give one grey image",
        ),
        (np.zeros((64, 64), complex), Fault.UNREADABLE, "the array is complex128"),
        ([[1, 2], [3]], Fault.UNREADABLE, "array"),
        ("text", Fault.UNREADABLE, "the array is"),
        (Image.new("RGB", (80, 80), (200, 10, 10)), Fault.UNREADABLE, "colour"),
        (np.full((64, 64), np.nan), Fault.UNREADABLE, "some pixels are NaN or infinite"),
        (np.full((64, 64), 7, np.uint8), Fault.CONSTANT, "every pixel has the same value, 7"),
        (np.zeros((63, 400), np.uint8), Fault.TOO_SMALL, "400 x 63 pixels; each side must be at least 64"),
        (np.broadcast_to(np.uint8(0), (9000, 9000)), Fault.TOO_LARGE, "at most 50000000 pixels are read"),
    ],
)
def test_from_array_refuses(pixels, code, words):
    with pytest.raises(RadiographError, match=words) as refused:
        Radiograph.from_array(pixels, name="xray")
    assert refused.value.code == code


def test_scale_leaves_the_background_out_of_the_range():
    values = np.linspace(100, 200, 64 * 64).reshape(64, 64)
    background = np.zeros((64, 64), bool)
    background[0] = True
    values[0] = -2000
    scaled = scale("xray", values, background=background)
    assert scaled[0].max() == 0
    assert (scaled[1:].min(), scaled[1:].max()) == (0, 255)


def test_scale_refuses_nothing_but_background():
    with pytest.raises(RadiographError, match="same value"):
        scale("xray", np.ones((64, 64)), background=np.ones((64, 64), bool))


def test_check_size_counts_pixels_not_sides():
    check_size("xray", 64, 700_000, Limits())


@given(st.text())
def test_fault_is_one_printable_line(name):
    line = str(fault(Fault.UNREADABLE, name, "broken", "repair it"))
    assert line.isprintable()
    assert line.endswith(": broken; repair it")


def test_fault_escapes_terminal_codes_and_writing_direction():
    line = str(fault(Fault.UNREADABLE, "a\x1b[31m\u202egnp.\n\udc80", "broken", "repair it"))
    assert line == "a\\x1b[31m\\u202egnp.\\n\\udc80: broken; repair it"


def test_refusing_tells_the_class_of_an_exception_and_not_its_text():
    with (
        pytest.raises(RadiographError, match=r"decoding failed \(ValueError\)") as refused,
        refusing("a", "decoding"),
    ):
        raise ValueError("ZZPHI^JOHN")
    assert "ZZPHI" not in str(refused.value)


def test_refusing_lets_memory_errors_through():
    with pytest.raises(MemoryError), refusing("a", "decoding"):
        raise MemoryError


def test_importing_the_reader_loads_no_codec():
    program = "import sys, cxrnet.imaging; print(*{'pydicom', 'PIL', 'cv2', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "\n"


def test_notebook_shows_a_radiograph_shrunk():
    pixels = np.tile(EIGHT_BIT, (16, 8))
    shown = cv2.imdecode(np.frombuffer(Radiograph.from_array(pixels)._repr_png_(), np.uint8), cv2.IMREAD_UNCHANGED)
    assert (shown.shape, shown.dtype) == ((512, 256), np.uint8)
