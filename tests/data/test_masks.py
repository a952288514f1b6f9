import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from cxrnet.data.mask_values import parse_mask_values
from cxrnet.data.masks import check_mask_size, read_mask, resize_classes, resize_mask, resize_void
from cxrnet.errors import RadiographError, UsageError
from cxrnet.imaging import Radiograph
from tests.material import draw_xray

LABELS = np.zeros((70, 80), np.uint8)  # right lung 1, left lung 2
LABELS[10:60, 10:35], LABELS[10:60, 45:70] = 1, 2
LUNG = LABELS > 0
VOID = np.where(LABELS == 2, 1, LABELS).astype(np.uint8)
VOID[4:8] = 255
COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)


def palette(labels, colours):
    image = Image.fromarray(labels.astype(np.uint8), "P")
    image.putpalette([int(value) for colour in colours for value in colour])
    return image


def transparent(lung):
    white = np.full((*lung.shape, 3), 255, np.uint8)
    return np.dstack([white, np.where(lung, 255, 0).astype(np.uint8)])


@pytest.fixture
def stored(decoder, tmp_path):
    """Function that stores a picture and reads it as a mask."""

    def read(picture, ending=".png", values="", void="", **options):
        path = tmp_path / f"mask{ending}"
        (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(path, **options)
        return read_mask(decoder, path, parse_mask_values(values, void))

    return read


SAME_LUNGS = {
    "0 and 1": LUNG.astype(np.uint8),
    "0 and 255": LUNG.astype(np.uint8) * 255,
    "3 and 200": np.where(LUNG, 200, 3).astype(np.uint8),
    "1 bit": LUNG,
    "label map": LABELS,
    "label map of 16 bits": LABELS.astype(np.uint16),
    "16 bits": LUNG.astype(np.uint16) * 65535,
    "palette": palette(LABELS, COLOURS),
    "palette of greys": palette(LUNG, [(0, 0, 0), (255, 255, 255)]),
    "palette of greys, lung first": palette(~LUNG, [(255, 255, 255), (0, 0, 0)]),
    "palette of one colour": palette(LABELS, np.zeros((3, 3), int)),
    "coloured": COLOURS[LABELS],
    "one colour": COLOURS[LUNG.astype(int)],
    "grey as RGB": np.repeat(LUNG[..., None], 3, 2).astype(np.uint8) * 255,
    "transparent": transparent(LUNG),
}


@pytest.mark.parametrize("kind", SAME_LUNGS)
def test_mask_is_lung_wherever_it_is_not_background(stored, kind):
    mask = stored(SAME_LUNGS[kind])
    np.testing.assert_array_equal(mask.lung, LUNG.astype(np.uint8) * 255)
    assert mask.void is None


@pytest.mark.parametrize(
    ("ending", "picture"), [(".bmp", LABELS), (".tif", LABELS), (".tif", LUNG.astype(np.float32)), (".gif", LABELS)]
)
def test_mask_of_another_format_is_read_alike(stored, ending, picture):
    np.testing.assert_array_equal(stored(picture, ending).lung > 127, LUNG)


def test_mask_of_two_values_survives_jpeg(stored):
    assert np.mean((stored(LUNG.astype(np.uint8) * 255, ".jpg", quality=80).lung > 127) == LUNG) > 0.99


@pytest.mark.parametrize(("kind", "labels"), [("label map", "1, 2"), ("coloured", "#00ff00, #ff0000"), ("1 bit", "")])
def test_labels_that_were_taken_as_lung_are_named(stored, kind, labels):
    assert stored(SAME_LUNGS[kind]).labels == labels


@pytest.mark.parametrize(
    ("picture", "values"),
    [
        (LABELS, "1,2"),
        (LABELS * 127, "127,254"),
        (palette(LABELS, COLOURS), "1,2"),
        (palette(LABELS, COLOURS), "#ff0000,#00ff00"),
        (COLOURS[LABELS], "#FF0000, #00ff00"),
    ],
)
def test_named_values_are_lung(stored, picture, values):
    np.testing.assert_array_equal(stored(picture, values=values).lung > 127, LUNG)


def test_one_of_two_labels_can_be_named(stored):
    np.testing.assert_array_equal(stored(LABELS, values="2").lung > 127, LABELS == 2)


@pytest.mark.parametrize("values", ["", "1"])
def test_void_is_neither_lung_nor_outside(stored, values):
    mask = stored(VOID, values=values, void="255")
    np.testing.assert_array_equal(mask.lung > 127, LUNG)
    np.testing.assert_array_equal(mask.void, VOID == 255)


SIDES = "right lung=1,left lung=2"


@pytest.mark.parametrize(
    ("picture", "values"),
    [
        (LABELS, SIDES),
        (LABELS * 100, "left lung=200,right lung=100"),
        (palette(LABELS, COLOURS), SIDES),
        (COLOURS[LABELS], "right lung=#ff0000,left lung=#00ff00"),
    ],
)
def test_label_map_has_the_classes_by_their_named_values(stored, picture, values):
    mask = stored(picture, values=values)
    wanted = LABELS if values.startswith("right") else np.array([0, 2, 1], np.uint8)[LABELS]
    np.testing.assert_array_equal(mask.classes, wanted)
    np.testing.assert_array_equal(mask.lung > 127, LUNG)


def test_void_pixels_of_a_label_map_are_background(stored):
    mask = stored(np.where(LABELS == 2, np.uint8(255), LABELS), values="lungs=1,heart=3", void="255")
    np.testing.assert_array_equal(mask.classes, LABELS == 1)
    np.testing.assert_array_equal(mask.void, LABELS == 2)


def test_value_without_a_class_is_refused_and_named(stored):
    with pytest.raises(
        RadiographError, match="are 0, 1, 2, and the classes are background 0, lungs 1; give each class"
    ):
        stored(LABELS, values="lungs=1")


def test_classes_at_another_size_are_those_of_the_largest_area():
    classes = np.array([[1, 2, 2, 0], [3, 3, 2, 0]], np.uint8)
    np.testing.assert_array_equal(resize_classes(classes, 4, 1, 2), [[3, 0]])
    np.testing.assert_array_equal(resize_classes(np.kron(classes, np.ones((3, 3), np.uint8)), 4, 2, 4), classes)


AMBIGUOUS = {
    "void": (VOID, "0, 1, 255"),
    "two lungs or two readers": (LABELS * 127, "0, 127, 254"),
    "the same of 16 bits": (LABELS.astype(np.uint16) * 32767, "0, 32767, 65534"),
    "the same, resampled": (cv2.resize(cv2.resize(LABELS * 127, (333, 301)), (80, 70), interpolation=3), "0, "),
    "no background": (LABELS + (LABELS == 0) * np.uint8(3), "1, 2, 3"),
    "white background": (np.where(LUNG[..., None], COLOURS[1], 255).astype(np.uint8), "#ff0000, #ffffff"),
    "all one value": (np.full((70, 80), 255, np.uint8), "255"),
    "percent": (np.where(LUNG, 100, np.arange(80, dtype=np.uint8)), "0, 1, 2"),
    "luma of colours": (np.asarray(Image.fromarray(COLOURS[LABELS]).convert("L")), "0, 76, 1"),
    "halves": ((LABELS / 2).astype(np.float32), "0, 0.5, 1"),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_values_that_cannot_be_distinguished_are_an_error_that_names_them(stored, kind):
    picture, values = AMBIGUOUS[kind]
    with pytest.raises(RadiographError, match=f"values are {values}.*--mask-values.*--void-value") as refused:
        stored(picture, ".tif" if picture.dtype == np.float32 else ".png")
    assert refused.value.code == "MASK_VALUES"


def test_label_map_as_jpeg_is_an_error(stored):
    with pytest.raises(RadiographError, match="--mask-values"):
        stored(LABELS * 127, ".jpg", quality=90)


def test_soft_mask_keeps_its_shares(stored):
    greys = np.tile(np.interp(np.arange(80), (20, 45), (0, 255)).astype(np.uint8), (70, 1))
    greys[:5] = greys[-5:] = 0
    np.testing.assert_array_equal(stored(greys).lung, greys)
    np.testing.assert_array_equal(stored(greys.astype(np.uint16) * 257).lung, greys)
    np.testing.assert_array_equal(stored((greys / 255).astype(np.float32), ".tif").lung, greys)


def test_hard_mask_with_resampled_borders_is_soft_there(stored):
    shares = cv2.resize(np.repeat(np.repeat(LUNG, 4, 0), 3, 1).astype(np.uint8) * 255, (85, 75), interpolation=3)
    np.testing.assert_array_equal(stored(shares).lung, shares)


def test_shares_can_be_asked_for(stored):
    assert sorted(np.unique(stored(LABELS * 127, values="soft").lung)) == [0, 127, 254]


def test_empty_mask_is_known_as_one(stored):
    mask = stored(np.zeros((70, 80), np.uint8))
    assert mask.is_empty
    assert not stored(LABELS).is_empty


@pytest.mark.parametrize("size", [(70, 80), (80, 90)])
def test_mask_of_another_size_is_refused(stored, size):
    radiograph = Radiograph.from_array(draw_xray(height=90, width=80)[0])
    mask = stored(np.eye(*size, dtype=np.uint8))
    with pytest.raises(RadiographError, match=f"the mask is {size[1]} x {size[0]}, its image 80 x 90") as refused:
        check_mask_size(mask, radiograph, name="m.png")
    assert refused.value.code == "MASK_SIZE"
    assert ("turned by 90 degrees" in str(refused.value)) == (size == (80, 90))


@pytest.mark.parametrize(
    ("size", "of_image", "of_mask", "fits"),
    [
        ((70, 80), 3, 3, True),
        ((70, 80), 3, 1, False),
        ((70, 80), 1, 2, False),
        ((70, 80), 6, 8, False),
        ((70, 80), 6, 1, True),  # drawn on the upright image, or its sides would not fit
        ((80, 80), 6, 1, False),
    ],
)
def test_mask_turned_unlike_its_image_is_refused(stored, decoder, tmp_path, size, of_image, of_mask, fits):
    def saved(picture, orientation):
        exif = Image.Exif()
        exif[0x0112] = orientation
        turned = picture.T if orientation > 4 else picture
        Image.fromarray(np.ascontiguousarray(turned)).save(tmp_path / "image.png", exif=exif)
        return tmp_path / "image.png"

    radiograph = decoder.read(saved(np.arange(size[0] * size[1], dtype=np.uint8).reshape(size), of_image))
    mask = read_mask(decoder, saved(np.eye(*size, dtype=np.uint8), of_mask))
    if fits:
        check_mask_size(mask, radiograph, name="m.png")
        return
    with pytest.raises(RadiographError, match="EXIF orientation") as refused:
        check_mask_size(mask, radiograph, name="m.png")
    assert refused.value.code == "MASK_ORIENTATION"


@pytest.mark.parametrize(
    ("lung", "void", "words"),
    [
        ("lung", None, "--mask-values lung"),
        ("1,nan", None, "nan"),
        ("#12", None, "#12"),
        ("1", "1", "is also in --mask-values"),
        (None, "soft", "--void-value soft"),
    ],
)
def test_values_that_are_none_are_refused(lung, void, words):
    with pytest.raises(UsageError, match=words):
        parse_mask_values(lung, void)


@pytest.mark.parametrize(("height", "width"), [(40, 45), (160, 180), (64, 200)])
def test_resized_mask_stays_a_mask_and_keeps_its_area(height, width):
    mask = draw_xray(height=80, width=90)[1].astype(np.uint8) * 255
    resized = resize_mask(mask, height, width)
    assert resized.shape == (height, width)
    assert set(np.unique(resized)) == {0, 255}
    assert resized.mean() == pytest.approx(mask.mean(), rel=0.05)


def test_void_grows_when_it_shrinks():
    void = np.zeros((70, 80), bool)
    void[3, 5] = True
    assert resize_void(void, 35, 40).sum() == 1


INVERTED = {
    "0 on 255": np.where(LUNG, 0, 255).astype(np.uint8),
    "0 on 1": np.where(LUNG, 0, 1).astype(np.uint8),
    "1 bit": Image.fromarray(~LUNG),
    "soft": 255 - cv2.GaussianBlur(LUNG.astype(np.uint8) * 255, (0, 0), 1),
    "framed in black": np.pad(np.where(LUNG, 0, 255).astype(np.uint8)[1:-1, 1:-1], 1),
    "palette": palette(LUNG, ((255, 255, 255), (0, 0, 0))),
    "colours": np.where(LUNG[..., None], (0, 0, 0), (255, 255, 255)).astype(np.uint8),
}


@pytest.mark.parametrize("name", INVERTED)
def test_inverted_mask_is_an_error(stored, name):
    with pytest.raises(
        RadiographError, match=r"lung fills most of the edges .*--mask-values, for example 0"
    ) as refused:
        stored(INVERTED[name])
    assert refused.value.code == "MASK_VALUES"


def test_inverted_mask_is_read_where_the_lung_is_named(stored):
    np.testing.assert_array_equal(stored(INVERTED["0 on 255"], values="0").lung > 127, LUNG)
    np.testing.assert_array_equal(stored(INVERTED["palette"], values="#000000").lung > 127, LUNG)


LUNG8 = LUNG.astype(np.uint8) * 255
CHANNELS = {
    "alpha over black": np.dstack([np.zeros((70, 80, 3), np.uint8), LUNG8]),
    "alpha over white": np.dstack([np.full((70, 80, 3), 255, np.uint8), LUNG8]),
    "grey over an alpha of 0": np.dstack([LUNG8, LUNG8, LUNG8, np.zeros_like(LUNG8)]),
    "alpha of grey": Image.merge("LA", [Image.new("L", (80, 70)), Image.fromarray(LUNG8)]),
}


@pytest.mark.parametrize("name", CHANNELS)
def test_channel_that_tells_pixels_apart_is_the_mask(stored, name):
    np.testing.assert_array_equal(stored(CHANNELS[name]).lung, LUNG8)


@pytest.mark.parametrize(("ending", "options"), [(".webp", {"quality": 50}), (".jpg", {"quality": 95})])
def test_lossy_mask_is_soft(stored, ending, options):
    np.testing.assert_array_equal(stored(LUNG8, ending, **options).lung > 127, LUNG)


def test_label_map_in_lossy_webp_is_an_error(stored):
    with pytest.raises(RadiographError, match="no label map"):
        stored(LABELS, ".webp", quality=50)


@pytest.mark.parametrize("picture", ["radiograph", "cut-out"])
def test_radiograph_is_no_mask(stored, picture):
    xray = draw_xray(height=70, width=80)[0]
    with pytest.raises(RadiographError, match="either labels or shares of a pixel"):
        stored(xray if picture == "radiograph" else np.where(LUNG, xray, 0).astype(np.uint8))


def test_entry_255_of_a_palette_can_be_void(stored):
    colours = np.zeros((256, 3), int)
    colours[1], colours[255] = (128, 0, 0), (224, 224, 192)
    with pytest.raises(RadiographError, match="entry 255 can be void"):
        stored(palette(VOID, colours))
    np.testing.assert_array_equal(stored(palette(VOID, colours), void="255").void, VOID == 255)


@pytest.mark.parametrize(
    ("samples", "options", "problem"),
    [
        (-LUNG.astype(np.int16), {}, "some below 0"),
        (LUNG * np.uint32(2**32 - 1), {}, "the largest value is 4294967295"),
        (np.stack([LABELS == 1, LABELS == 2], -1).astype(np.uint8), {"planarconfig": "contig"}, "several channels"),
        (np.stack([LABELS == 1, LABELS == 2]).astype(np.uint8), {"planarconfig": "separate"}, "several channels"),
    ],
)
def test_tiff_samples_that_are_no_mask(decoder, tmp_path, samples, options, problem):
    tifffile.imwrite(tmp_path / "mask.tif", samples, photometric="minisblack", **options)
    with pytest.raises(RadiographError, match=problem):
        read_mask(decoder, tmp_path / "mask.tif")


@pytest.mark.parametrize("kind", [np.int64, np.uint64, np.float64, np.int8, np.float16])
def test_tiff_of_any_exact_samples_is_read(decoder, tmp_path, kind):
    tifffile.imwrite(tmp_path / "mask.tif", LUNG.astype(kind))
    np.testing.assert_array_equal(read_mask(decoder, tmp_path / "mask.tif").lung, LUNG8)


def test_white_is_zero_in_16_bits(decoder, tmp_path):
    tifffile.imwrite(tmp_path / "mask.tif", (~LUNG * np.uint16(65535)).astype(np.uint16), photometric="miniswhite")
    np.testing.assert_array_equal(read_mask(decoder, tmp_path / "mask.tif").lung, LUNG8)
