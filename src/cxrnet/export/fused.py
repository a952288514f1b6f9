"""A network in the form that runs fastest: what its graph is exported from. It gives the network's own numbers.

- A batch norm behind a convolution is folded into it; one in front of an activation becomes a convolution channel by
  channel, since ONNX Runtime keeps its blocked layout (NCHWc) through convolutions and their activations only.
- A softmax over two classes is a sigmoid of their difference.
- Channels are padded with zeros to what the blocked layout takes, where a network's own number does not fit.

The scattering transform is in `fused_scattering`, the folds of Module 2 side by side in `fused_ensemble`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cxrnet.model.segmenter_classes import has_label_maps, lung_channels
from cxrnet.nn.blocks import ResidualBlock, SeparableConv2d, leaky
from cxrnet.nn.recurrent import RecurrentBlock
from cxrnet.nn.segmenter import Segmenter, halved, lungs_of, resized_as

LANES = 16
"""Fewest channels that are kept in the blocked layout: the floats in the widest register of a CPU."""


def padded_channels(channels: int) -> int:
    """Return the number of channels that a map of this number is padded to."""
    return max(LANES, -(-channels // 4) * 4)


def affine_of(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Return what a trained batch norm does to a channel: float [channel] factor and [channel] summand."""
    assert norm.running_var is not None
    assert norm.running_mean is not None
    factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return factor.detach(), (norm.bias - norm.running_mean * factor).detach()


def pointwise(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """Return the 1x1 convolution with `weight`, float [out, in]."""
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias is not None)
    conv.weight.data = weight.detach().clone()[..., None, None]
    if bias is not None and conv.bias is not None:
        conv.bias.data = bias.detach().clone()
    return conv


def channelwise(weight: Tensor, bias: Tensor | None = None, *, dilation: int = 1) -> nn.Conv2d:
    """Return the depthwise convolution with `weight`, float [channel, 1, kernel, kernel], size kept."""
    channels, _, kernel, _ = weight.shape
    conv = nn.Conv2d(
        channels,
        channels,
        kernel,
        groups=channels,
        dilation=dilation,
        padding=dilation * (kernel // 2),
        bias=bias is not None,
    )
    conv.weight.data = weight.detach().clone()
    if bias is not None and conv.bias is not None:
        conv.bias.data = bias.detach().clone()
    return conv


def zero_padded(tensor: Tensor, size: Sequence[int], at: Sequence[int] | None = None) -> Tensor:
    """Return zeros of `size` with `tensor` in them, its corner `at` these indices."""
    padded = torch.zeros(tuple(size), dtype=tensor.dtype)
    corner = at or [0] * tensor.ndim
    padded[tuple(slice(low, low + length) for low, length in zip(corner, tensor.shape, strict=True))] = tensor.detach()
    return padded


def batch_norm_as_conv(norm: nn.BatchNorm2d, channels: int) -> nn.Conv2d:
    """Return a batch norm as a convolution channel by channel, for a map padded to `channels`."""
    factor, summand = affine_of(norm)
    return channelwise(zero_padded(factor, [channels])[:, None, None, None], zero_padded(summand, [channels]))


def depthwise_of(separable: SeparableConv2d, channels: int) -> nn.Conv2d:
    """Return the depthwise part of a separable convolution, for a map padded to `channels`."""
    weight = separable.depthwise.weight
    return channelwise(zero_padded(weight, [channels, *weight.shape[1:]]), dilation=separable.depthwise.dilation[0])


def projection_of(
    conv: nn.Conv2d, norm: nn.BatchNorm2d | None, *, size: tuple[int, int], at: tuple[int, int] = (0, 0)
) -> nn.Conv2d:
    """Return a 1x1 convolution and the batch norm behind it as one, inside [out, in] channels of `size`."""
    weight, bias = conv.weight[:, :, 0, 0], conv.bias
    assert bias is not None
    if norm is not None:
        factor, summand = affine_of(norm)
        weight, bias = weight * factor[:, None], bias * factor + summand
    return pointwise(zero_padded(weight, size, at), zero_padded(bias, size[:1], at[:1]))


class FusedBranch(nn.Module):
    """A residual branch: depthwise, projection with its norm, leaky ReLU, depthwise, projection.

    Its input has `channels`, its output `size`, padded; its own channels of the output begin `at` this one.
    """

    def __init__(self, branch: nn.Module, channels: int, size: int, at: int) -> None:
        super().__init__()
        first, second, norm = branch.first, branch.second, branch.norm
        assert isinstance(first, SeparableConv2d)
        assert isinstance(second, SeparableConv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        filters = padded_channels(first.pointwise.out_channels)
        self.first_depthwise = depthwise_of(first, channels)
        self.first_projection = projection_of(first.pointwise, norm, size=(filters, channels))
        self.second_depthwise = depthwise_of(second, filters)
        self.second_projection = projection_of(second.pointwise, None, size=(size, filters), at=(at, 0))

    def forward(self, u: Tensor) -> Tensor:
        """Return float [batch, size, height, width], zero in the channels that are not the branch's own."""
        x = leaky(self.first_projection(self.first_depthwise(u)))
        residual: Tensor = self.second_projection(self.second_depthwise(x))
        return residual


class FusedBlock(nn.Module):
    """A residual block on a map whose channels are padded to `channels`; so are those of its output."""

    def __init__(self, block: ResidualBlock, channels: int) -> None:
        super().__init__()
        self.norm = None if block.norm is None else batch_norm_as_conv(block.norm, channels)
        filters = block.out_channels // (len(block.branches) if block.merge == "concatenate" else 1)
        self.joins = block.merge == "concatenate" and filters % LANES == 0
        self.out_channels = block.out_channels if self.joins else padded_channels(block.out_channels)
        size = filters if self.joins else self.out_channels
        step = filters if block.merge == "concatenate" and not self.joins else 0
        self.branches = nn.ModuleList(
            FusedBranch(branch, channels, size, index * step) for index, branch in enumerate(block.branches)
        )
        self.shortcut = projection_of(block.shortcut, block.shortcut_norm, size=(self.out_channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return float [batch, out_channels, height, width]."""
        u = x if self.norm is None else leaky(self.norm(x))
        shortcut: Tensor = self.shortcut(x)
        residuals = [branch(u) for branch in self.branches]
        if self.joins:
            return shortcut + torch.cat(residuals, dim=1)
        for residual in residuals:
            shortcut = shortcut + residual
        return shortcut


class FusedRecurrentBlock(RecurrentBlock):
    """A recurrent block on a map whose channels are padded to `channels`."""

    def __init__(self, block: RecurrentBlock, channels: int) -> None:
        classes = block.project.out_channels
        super().__init__(channels, classes)
        self.rows.load_state_dict(block.rows.state_dict())
        self.columns.load_state_dict(block.columns.state_dict())
        self.project = projection_of(block.project, None, size=(classes, channels))


class FusedSegmenter(nn.Module):
    """Module 1."""

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.class_names, self.is_halved = segmenter.config.classes, segmenter.config.output_stride == 2
        self.blocks = nn.ModuleList()
        channels, classes = 1, len(segmenter.config.classes)
        for block in segmenter.blocks:
            assert isinstance(block, ResidualBlock)
            fused = FusedBlock(block, channels)
            self.blocks.append(fused)
            channels = fused.out_channels
        self.recurrent = nn.ModuleList()
        for block in segmenter.recurrent:
            assert isinstance(block, RecurrentBlock)
            self.recurrent.append(FusedRecurrentBlock(block, channels))
            channels = classes
        self.head = None if segmenter.head is None else projection_of(segmenter.head, None, size=(classes, channels))

    def forward(self, image: Tensor) -> Tensor:
        """Return the probability of each class, float [batch, class, height, width], as `Segmenter.forward`."""
        logits = self._resized(image, self._logits(image))
        return torch.sigmoid(logits - logits.flip(1)) if logits.shape[1] == 2 else logits.softmax(dim=1)

    def lung_probability(self, image: Tensor) -> Tensor:
        """Return float [batch, height, width] in [0, 1], the sum over the lung classes."""
        if has_label_maps(self.class_names):
            return self.lungs_of(self(image))
        logits, (channel,) = self._logits(image), lung_channels(self.class_names)
        own = slice(channel, channel + 1)
        return torch.sigmoid(self._resized(image, logits[:, own] - logits.flip(1)[:, own]))[:, 0]

    def lungs_of(self, probability: Tensor) -> Tensor:
        """Return the lung probability, float [batch, height, width], of what `forward` returns."""
        return lungs_of(probability, self.class_names)

    def _resized(self, image: Tensor, x: Tensor) -> Tensor:
        return resized_as(image, x) if self.is_halved else x

    def _logits(self, x: Tensor) -> Tensor:
        x = halved(x) if self.is_halved else x
        for block in self.blocks:
            x = block(x)
        for block in self.recurrent:
            x = block(x)
        return x if self.head is None else leaky(self.head(x))
