import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cxrnet.model.config import Branch
from cxrnet.nn.blocks import ResidualBlock, SeparableConv2d, batch_norm, leaky
from tests.material import randomised

BRANCHES = (Branch(kernel=3, dilation=1), Branch(kernel=5, dilation=2))


def _count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@given(
    kernel=st.sampled_from([1, 3, 5, 7, 9]),
    dilation=st.integers(1, 6),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
)
def test_block_keeps_height_and_width_for_any_kernel_and_dilation(kernel, dilation, height, width):
    block = ResidualBlock(2, 3, [Branch(kernel=kernel, dilation=dilation)]).eval()
    assert block(torch.rand(1, 2, height, width)).shape == (1, 3, height, width)


def test_block_concatenates_its_branches():
    assert ResidualBlock(4, 3, BRANCHES)(torch.rand(2, 4, 9, 9)).shape == (2, 6, 9, 9)


def test_block_adds_its_branches_when_merge_is_add():
    assert ResidualBlock(4, 3, BRANCHES, merge="add")(torch.rand(2, 4, 9, 9)).shape == (2, 3, 9, 9)


def test_block_is_shortcut_plus_branches():
    block = randomised(ResidualBlock(4, 3, BRANCHES))
    x = torch.randn(1, 4, 9, 11)
    u = leaky(block.norm(x))
    residual = torch.cat([block.branches[0](u), block.branches[1](u)], dim=1)
    torch.testing.assert_close(block(x), block.shortcut_norm(block.shortcut(x)) + residual)


def test_added_block_is_shortcut_plus_the_sum_of_its_branches():
    block = randomised(ResidualBlock(4, 3, BRANCHES, merge="add"))
    x = torch.randn(1, 4, 9, 11)
    u = leaky(block.norm(x))
    residual = block.branches[0](u) + block.branches[1](u)
    torch.testing.assert_close(block(x), block.shortcut_norm(block.shortcut(x)) + residual)


def test_stem_block_reads_its_input_as_it_is():
    block = randomised(ResidualBlock(1, 3, BRANCHES, is_stem=True))
    x = torch.randn(1, 1, 9, 11)
    residual = torch.cat([branch(x) for branch in block.branches], dim=1)
    torch.testing.assert_close(block(x), block.shortcut_norm(block.shortcut(x)) + residual)


def test_separable_convolution_is_the_full_convolution_of_rank_one():
    separable = randomised(SeparableConv2d(3, 5, kernel=3, dilation=2))
    x = torch.randn(2, 3, 12, 13)
    full = separable.pointwise.weight * separable.depthwise.weight.permute(1, 0, 2, 3)
    expected = torch.nn.functional.conv2d(x, full, separable.pointwise.bias, padding=2, dilation=2)
    torch.testing.assert_close(separable(x), expected, rtol=1e-5, atol=1e-5)


def test_batch_norm_has_the_epsilon_and_momentum_of_the_published_weights():
    norm = batch_norm(3)
    assert (norm.eps, norm.momentum) == (1e-3, 0.01)


def test_leaky_relu_has_the_slope_of_both_modules():
    torch.testing.assert_close(leaky(torch.tensor([-2.0, 3.0])), torch.tensor([-0.2, 3.0]))


@pytest.mark.parametrize(("channels", "is_stem", "parameters"), [(1, True, 2_803), (48, False, 11_408)])
def test_published_block_has_its_number_of_parameters(channels, is_stem, parameters):
    branches = [Branch(kernel=k, dilation=d) for k, d in ((3, 1), (5, 3), (7, 5))]
    block = ResidualBlock(channels, 16, branches, is_stem=is_stem)
    statistics = sum(b.numel() for name, b in block.named_buffers() if "running" in name)
    assert _count(block) + statistics == parameters
