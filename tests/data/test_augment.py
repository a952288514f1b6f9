import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.data.augment import AUGMENTATIONS, Augmentation, draw, warp
from tests.material import draw_xray

HEIGHT, WIDTH = 64, 72
KEYS = {"seed": st.integers(0, 2**32), "epoch": st.integers(0, 1000), "index": st.integers(0, 10**6)}


def drawn(augmentation, *, seed=0, epoch=0, index=0):
    return draw(augmentation, height=HEIGHT, width=WIDTH, seed=seed, epoch=epoch, index=index)


def degrees(matrix):
    """Rotation of an affine map without shear, from the direction in which the rows of a result run."""
    return np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0]))


@given(**KEYS)
def test_same_key_draws_the_same_map(seed, epoch, index):
    one, other = (drawn(AUGMENTATIONS["paper"], seed=seed, epoch=epoch, index=index) for _ in range(2))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}, {"index": 1}])
def test_other_key_draws_another_map(other):
    assert not np.allclose(drawn(AUGMENTATIONS["plausible"]), drawn(AUGMENTATIONS["plausible"], **other))


@given(**KEYS)
def test_no_augmentation_leaves_a_xray_as_it_is(seed, epoch, index):
    image, lungs = draw_xray(1)
    matrix = drawn(AUGMENTATIONS["none"], seed=seed, epoch=epoch, index=index)
    np.testing.assert_array_equal(warp(image, matrix), image)
    np.testing.assert_array_equal(warp(lungs * np.uint8(255), matrix), lungs * 255)


@given(**KEYS)
def test_rotation_keeps_the_centre_and_the_size(seed, epoch, index):
    matrix = drawn(Augmentation(rotation_degrees=90), seed=seed, epoch=epoch, index=index)
    centre = np.array([WIDTH - 1, HEIGHT - 1]) / 2
    np.testing.assert_allclose(matrix @ [*centre, 1], centre, atol=1e-9)
    np.testing.assert_allclose(matrix[:, :2] @ matrix[:, :2].T, np.eye(2), atol=1e-12)


@given(limit=st.floats(0, 0.9), **KEYS)
def test_shift_stays_within_its_part_of_each_side(limit, seed, epoch, index):
    matrix = drawn(Augmentation(shift=limit), seed=seed, epoch=epoch, index=index)
    np.testing.assert_array_equal(matrix[:, :2], np.eye(2))
    assert (np.abs(matrix[:, 2]) <= limit * np.array([WIDTH, HEIGHT]) + 1e-9).all()


@given(limit=st.floats(0, 79), **KEYS)
def test_shear_moves_along_the_rows_within_its_limit(limit, seed, epoch, index):
    matrix = drawn(Augmentation(shear_degrees=limit), seed=seed, epoch=epoch, index=index)
    np.testing.assert_array_equal(matrix[1], [0, 1, 0])
    assert abs(np.rad2deg(np.arctan(matrix[0, 1]))) <= limit + 1e-9


@given(**KEYS)
def test_plausible_never_turns_a_xray_upside_down_or_on_its_side(seed, epoch, index):
    matrix = drawn(AUGMENTATIONS["plausible"], seed=seed, epoch=epoch, index=index)
    assert matrix[1, 1] > 0.85  # the way down a result is nearly the way down the radiograph
    assert abs(matrix[1, 0]) < 0.16


def test_plausible_mirrors_sides_in_half_of_the_draws():
    mirrored = [drawn(AUGMENTATIONS["plausible"], index=index)[0, 0] < 0 for index in range(1000)]
    assert 450 < sum(mirrored) < 550


@pytest.mark.parametrize(("name", "axis"), [("mirrors_sides", 1), ("mirrors_upside_down", 0)])
def test_mirror_is_exact(name, axis):
    image, _ = draw_xray(2)
    seen = {warp(image, drawn(Augmentation(**{name: True}), index=index)).tobytes() for index in range(20)}
    assert seen == {image.tobytes(), np.flip(image, axis).tobytes()}


def test_xray_moves_by_whole_pixels_and_is_reflected_beyond_its_edge():
    image, _ = draw_xray(3)
    moved = warp(image, np.array([[1.0, 0, -3], [0, 1, 2]]))  # each pixel shows what was 3 left of and 2 below it
    np.testing.assert_array_equal(moved[:-2, 3:], image[2:, :-3])
    np.testing.assert_array_equal(moved[:-2, :3], image[2:, 3:0:-1])
    np.testing.assert_array_equal(moved[-2:, 3:], image[-2:-4:-1, :-3])


@given(**KEYS)
def test_image_and_mask_move_alike(seed, epoch, index):
    _, lungs = draw_xray(4)
    matrix = drawn(AUGMENTATIONS["paper"], seed=seed, epoch=epoch, index=index)
    image = warp(np.where(lungs, 200, 50).astype(np.uint8), matrix)
    mask = warp(lungs * np.uint8(255), matrix) > 127
    assert (image[mask] >= 124).all()
    assert (image[~mask] <= 126).all()


@pytest.mark.parametrize(
    "wrong", [{"rotation_degrees": 181}, {"shift": 1}, {"shear_degrees": 80}, {"zoom": -0.1}, {"tilt": 1}]
)
def test_amount_that_makes_no_xray_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Augmentation(**wrong)
