"""Module 2 against arrays recorded from the published implementation."""

import numpy as np
import pytest
import torch

from cxrnet.model.config import LungMaskConfig
from cxrnet.nn.attention import CrossAttention
from cxrnet.nn.blocks import leaky
from cxrnet.nn.network import lung_mask
from tests.nn.test_golden_segmenter import IMAGES, check_stages


def _tensor(array):
    return torch.from_numpy(array)[None]


def _classified(golden, published, image, mask):
    """Our scattering coefficients and ensemble for a lung mask, float [1, 300, 340]."""
    grey = _tensor(golden(image)["input_uint8"]).float()
    with torch.inference_mode():
        return published["v7"].classify(grey, mask)


@pytest.fixture(scope="module")
def from_mask(golden, published):
    """Function from an image to scattering coefficients and ensemble from the recorded mask."""
    kept = {}

    def run(image):
        if image not in kept:
            kept[image] = _classified(golden, published, image, _tensor(golden(image)["mask_used"]))
        return kept[image]

    return run


@pytest.mark.parametrize("image", IMAGES)
def test_scattering_is_that_of_the_published_implementation(golden, from_mask, image):
    recorded = golden(image)["wst"]
    ours = from_mask(image)[0][0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, recorded, rtol=0, atol=1e-5)
    assert np.abs(ours - recorded).max() <= 1e-5 * np.abs(recorded).max()


@pytest.mark.parametrize("image", IMAGES)
def test_attention_of_each_fold_is_that_of_the_published_implementation(golden, published, image):
    recorded = golden(image)
    query, mask = (_tensor(recorded["wst_with_mask"][..., channel]) for channel in (0, 49))
    lungs = (mask > 0.3).float()
    assert len(published["v7"].ensemble.folds) == 6
    for fold, module in enumerate(published["v7"].ensemble.folds):
        attention: CrossAttention = module.attention
        with torch.inference_mode():
            ours = {
                "rows": attention.rows(query, lungs, mask),
                "cols": attention.columns(query.mT, lungs.mT, mask.mT).mT,
                "product": attention(query, lungs, mask),
            }
        for name, tensor in ours.items():
            expected = recorded[f"fold_attention_{name}"][fold]
            np.testing.assert_allclose(tensor[0], expected, rtol=0, atol=1e-5, err_msg=f"{name} of fold {fold}")


@pytest.mark.parametrize("image", IMAGES)
def test_maps_of_the_recorded_coefficients_are_those_of_the_published_implementation(golden, published, image):
    recorded = golden(image)
    features = _tensor(recorded["wst_with_mask"]).permute(0, 3, 1, 2)
    with torch.inference_mode():
        ours = published["v7"].ensemble(features[:, :49], features[:, 49])
    # the maps reach 269, where neighbouring float32 numbers are 3e-5 apart; so relative to the largest value
    largest = np.abs(recorded["fold_masked_maps"]).max()
    maps = ours.fold_maps[0].permute(0, 2, 3, 1)
    np.testing.assert_allclose(maps, recorded["fold_masked_maps"], rtol=0, atol=1e-6 * largest)
    np.testing.assert_allclose(ours.maps[0].permute(1, 2, 0), recorded["averaged_map"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("image", IMAGES)
def test_fold_maps_hold_through_our_own_scattering(golden, from_mask, image):
    # The recorded coefficients carry 7e-7 of float32 noise, which the folds amplify: even a transform in
    # float64 leaves 3e-4 here. The maps reach 222, so the bound is relative to their largest value.
    recorded = golden(image)["fold_masked_maps"]
    maps = from_mask(image)[1].fold_maps[0].permute(0, 2, 3, 1).numpy()
    assert np.abs(maps - recorded).max() <= 5e-6 * np.abs(recorded).max()


@pytest.mark.parametrize("image", IMAGES)
def test_scores_of_folds_and_ensemble_are_those_of_the_published_implementation(golden, from_mask, image):
    ours = from_mask(image)[1]
    np.testing.assert_allclose(ours.fold_scores[0], golden(image)["fold_scores"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(ours.scores[0], golden(image)["scores"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize(
    ("recorded", "segmenter", "config"),
    [
        ("scores_mask_not_quantised", "v7", LungMaskConfig(levels=None, window=(6, 225))),
        ("scores_mask_no_intensity_window", "v7", LungMaskConfig(levels=255, window=None)),
        ("scores_jms_mask", "jms", LungMaskConfig(levels=255, window=(6, 225))),
    ],
)
def test_scores_follow_the_mask_as_in_the_published_implementation(
    golden, published, image, recorded, segmenter, config
):
    arrays = golden(image)
    probability = _tensor(arrays[f"module1_{segmenter}_prob"])
    mask = lung_mask(probability, _tensor(arrays["input_uint8"]).float(), config)
    ensemble = _classified(golden, published, image, mask)[1]
    np.testing.assert_allclose(ensemble.scores[0], arrays[recorded], rtol=0, atol=1e-5)


@pytest.mark.parametrize("image", [IMAGES[0], *(pytest.param(image, marks=pytest.mark.slow) for image in IMAGES[1:])])
def test_scores_hold_from_image_to_end(golden, published, image):
    with torch.inference_mode():
        output = published["v7"](_tensor(golden(image)["input_uint8"]))
    np.testing.assert_allclose(output.scores[0], golden(image)["scores"], rtol=0, atol=1e-4)


def test_sample_patient_scores_as_printed_in_the_published_notebooks(golden, published):
    with torch.inference_mode():
        output = published["v7"](_tensor(golden("hfhs_002130-004-1")["input_uint8"]))
    assert output.scores[0, 0].item() == pytest.approx(0.93871009, abs=1e-4)


@pytest.fixture(scope="module")
def stages(published, golden):
    """What each stage of fold 0 makes of a small crop: name of the recorded array -> ours, channels last."""
    fold = published["v7"].ensemble.folds[0]
    x = _tensor(golden("unit_module2_fold0_24x32")["input_wst_with_mask"]).permute(0, 3, 1, 2)
    query, mask = x[:, 0], x[:, 49]
    lungs = (mask > 0.3).float()
    ours = {"threshold_mask": lungs[:, None]}
    with torch.inference_mode():
        ours["attention_rows"] = fold.attention.rows(query, lungs, mask)[:, None]
        ours["attention_cols_transposed"] = fold.attention.columns(query.mT, lungs.mT, mask.mT)[:, None]
        product = ours["attention_product"] = fold.attention(query, lungs, mask)[:, None]
        x = ours["bn_in"] = fold.norm(torch.cat([x, product], dim=1))
        for number, block in enumerate(fold.blocks, start=1):
            x = ours[f"block{number}_out"] = block(x)
        x = ours["leaky_out"] = leaky(x)
        x = ours["masked_map"] = x * lungs[:, None]
    ours = {name: tensor[0].permute(1, 2, 0).numpy() for name, tensor in ours.items()}
    return ours | {"fold_scores": x.mean(dim=(2, 3)).softmax(dim=1)[0].numpy()}


def test_every_stage_of_a_fold_is_that_of_the_published_implementation(stages, golden):
    recorded = golden("unit_module2_fold0_24x32")
    assert len(stages) == 11
    check_stages(stages, recorded)
