from collections import Counter

import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from cxrnet.export.onnx import export_segmenter
from cxrnet.model.config import Branch, SegmenterConfig
from cxrnet.nn.depthwise import depthwise, join_phases, sort_phases
from cxrnet.nn.segmenter import Segmenter
from tests.material import randomised

SIZES = {"height": st.integers(1, 17), "width": st.integers(1, 17)}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Convolutions this small are quicker on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plain(x, weight, dilation):
    padding = dilation * (weight.shape[-1] // 2)
    return functional.conv2d(x, weight, padding=padding, dilation=dilation, groups=x.shape[1])


def results(convolve, x, weight, dilation, direction):
    """Forward, and the gradients of image and weights."""
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = convolve(x, weight, dilation)
    return y.detach(), *torch.autograd.grad(y, (x, weight), direction)


@settings(max_examples=60)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 4),
    kernel=st.sampled_from([1, 3, 5, 7]),
    dilation=st.integers(1, 6),
    seed=st.integers(0, 2**31),
    is_channels_last=st.booleans(),
    **SIZES,
)
def test_depthwise_is_the_dilated_convolution_with_groups(
    batch, channels, height, width, kernel, dilation, seed, is_channels_last
):
    chance = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, height, width, generator=chance, dtype=torch.float64)
    weight = torch.randn(channels, 1, kernel, kernel, generator=chance, dtype=torch.float64)
    direction = torch.randn(x.shape, generator=chance, dtype=torch.float64)
    if is_channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    expected = results(plain, x, weight, dilation, direction)
    found = results(lambda x, weight, dilation: depthwise(x, weight, dilation=dilation), x, weight, dilation, direction)
    for want, have in zip(expected, found, strict=True):
        assert have.shape == want.shape
        torch.testing.assert_close(have, want, rtol=1e-12, atol=1e-12)


@given(dilation=st.integers(1, 6), **SIZES)
def test_joined_phases_are_the_image(height, width, dilation):
    x = torch.rand(2, 3, height, width)
    assert torch.equal(join_phases(sort_phases(x, dilation), dilation, height, width), x)


@pytest.fixture(scope="module")
def exported():
    config = SegmenterConfig(filters=2, blocks=2, branches=(Branch(kernel=3, dilation=1), Branch(kernel=3, dilation=3)))
    segmenter = randomised(Segmenter(config))
    return onnx.load_from_string(export_segmenter(segmenter)).graph


def test_exported_graph_has_no_phases(exported):
    counts = Counter(node.op_type for node in exported.node)
    assert counts["Conv"] > 0
    assert not counts.keys() & {"Transpose", "Reshape", "Pad"}, counts


def test_exported_graph_keeps_the_dilation_in_its_convolutions(exported):
    dilations = Counter(
        tuple(attribute.ints)
        for node in exported.node
        if node.op_type == "Conv"
        for attribute in node.attribute
        if attribute.name == "dilations"
    )
    assert dilations[(3, 3)] == 4  # two in a branch, one such branch in each of two blocks
