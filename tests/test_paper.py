"""Facts of the CXR-Net paper, and of the published weights where the two differ, each as one line that runs.

The sections are those of "CXR-Net: An Artificial Intelligence Pipeline for Quick Covid-19 Screening of Chest X-Rays".
"""

import math

import pytest
import torch

from cxrnet.model.config import (
    PUBLISHED_LUNG_MASK,
    BundleConfig,
    ClassifierConfig,
    PoolingConfig,
    PreparationConfig,
    ScatteringConfig,
    SegmenterConfig,
    Standardisation,
)
from cxrnet.nn.classifier import Ensemble, Fold
from cxrnet.nn.network import Network
from cxrnet.nn.scattering import Scattering, paths
from cxrnet.nn.segmenter import Segmenter
from tests.material import randomised


def _parameters(network):
    """Trainable parameters, and all of them: Keras counts the moving statistics of batch norms too."""
    trainable = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(value.numel() for name, value in network.named_buffers() if "running" in name)
    return trainable, trainable + statistics


@pytest.fixture(scope="module")
def segmenter():
    return randomised(Segmenter())


@pytest.fixture(scope="module")
def fold():
    return randomised(Fold())


@pytest.fixture(scope="module")
def ensemble():
    return Ensemble([randomised(Fold(), seed=seed) for seed in range(6)]).eval()


@pytest.fixture(scope="module")
def xrays():
    """Scattering coefficients and pooled lung masks of two radiographs of 24 x 32 pixels."""
    chance = torch.Generator().manual_seed(0)
    return Scattering()(torch.randn(2, 24, 32, generator=chance)), torch.rand(2, 6, 8, generator=chance)


def _in_blocks(fold, coefficients, mask):
    """Shape of what enters each block of a fold, and of what leaves the last."""
    shapes = []
    handles = [
        block.register_forward_hook(lambda _, inputs, output: shapes.extend((inputs[0].shape[1:], output.shape[1:])))
        for block in fold.blocks
    ]
    with torch.inference_mode():
        fold(coefficients, mask)
    for handle in handles:
        handle.remove()
    return [tuple(shape) for shape in (*shapes[::2], shapes[-1])]


# 2.1.2.1: preparation


def test_xrays_are_prepared_to_300_x_340():
    assert (PreparationConfig().height, PreparationConfig().width) == (300, 340)


# 2.1.2.4: Module 1


def test_module_1_has_kernels_3_5_7_with_dilations_1_3_5_and_16_filters():
    config = SegmenterConfig()
    assert [(branch.kernel, branch.dilation) for branch in config.branches] == [(3, 1), (5, 3), (7, 5)]
    assert config.filters == 16


def test_module_1_has_six_blocks_where_the_paper_counts_five(segmenter):
    assert len(segmenter.blocks) == 6


def test_module_1_has_59941_parameters_where_the_paper_counts_59165(segmenter):
    assert _parameters(segmenter) == (58_309, 59_941)


def test_five_blocks_of_module_1_would_have_neither_number_of_the_paper():
    assert _parameters(Segmenter(SegmenterConfig(blocks=5))) == (47_189, 48_533)


def test_module_1_joins_its_branches_to_48_channels_in_every_block(segmenter):
    assert [block.out_channels for block in segmenter.blocks] == [48] * 6


def test_module_1_keeps_the_size_of_the_image_in_every_block(segmenter):
    x = torch.rand(1, 1, 15, 17)
    with torch.inference_mode():
        for block in segmenter.blocks:
            x = block(x)
            assert x.shape == (1, 48, 15, 17)


# 2.2.3: Module 2


def test_scattering_has_two_scales_and_six_angles():
    assert (ScatteringConfig().J, ScatteringConfig().L, ScatteringConfig().order) == (2, 6, 2)


def test_49_channels_are_1_of_order_0_and_12_of_order_1_and_36_of_order_2():
    orders = [path.order for path in paths(ScatteringConfig())]
    assert [orders.count(order) for order in range(3)] == [1, 12, 36]


def test_300x340_scatters_to_49_channels_of_75x85():
    assert Scattering()(torch.zeros(1, 300, 340)).shape == (1, 49, 75, 85)


def test_scattering_has_no_weights_to_learn():
    assert _parameters(Scattering()) == (0, 0)


def test_mask_and_attention_add_two_channels_and_the_last_block_leaves_one_a_class(fold):
    shapes = _in_blocks(fold, torch.zeros(1, 49, 75, 85), torch.ones(1, 75, 85))
    assert shapes == [(51, 75, 85), (51, 75, 85), (51, 75, 85), (2, 75, 85)]


def test_attention_has_two_heads_of_64_and_about_1100_parameters(fold):
    assert fold.attention.rows.query.shape == (2, 1, 64)
    assert _parameters(fold.attention)[0] == pytest.approx(1_100, rel=0.1)


def test_blocks_of_module_2_have_about_20000_parameters(fold):
    assert _parameters(fold.blocks)[0] == pytest.approx(20_000, rel=0.1)


def test_every_block_of_module_2_has_dilations_1_2_3(fold):
    for block in fold.blocks:
        assert [branch.first.depthwise.dilation for branch in block.branches] == [(1, 1), (2, 2), (3, 3)]
        assert all(branch.first.depthwise.kernel_size == (3, 3) for branch in block.branches)


def test_last_block_adds_its_branches_and_the_others_concatenate_them(fold):
    assert [block.merge for block in fold.blocks] == ["concatenate", "concatenate", "add"]


def test_fold_has_20467_parameters(fold):
    assert _parameters(fold) == (19_737, 20_467)


def test_ensemble_has_122802_parameters(ensemble):
    assert _parameters(ensemble) == (118_422, 122_802)


def test_ensemble_averages_maps_not_scores(ensemble, xrays):
    with torch.inference_mode():
        output = ensemble(*xrays)
    torch.testing.assert_close(output.scores, output.maps.mean(dim=(2, 3)).softmax(dim=1))
    assert not torch.allclose(output.scores, output.fold_scores.mean(dim=1), atol=1e-3)


def test_scores_of_the_two_classes_sum_to_one(ensemble, xrays):
    torch.testing.assert_close(ensemble(*xrays).scores.sum(dim=1), torch.ones(2))


def test_weights_of_the_folds_are_kept_side_by_side_not_averaged(ensemble, xrays):
    with torch.inference_mode():
        output = ensemble(*xrays)
        for number, fold in enumerate(ensemble.folds):
            torch.testing.assert_close(output.fold_maps[:, number], fold(*xrays).maps)


def test_lungs_are_positions_above_03_of_the_pooled_mask_where_the_paper_says_05(fold, xrays):
    assert PoolingConfig().mask_threshold == 0.3
    maps = fold(*xrays).maps
    assert torch.equal(maps.abs().sum(dim=1) > 0, xrays[1] > 0.3)


def test_published_mask_has_255_steps_and_a_window_of_grey_values_that_the_paper_does_not_name():
    assert (PUBLISHED_LUNG_MASK.levels, PUBLISHED_LUNG_MASK.window) == (255, (6, 225))


# 3.2.2, Table 3: regions left out of the average


def test_dark_regions_can_be_left_out_of_the_average(xrays):
    pooling = PoolingConfig(regions="threshold", intensity_threshold=0.5)
    fold = randomised(Fold(ClassifierConfig(pooling=pooling)))
    image = torch.linspace(0, 1, 8).expand(2, 6, 8)
    assert not fold(*xrays, image=image).maps[..., :4].any()


# 4: outlook


def test_a_third_class_takes_one_more_filter_in_the_last_block(xrays):
    three = randomised(Fold(ClassifierConfig(classes=("covid", "other pneumonia", "clear"))))
    assert three(*xrays).maps.shape[1] == 3


# both modules together


def test_both_modules_have_182743_parameters():
    network = Network(
        BundleConfig(
            name="paper",
            version="1.0",
            description="",
            lungs_include_heart=True,
            classifier=ClassifierConfig(),
            folds=6,
            standardisation=Standardisation(mean=124.07, std=75.97),
        )
    )
    assert _parameters(network)[1] == 59_941 + 122_802


def test_zeroth_order_is_the_image_seen_through_a_gaussian():
    # one bright pixel shows the Gaussian of width 1.6; the next coefficient lies 4 pixels away
    image = torch.zeros(1, 40, 40)
    image[0, 20, 20] = 1
    row = Scattering(ScatteringConfig(order=0))(image)[0, 0, 5]
    assert float(row[6] / row[5]) == pytest.approx(math.exp(-16 / (2 * 1.6**2)), rel=1e-3)
