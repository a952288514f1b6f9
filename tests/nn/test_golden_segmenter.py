"""Module 1 against arrays recorded from the published implementation."""

import numpy as np
import pytest
import torch

from cxrnet.nn.blocks import leaky
from cxrnet.nn.network import lung_mask

IMAGES = (
    "hfhs_002130-004-1",
    "jms_train_CHNCXR_0001_0",
    "jms_val_CHNCXR_0019_0",
    "v7_train_1676192",
    "v7_val_1676231",
)


def check_stages(stages, recorded):
    """Check each stage, name -> array, against the recorded one, relative to its largest value."""
    for stage, ours in stages.items():
        largest = np.abs(recorded[stage]).max()
        np.testing.assert_allclose(ours, recorded[stage], rtol=0, atol=2e-6 * largest, err_msg=stage)


SIZES = ("module1_size_61x83", "module1_size_256x256", "module1_size_512x416")


def _case(name, image):
    """A set of weights and an image; what takes long and proves little more than the others is slow."""
    is_slow = image == SIZES[2] or (name == "jms" and image in IMAGES[2:])
    return pytest.param(name, image, marks=[pytest.mark.slow] if is_slow else [])


CASES = [_case(name, image) for name in ("v7", "jms") for image in IMAGES]


@pytest.fixture(scope="module")
def lungs(published, golden):
    """Function from the names of a network and of a golden file to the lung probability, kept for the module."""
    kept = {}

    def probability(name, image):
        if (name, image) not in kept:
            grey = torch.from_numpy(golden(image)["input_uint8"])[None, None] / 255
            with torch.inference_mode():
                kept[name, image] = published[name].segmenter.lung_probability(grey)
        return kept[name, image]

    return probability


@pytest.mark.parametrize(("name", "image"), [*CASES, *(_case(name, size) for name in ("v7", "jms") for size in SIZES)])
def test_lung_probability_is_that_of_the_published_implementation(lungs, golden, name, image):
    np.testing.assert_allclose(lungs(name, image)[0], golden(image)[f"module1_{name}_prob"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("name", "image"), CASES)
def test_lung_mask_differs_in_a_few_one_step_pixels_at_most(published, lungs, golden, name, image):
    # the recorded run itself moves by 1e-6 with its maths library, enough to round a pixel the other way
    steps = (
        lung_mask(
            lungs(name, image), torch.zeros(1), published[name].config.lung_mask.model_copy(update={"window": None})
        )[0]
        .mul(255)
        .round()
        .numpy()
    )
    difference = np.abs(steps - golden(image)[f"mask_png_{name}_uint8"].astype(float))
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 5


@pytest.mark.parametrize("image", IMAGES)
def test_lung_mask_keeps_the_window_of_grey_values(published, lungs, golden, image):
    recorded = golden(image)
    grey = torch.from_numpy(recorded["input_uint8"])[None].float()
    mask = lung_mask(lungs("v7", image), grey, published["v7"].config.lung_mask)[0].numpy()
    assert np.abs(mask - recorded["mask_used"]).max() <= 1.01 / 255
    assert np.count_nonzero(np.abs(mask - recorded["mask_used"]) > 1e-6) <= 5
    assert not mask[recorded["intensity_window_uint8"] == 0].any()


@pytest.fixture(scope="module")
def stages(published, golden):
    """What each stage of the V7 segmenter makes of a small crop: name of the recorded array -> ours."""
    recorded = golden("unit_module1_v7_blocks_32x40")
    segmenter = published["v7"].segmenter
    ours = {}
    with torch.inference_mode():
        x = torch.from_numpy(recorded["input_uint8"])[None, None] / 255
        for number, block in enumerate(segmenter.blocks, start=1):
            x = ours[f"block{number}_out"] = block(x)
        x = ours["logits_after_leaky"] = leaky(segmenter.head(x))
        ours["softmax"] = x.softmax(dim=1)
    return {name: tensor[0].permute(1, 2, 0).numpy() for name, tensor in ours.items()}


def test_every_stage_is_that_of_the_published_implementation(stages, golden):
    recorded = golden("unit_module1_v7_blocks_32x40")
    assert len(stages) == 8
    check_stages(stages, recorded)
