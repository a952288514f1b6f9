import numpy as np
import pytest

from cxrnet.evaluation.audit.changes import CHANGES, MIDDLE, REFERENCE, STRENGTHS
from cxrnet.imaging.radiograph import Radiograph
from tests.material import draw_xray

BY_NAME = {change.name: change for change in (*CHANGES, *REFERENCE)}
RAMP = np.tile(np.linspace(0, 255, 100).round().astype(np.uint8), (100, 1))


def changed(name, pixels=RAMP, seed=0):
    """The pixels of a changed copy."""
    return BY_NAME[name].apply(Radiograph.from_array(pixels), seed=seed).radiograph.pixels


def test_changes_have_names_of_their_own():
    assert len(BY_NAME) == len(CHANGES) + 1


def test_every_kind_but_mirroring_has_three_strengths():
    for kind in {change.kind for change in CHANGES} - {"mirror"}:
        assert [change.strength for change in CHANGES if change.kind == kind] == list(STRENGTHS)


def test_reference_is_eighteen_changes_and_has_those_that_figures_are_quoted_for():
    names = {change.name for change in REFERENCE}
    assert len(names) == 18
    assert {"noise-4", "clip-bright-20", "clip-bright-40", "jpeg-40", "blur-1", "border-black-5"} <= names
    assert {change.name for change in MIDDLE} - names <= {
        "clip-dark-20", "resample-0.5", "jpeg2000-20", "bits-7", "text-3", "dicom-window-10", "dicom-voi-lut-6",
        "dicom-monochrome1-12",
    }  # fmt: skip


def test_noise_has_its_sigma_and_repeats_with_its_seed():
    even = np.full((200, 200), 128, np.uint8)
    even[0, 0] = 0
    assert (changed("noise-4", even) - even).std() == pytest.approx(4, abs=0.1)
    assert (changed("noise-4", even) == changed("noise-4", even)).all()
    assert (changed("noise-4", even) != changed("noise-4", even, seed=1)).any()


@pytest.mark.parametrize(("name", "value"), [("clip-bright-20", 255), ("clip-dark-20", 0)])
def test_clipping_takes_its_share_of_the_pixels(name, value):
    assert (changed(name) == value).mean() == pytest.approx(0.2, abs=0.02)


def test_gamma_raises_grey_values_to_its_exponent():
    assert changed("gamma-bright-0.7")[0, 50] == round(255 * (RAMP[0, 50] / 255) ** 0.7)


@pytest.mark.parametrize(("name", "value"), [("border-black-5", 0), ("border-white-5", 255)])
def test_border_lies_outside_the_picture(name, value):
    made = changed(name)
    assert made.shape == (110, 110)
    assert (made[5:-5, 5:-5] == RAMP).all()
    assert (np.delete(made, slice(5, -5), axis=0) == value).all()


def test_crop_cuts_every_side():
    assert (changed("crop-4") == RAMP[4:-4, 4:-4]).all()


def test_mirror_swaps_left_and_right():
    assert (changed("mirror-1") == RAMP[:, ::-1]).all()


def test_bits_keep_their_number_of_levels():
    every = np.arange(256, dtype=np.uint8).repeat(40).reshape(128, 80)
    assert len(np.unique(changed("bits-7", every))) == 128


def test_16_bits_keep_the_picture():
    assert np.allclose(changed("bits-16"), RAMP, atol=1e-3)


def test_marker_and_text_leave_the_middle_alone():
    for name in ("marker-15", "text-6"):
        made = changed(name)
        assert (made[36:64, 40:60] == RAMP[36:64, 40:60]).all()
        assert (made != RAMP).any()


def test_blur_resampling_and_compression_are_small():
    image, _ = draw_xray(0, height=128, width=144)
    for name in ("blur-1", "resample-0.5", "jpeg-40", "jpeg2000-20", "jpeg-15", "clahe-2"):
        made = changed(name, image)
        assert made.shape == image.shape
        assert 0 < np.abs(made - image).mean() < 40


def test_dicom_copies_show_the_same_picture():
    image, _ = draw_xray(0, height=128, width=144)
    assert np.abs(changed("dicom-monochrome1-12", image) - image).max() <= 1
    assert (np.diff(changed("dicom-voi-lut-6")[0]) >= 0).all()


def test_dicom_window_clips_its_share_or_is_ignored_by_the_reader():
    made = BY_NAME["dicom-window-10"].apply(Radiograph.from_array(RAMP)).radiograph
    assert made.format == "DICOM"
    assert (np.diff(made.pixels[50]) >= 0).all()
