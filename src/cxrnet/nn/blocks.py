"""The residual blocks of Res-CR-Net, shared by both modules (paper 2.1.2.4, Figs. 1 and 3d).

    stem block      u = x
    later blocks    u = LeakyReLU(BN(x))
    branch b        r_b = SepConv_b(LeakyReLU(BN(SepConv_b(u))))
    output          BN(Conv1x1(x)) + concat(r_1, r_2, ...)      or  + r_1 + r_2 + ...

All maps keep the height and width of the input.
Reference: Abdallah et al., Mach. Learn.: Sci. Technol. 1 045004.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrnet.model.config import Branch
from cxrnet.nn.depthwise import depthwise

LEAKY_SLOPE = 0.1


def batch_norm(channels: int) -> nn.BatchNorm2d:
    """Return a batch norm with the epsilon and momentum that the published weights were trained with."""
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def leaky(x: Tensor) -> Tensor:
    """Return LeakyReLU with the slope 0.1 of both modules."""
    return functional.leaky_relu(x, LEAKY_SLOPE)


class SeparableConv2d(nn.Module):
    """A dilated depthwise convolution, then a 1x1 convolution with bias; nothing between the two."""

    def __init__(self, in_channels: int, out_channels: int, *, kernel: int, dilation: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel,
            padding=dilation * (kernel - 1) // 2,
            dilation=dilation,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return float [batch, out_channels, height, width] of float [batch, in_channels, height, width]."""
        projected: Tensor = self.pointwise(depthwise(x, self.depthwise.weight, dilation=self.depthwise.dilation[0]))
        return projected


class ResidualBranch(nn.Module):
    """Two separable convolutions with batch norm and leaky ReLU between them."""

    def __init__(self, in_channels: int, filters: int, branch: Branch) -> None:
        super().__init__()
        self.first = SeparableConv2d(in_channels, filters, kernel=branch.kernel, dilation=branch.dilation)
        self.norm = batch_norm(filters)
        self.second = SeparableConv2d(filters, filters, kernel=branch.kernel, dilation=branch.dilation)

    def forward(self, u: Tensor) -> Tensor:
        """Return float [batch, filters, height, width]."""
        residual: Tensor = self.second(leaky(self.norm(self.first(u))))
        return residual


class ResidualBlock(nn.Module):
    """One CONV RES block: parallel branches of `filters` channels each, joined and added to a 1x1 shortcut.

    The branches of a stem read the input as it is, without batch norm and activation. `merge` by `concatenate` gives
    `filters` times the number of branches, `add` gives `filters` channels.
    """

    def __init__(
        self,
        in_channels: int,
        filters: int,
        branches: Sequence[Branch],
        *,
        is_stem: bool = False,
        merge: Literal["concatenate", "add"] = "concatenate",
    ) -> None:
        super().__init__()
        self.merge = merge
        self.out_channels = filters * (len(branches) if merge == "concatenate" else 1)
        self.norm = None if is_stem else batch_norm(in_channels)
        self.branches = nn.ModuleList(ResidualBranch(in_channels, filters, branch) for branch in branches)
        self.shortcut = nn.Conv2d(in_channels, self.out_channels, 1)
        self.shortcut_norm = batch_norm(self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return float [batch, out_channels, height, width] of float [batch, in_channels, height, width]."""
        u = x if self.norm is None else leaky(self.norm(x))
        residuals = [branch(u) for branch in self.branches]
        joined = torch.cat(residuals, dim=1) if self.merge == "concatenate" else sum(residuals)
        shortcut: Tensor = self.shortcut_norm(self.shortcut(x))
        return shortcut + joined
