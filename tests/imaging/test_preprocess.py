import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from cxrnet.errors import RadiographError
from cxrnet.imaging.preprocess import equalise, equalise_ranks, prepare, resize
from cxrnet.imaging.radiograph import Fault

RNG = np.random.default_rng(3)


def equalise_in_numpy(image: np.ndarray) -> np.ndarray:
    counts = np.bincount(image.ravel(), minlength=256)
    first = np.flatnonzero(counts)[0]
    if counts[first] == image.size:
        return image
    scale = np.float32(255) / np.float32(image.size - counts[first])
    table = np.rint(scale * (np.cumsum(counts) - counts[first]).astype(np.float32))
    table[: first + 1] = 0
    return table.astype(np.uint8)[image]


def resize_in_numpy(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    for axis, size in enumerate((height, width)):
        at = (np.arange(size) + 0.5) * pixels.shape[axis] / size - 0.5
        low = np.floor(at).astype(int)
        weight = np.expand_dims(at - low, 1 - axis)
        near, far = (np.take(pixels, np.clip(low + k, 0, pixels.shape[axis] - 1), axis) for k in (0, 1))
        pixels = near * (1 - weight) + far * weight
    return pixels


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_equalise_equals_the_formula(image):
    np.testing.assert_array_equal(equalise(image), equalise_in_numpy(image))


@given(st.integers(0, 255))
def test_equalise_leaves_a_constant_image_alone(value):
    image = np.full((8, 9), value, np.uint8)
    np.testing.assert_array_equal(equalise(image), image)


@pytest.mark.shared
@pytest.mark.parametrize(
    "name", ["jms_train_CHNCXR_0001_0", "jms_val_CHNCXR_0019_0", "v7_train_1676192", "v7_val_1676231"]
)
def test_prepare_equals_the_published_program(shared, name):
    golden = np.load(shared / f"reference/golden/{name}.npz")
    prepared = prepare(golden["original_uint8"].astype(np.float32))
    np.testing.assert_array_equal(prepared, golden["input_uint8"])


@pytest.mark.parametrize("shape", [(64, 64), (300, 340), (978, 920), (150, 1000), (1955, 1841)])
def test_bilinear_has_half_pixel_centres_and_replicated_edges(shape):
    pixels = RNG.random(shape, np.float32) * 255
    np.testing.assert_allclose(
        resize(pixels, 300, 340, "bilinear"), resize_in_numpy(pixels.astype(np.float64), 300, 340), atol=1e-4
    )


def test_area_averages_when_shrinking():
    pixels = RNG.random((600, 1020), np.float32) * 255
    expected = pixels.reshape(300, 2, 340, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(resize(pixels, 300, 340, "area"), expected, atol=1e-3)


def test_area_averages_along_the_axis_that_shrinks_only():
    pixels = RNG.random((600, 170), np.float32) * 255
    expected = resize_in_numpy(pixels.reshape(300, 2, 170).mean(axis=1).astype(np.float64), 300, 340)
    np.testing.assert_allclose(resize(pixels, 300, 340, "area"), expected, atol=1e-3)


@given(st.integers(1, 50), st.integers(1, 50), st.sampled_from(["bilinear", "area"]))
def test_prepare_gives_the_size_asked_for_whatever_comes(height, width, interpolation):
    pixels = np.arange(64 * 70, dtype=np.float32).reshape(64, 70) / 64 / 70 * 255
    if height * width > 1:
        prepared = prepare(pixels, height=height, width=width, interpolation=interpolation)
        assert (prepared.shape, prepared.dtype) == ((height, width), np.uint8)


def test_prepare_rounds_half_to_even():
    pixels = np.array([[0.5, 1.5], [2.5, 250]], np.float32)
    rounded = np.array([[0, 2], [2, 250]], np.uint8)
    np.testing.assert_array_equal(prepare(pixels, height=2, width=2), equalise(rounded))


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((9, 9), np.uint8), r"xray: pixels are uint8 with shape \[9, 9\]; float32 \[height, width\] is"),
        (np.zeros((9, 9, 1), np.float32), r"with shape \[9, 9, 1\]"),
        (np.zeros((0, 9), np.float32), r"with shape \[0, 9\]"),
        (np.full((9, 9), 256, np.float32), r"pixels range over 256\.\.256; 0\.\.255 is accepted"),
        (np.full((9, 9), -1, np.float32), r"pixels range over -1\.\.-1"),
        (np.full((9, 9), np.nan, np.float32), r"pixels range over nan\.\.nan"),
    ],
)
def test_prepare_refuses_another_range(pixels, words):
    with pytest.raises(RadiographError, match=words) as refused:
        prepare(pixels, name="xray")
    assert refused.value.code == Fault.UNREADABLE


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=40)))
def test_full_depth_equals_8_bits_for_whole_greys(image):
    if image.min() < image.max():
        size = {"height": image.shape[0], "width": image.shape[1]}
        full, rounded = (prepare(image.astype(np.float32), **size, depth=depth) for depth in ("full", "8-bit"))
        np.testing.assert_array_equal(full, rounded)


def test_full_depth_keeps_the_greys_of_a_narrow_range():
    pixels = RNG.permutation(np.linspace(100, 101, 64 * 70, dtype=np.float32)).reshape(64, 70)
    pixels[0, :2] = 0, 255
    full, rounded = (prepare(pixels, height=64, width=70, depth=depth) for depth in ("full", "8-bit"))
    assert len(np.unique(full)) > 40 * len(np.unique(rounded))


def test_full_depth_of_the_negative_is_the_negative():
    pixels = RNG.permutation(np.linspace(0, 255, 300 * 340, dtype=np.float32)).reshape(300, 340)
    image, negative = (prepare(each, depth="full").astype(int) for each in (pixels, 255 - pixels))
    assert abs(image + negative - 255).max() <= 1


def test_prepare_refuses_what_becomes_constant():
    pixels = np.full((64, 64), 7, np.float32)
    pixels[0, 0] = 7.2
    with pytest.raises(RadiographError, match="every pixel of the prepared image is 7") as refused:
        prepare(pixels)
    assert refused.value.code == Fault.CONSTANT


def scene(seed=0):
    rng = np.random.default_rng(seed)
    smooth = 120 + 60 * np.sin(np.arange(120)[:, None] / 15) + 40 * np.cos(np.arange(136) / 12)
    return np.clip(smooth + rng.normal(0, 4, smooth.shape), 1, 254).astype(np.uint8)


def test_rank_of_a_grey_is_the_middle_of_its_pixels():
    image = np.array([[0, 10, 10, 20], [10, 0, 10, 30]], np.uint8)
    np.testing.assert_array_equal(equalise_ranks(image)[0], [0, 85, 85, 191])


def test_clipping_keeps_the_ranks_below_and_the_mean_above():
    image = scene()
    limit = int(np.quantile(image, 0.7))
    whole, clipped = equalise_ranks(image), equalise_ranks(np.minimum(image, limit))
    below = image < limit
    np.testing.assert_array_equal(clipped[below], whole[below])
    assert abs(clipped[~below].mean() - whole[~below].mean()) < 1
    assert equalise(np.minimum(image, limit))[~below].mean() > whole[~below].mean() + 30


@pytest.mark.parametrize("value", [0, 128, 255])
def test_uniform_border_changes_no_rank_inside(value):
    image = scene()
    framed = np.pad(image, ((6, 6), (9, 0)), constant_values=value)
    np.testing.assert_array_equal(equalise_ranks(framed)[6:-6, 9:], equalise_ranks(image))
    assert equalise_ranks(framed)[:6].max() == 0


def test_monotone_changes_keep_the_ranks():
    image = scene()
    table = np.sort(np.random.default_rng(1).choice(60000, 256, replace=False)).astype(np.uint16)
    np.testing.assert_array_equal(equalise_ranks(table[image]), equalise_ranks(image))


def test_prepare_ranks_where_asked():
    pixels = scene().astype(np.float32)
    ranks = prepare(pixels, height=120, width=136, interpolation="area", equalisation="rank")
    np.testing.assert_array_equal(ranks, equalise_ranks(scene()))
