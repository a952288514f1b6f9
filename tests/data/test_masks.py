from __future__ import annotations

import cv2
import numpy as np
import pytest

from cxrnet.data.masks import encode_png, read_many, read_mask, resize_mask
from cxrnet.errors import RadiographError
from tests.data.conftest import write_film, write_mask
from tests.material import film


@pytest.fixture(autouse=True)
def one_decoder():
    """Stands in for the fixture of that name: here every job has a decoder of its own."""


def test_many_are_read_in_their_order(tmp_path):
    paths = [tmp_path / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        write_film(path, number)
    names = list(read_many(lambda decoder, path: decoder.read(path).name, paths, jobs=3))
    assert names == [path.name for path in paths]


def test_none_are_read_from_nothing():
    assert list(read_many(lambda decoder, path: path, [])) == []


def test_what_the_work_raises_comes_through(tmp_path):
    with pytest.raises(RadiographError, match=r"nix\.png: no such file"):
        list(read_many(lambda decoder, path: decoder.read(path), [tmp_path / "nix.png"]))


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 255), (3, 200)])
def test_mask_of_two_values_becomes_0_and_255(decoder, tmp_path, low, high):
    lungs = film()[1]
    cv2.imwrite(str(tmp_path / "mask.png"), np.where(lungs, high, low).astype(np.uint8))
    mask = read_mask(decoder, tmp_path / "mask.png")
    np.testing.assert_array_equal(mask, lungs.astype(np.uint8) * 255)


def test_mask_of_greys_keeps_them(decoder, tmp_path):
    greys = np.tile(np.arange(80, dtype=np.uint8), (70, 1))
    cv2.imwrite(str(tmp_path / "mask.png"), greys)
    np.testing.assert_array_equal(read_mask(decoder, tmp_path / "mask.png"), greys)


def test_empty_mask_is_refused(decoder, tmp_path):
    write_mask(tmp_path / "mask.png", np.zeros((70, 80), bool))
    with pytest.raises(RadiographError, match="every pixel has the same value"):
        read_mask(decoder, tmp_path / "mask.png")


@pytest.mark.parametrize(("height", "width"), [(40, 45), (160, 180), (64, 200)])
def test_resized_mask_stays_a_mask_and_keeps_its_area(height, width):
    mask = film(height=80, width=90)[1].astype(np.uint8) * 255
    resized = resize_mask(mask, height, width)
    assert resized.shape == (height, width)
    assert set(np.unique(resized)) == {0, 255}
    assert resized.mean() == pytest.approx(mask.mean(), rel=0.05)


def test_resized_probability_keeps_greys():
    greys = np.tile(np.arange(80, dtype=np.uint8), (70, 1))
    assert len(np.unique(resize_mask(greys, 35, 40))) == 40


def test_png_keeps_16_bits():
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    read = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read, pixels)
