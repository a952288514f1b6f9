import pytest
import torch

from cxrnet.model.config import Branch, SegmenterConfig
from cxrnet.nn.segmenter import Segmenter
from tests.material import draw_xray, randomised


def _small(**changes):
    return SegmenterConfig(**{"filters": 2, "blocks": 2, **changes})


@pytest.mark.parametrize("size", [(8, 8), (13, 29), (1, 7)])
def test_segmenter_takes_any_size(size):
    assert randomised(Segmenter(_small()))(torch.rand(1, 1, *size)).shape == (1, 2, *size)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("background", "heart", "lungs")},
        {"merge": "add"},
        {"blocks": 1},
        {"branches": (Branch(kernel=3, dilation=1),)},
        {"recurrent_blocks": 2},
        {"output_stride": 2},
    ],
)
def test_probabilities_sum_to_one_for_every_option(changes):
    probability = randomised(Segmenter(_small(**changes)))(torch.rand(2, 1, 12, 14))
    torch.testing.assert_close(probability.sum(dim=1), torch.ones(2, 12, 14))


@pytest.mark.parametrize("classes", [("lungs", "background"), ("background", "lungs"), ("background", "b", "lungs")])
def test_lung_probability_is_the_channel_of_that_name(classes):
    segmenter = randomised(Segmenter(_small(classes=classes)))
    image = torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(segmenter.lung_probability(image), segmenter(image)[:, classes.index("lungs")])


def test_logits_pass_a_leaky_relu_before_the_softmax():
    segmenter = randomised(Segmenter(_small()))
    image = torch.rand(1, 1, 9, 9)
    x = image
    for block in segmenter.blocks:
        x = block(x)
    torch.testing.assert_close(segmenter.logits(image), torch.nn.functional.leaky_relu(segmenter.head(x), 0.1))


def test_output_stride_2_works_on_the_mean_of_2x2_pixels():
    full, strided = (randomised(Segmenter(_small(output_stride=stride))) for stride in (1, 2))
    image = torch.rand(1, 1, 12, 10)
    small = full.logits(torch.nn.functional.avg_pool2d(image, 2))
    torch.testing.assert_close(strided.logits(image), _enlarged(small))


def _enlarged(maps):
    """Linear interpolation to twice the size, of pixels by their centres."""
    for axis in (-2, -1):
        ahead = torch.cat(
            [maps.narrow(axis, 1, maps.shape[axis] - 1), maps.narrow(axis, maps.shape[axis] - 1, 1)], axis
        )
        behind = torch.cat([maps.narrow(axis, 0, 1), maps.narrow(axis, 0, maps.shape[axis] - 1)], axis)
        pairs = torch.stack([0.75 * maps + 0.25 * behind, 0.75 * maps + 0.25 * ahead], dim=axis % 4 + 1)
        maps = pairs.flatten(axis % 4, axis % 4 + 1)
    return maps


@pytest.mark.parametrize("size", [(8, 8), (13, 29), (2, 7)])
def test_output_stride_2_keeps_the_size_of_the_image(size):
    assert randomised(Segmenter(_small(output_stride=2)))(torch.rand(1, 1, *size)).shape == (1, 2, *size)


def test_segmenter_with_recurrent_blocks_has_no_other_head():
    assert Segmenter(_small(recurrent_blocks=1)).head is None


def test_each_image_of_a_batch_is_segmented_alone():
    segmenter, images = randomised(Segmenter(_small())), torch.rand(3, 1, 11, 9)
    alone = torch.cat([segmenter(image[None]) for image in images])
    torch.testing.assert_close(segmenter(images), alone)


@pytest.mark.parametrize("recurrent_blocks", [0, 1])
def test_segmenter_passes_finite_gradients_to_every_weight(recurrent_blocks):
    segmenter = randomised(Segmenter(_small(recurrent_blocks=recurrent_blocks))).train()
    segmenter(torch.rand(2, 1, 10, 12))[:, 0].square().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in segmenter.parameters())


def test_dropout_is_off_in_evaluation():
    segmenter, image = randomised(Segmenter(_small(dropout=0.9))), torch.rand(1, 1, 9, 9)
    torch.testing.assert_close(segmenter(image), segmenter(image), rtol=0, atol=0)


def test_dropout_leaves_the_last_block_alone():
    segmenter = randomised(Segmenter(_small(blocks=1, dropout=0.9)))
    image = torch.rand(1, 1, 9, 9)
    segmenter.dropout.train()
    torch.testing.assert_close(segmenter(image), segmenter(image), rtol=0, atol=0)


def test_small_network_finds_the_lungs_of_a_made_up_xray(small_network):
    picture, lungs = draw_xray(100)
    with torch.inference_mode():
        found = small_network.segmenter.lung_probability(torch.from_numpy(picture)[None, None] / 255)[0]
    found = found.numpy() > 0.5
    assert 2 * (found & lungs).sum() / (found.sum() + lungs.sum()) > 0.85
