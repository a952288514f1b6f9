"""Dilated depthwise convolution, fast on a CPU: each phase of the image is an ordinary depthwise convolution.

A kernel with dilation d never mixes pixels whose row or column differ by anything but a multiple of d. The image
therefore falls into d x d smaller ones, each convolved without dilation, for which the CPU libraries have fast kernels
forward and backward; for dilated ones they do not. Channels lie last in memory, so that sorting the pixels moves whole
pixels. The result is that of the plain convolution, which exported graphs and other devices keep.
"""

import torch
from torch import Tensor
from torch.nn import functional


def depthwise(x: Tensor, weight: Tensor, *, dilation: int) -> Tensor:
    """Return x convolved channel by channel, zeros outside: float [batch, channel, height, width] as x.

    `weight` is float [channel, 1, kernel, kernel], kernel odd, with `dilation` pixels between its taps.
    """
    if dilation == 1 or x.device.type != "cpu" or torch.compiler.is_exporting():
        padding = dilation * (weight.shape[-1] // 2)
        return functional.conv2d(x, weight, padding=padding, dilation=dilation, groups=x.shape[1])
    phases = sort_phases(x, dilation)
    convolved = functional.conv2d(phases, weight, padding=weight.shape[-1] // 2, groups=x.shape[1])
    return join_phases(convolved, dilation, *x.shape[-2:])


def sort_phases(x: Tensor, dilation: int) -> Tensor:
    """Return the d x d phases of x as a batch: float [batch * d * d, channel, rows, columns], channels last.

    Sides that dilation does not divide are filled up with zeros, as the convolution would find them there.
    """
    batch, channels, height, width = x.shape
    rows, columns = -(-height // dilation), -(-width // dilation)
    last = x.permute(0, 2, 3, 1)
    if (rows * dilation, columns * dilation) != (height, width):
        last = functional.pad(last, (0, 0, 0, columns * dilation - width, 0, rows * dilation - height))
    split = last.reshape(batch, rows, dilation, columns, dilation, channels)
    return split.permute(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, channels).permute(0, 3, 1, 2)


def join_phases(phases: Tensor, dilation: int, height: int, width: int) -> Tensor:
    """Return float [batch, channel, height, width], channels last, of which `phases` are the phases."""
    _, channels, rows, columns = phases.shape
    split = phases.permute(0, 2, 3, 1).reshape(-1, dilation, dilation, rows, columns, channels)
    joined = split.permute(0, 3, 1, 4, 2, 5).reshape(-1, rows * dilation, columns * dilation, channels)
    return joined[:, :height, :width].contiguous().permute(0, 3, 1, 2)
