import pytest
import torch
from torch import nn

from cxrnet.export.fused import FusedBlock, FusedSegmenter, batch_norm_as_conv, padded_channels, zero_padded
from cxrnet.export.fused_scattering import FusedScattering, MirroredScattering, pad_circular_by_parts
from cxrnet.model.config import Branch, ScatteringConfig, SegmenterConfig
from cxrnet.nn.blocks import ResidualBlock
from cxrnet.nn.scattering import Scattering, pad_circular
from cxrnet.nn.segmenter import Segmenter
from tests.material import randomised

BRANCHES = (Branch(kernel=3, dilation=1), Branch(kernel=5, dilation=2))


def _close(have, want):
    torch.testing.assert_close(have, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("channels", "taken"), [(1, 16), (12, 16), (16, 16), (17, 20), (48, 48), (51, 52)])
def test_channels_are_filled_up_to_what_the_blocked_layout_takes(channels, taken):
    assert padded_channels(channels) == taken


def test_spread_puts_a_tensor_into_zeros():
    assert zero_padded(torch.ones(1, 2), (2, 4), (1, 1)).tolist() == [[0, 0, 0, 0], [0, 1, 1, 0]]


def test_batch_norm_is_a_convolution_channel_by_channel():
    norm, x = randomised(nn.BatchNorm2d(3, eps=1e-3)), torch.randn(1, 3, 4, 5)
    _close(batch_norm_as_conv(norm, 16)(zero_padded(x, (1, 16, 4, 5)))[:, :3], norm(x))


@pytest.mark.parametrize("is_stem", [False, True])
@pytest.mark.parametrize(("filters", "merge"), [(16, "concatenate"), (5, "concatenate"), (5, "add")])
@torch.inference_mode()
def test_fused_block_says_what_the_block_says(filters, merge, is_stem):
    block = randomised(ResidualBlock(7, filters, BRANCHES, is_stem=is_stem, merge=merge))
    x = torch.randn(2, 7, 20, 24)
    got = FusedBlock(block, 16)(zero_padded(x, (2, 16, 20, 24)))
    _close(got[:, : block.out_channels], block(x))
    assert not got[:, block.out_channels :].any()


@pytest.mark.parametrize("size", [(20, 24), (15, 21)])
@pytest.mark.parametrize("output_stride", [1, 2])
@pytest.mark.parametrize(
    "classes", [("lungs", "background"), ("background", "lungs"), ("background", "lungs", "heart")]
)
@torch.inference_mode()
def test_fused_segmenter_says_what_the_segmenter_says(classes, output_stride, size):
    options = {"classes": classes, "filters": 3, "blocks": 2, "branches": BRANCHES, "output_stride": output_stride}
    segmenter = randomised(Segmenter(SegmenterConfig(**options)))
    image, fused = torch.rand(2, 1, *size), FusedSegmenter(segmenter)
    _close(fused(image), segmenter(image))
    _close(fused.lung_probability(image), segmenter.lung_probability(image))


@pytest.mark.parametrize("config", [{}, {"J": 3, "L": 2}, {"J": 1, "L": 5}, {"order": 1}])
@pytest.mark.parametrize("size", [(48, 60), (9, 11)])
def test_fused_scattering_says_what_the_transform_says(config, size):
    image, config = torch.randn(2, *size), ScatteringConfig(**config)
    expected = Scattering(config)(image)
    assert (FusedScattering(config)(image) - expected).abs().max() <= 5e-6 * expected.abs().max()


@pytest.mark.parametrize("config", [{}, {"J": 3, "L": 2}, {"J": 1, "L": 5}, {"order": 1}])
@pytest.mark.parametrize("size", [(48, 60), (9, 14)])
def test_mirrored_scattering_says_what_the_transform_says_of_an_image_and_its_mirror_image(config, size):
    image, config = torch.randn(2, *size), ScatteringConfig(**config)
    expected = Scattering(config).with_mirror_images(image)
    assert (MirroredScattering(config).with_mirror_images(image) - expected).abs().max() <= 5e-6 * expected.abs().max()


def test_wavelets_of_a_graph_are_cut_shorter():
    fused = FusedScattering(ScatteringConfig())
    assert [buffer.shape[-1] for buffer in fused.buffers()] == [11, 23]


@pytest.mark.parametrize("radius", [1, 5, 6, 13])
def test_map_is_continued_as_it_is_wrapped(radius):
    x = torch.rand(1, 2, 5, 8)
    assert torch.equal(pad_circular_by_parts(x, radius, radius), pad_circular(x, radius))
