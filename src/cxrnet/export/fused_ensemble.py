"""The folds of Module 2 side by side, in the form that runs fastest; see `fused`.

The attention of all folds is computed at once, on maps with a channel for each fold and head. Batch norm and choice of
channels of a fold are one 1x1 convolution of what all folds read. Of the last block, whose few channels would leave
most of a register empty, the folds share one map.
"""

from functools import reduce
from operator import add

import torch
from torch import Tensor, nn

from cxrnet.export.fused import (
    FusedBlock,
    affine_of,
    batch_norm_as_conv,
    channelwise,
    depthwise_of,
    padded_channels,
    pointwise,
    projection_of,
    zero_padded,
)
from cxrnet.nn.attention import CrossAttention, MultiHeadAttention
from cxrnet.nn.blocks import ResidualBlock, ResidualBranch, leaky
from cxrnet.nn.classifier import (
    Ensemble,
    EnsembleOutput,
    Fold,
    average,
    mean_of_folds,
    pooling_weights,
    scale_coefficients,
)


class FoldAttention(nn.Module):
    """One direction of the cross-attention of all folds; as `MultiHeadAttention` for each."""

    exponent: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, layers: list[MultiHeadAttention], *, axis: int) -> None:
        super().__init__()
        self.axis = axis
        exponents = [(one.query * one.key).sum(dim=(1, 2)) / one.query.shape[-1] ** 0.5 for one in layers]
        scales = [(one.value.squeeze(1) * one.projection.squeeze(2)).sum(dim=1) for one in layers]
        self.register_buffer("exponent", torch.cat(exponents).detach()[:, None, None])
        self.register_buffer("scale", torch.stack([scale.sum() for scale in scales]).detach()[:, None, None])
        self.register_buffer("bias", torch.cat([one.bias for one in layers]).detach()[:, None, None])
        self.heads = pointwise(_diagonal([scale[None] for scale in scales]), None)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return float [batch, fold, rows, columns] of float [batch, 1, rows, columns] each."""
        ones = key.sum(dim=self.axis, keepdim=True)
        zeros = (1 - key).sum(dim=self.axis, keepdim=True)
        mean_at_one = (key * value).sum(dim=self.axis, keepdim=True) / ones.clamp(min=1)
        mean_at_zero = ((1 - key) * value).sum(dim=self.axis, keepdim=True) / zeros.clamp(min=1)
        share = torch.sigmoid(self.exponent * query + (ones.log() - zeros.log()))
        above: Tensor = self.heads(share) * (mean_at_one - mean_at_zero)
        return above + (self.scale * mean_at_zero + self.bias)


class LastBlocks(nn.Module):
    """The last blocks of all folds, which add their branches, on one map with a channel for each fold and class."""

    def __init__(self, blocks: list[ResidualBlock], channels: int) -> None:
        super().__init__()
        classes, count = blocks[0].out_channels, len(blocks)
        own, size = count * classes, padded_channels(count * classes)
        self.norms = nn.ModuleList(
            batch_norm_as_conv(block.norm, channels) for block in blocks if block.norm is not None
        )
        self.shortcuts = nn.ModuleList(
            projection_of(block.shortcut, block.shortcut_norm, size=(own, channels), at=(index * classes, 0))
            for index, block in enumerate(blocks)
        )
        self.firsts, self.projections = nn.ModuleList(), nn.ModuleList()
        self.seconds, self.joins = nn.ModuleList(), nn.ModuleList()
        for number in range(len(blocks[0].branches)):
            branches = [_branch(block, number) for block in blocks]
            self.firsts.append(nn.ModuleList(depthwise_of(branch.first, channels) for branch in branches))
            self.projections.append(
                nn.ModuleList(
                    projection_of(branch.first.pointwise, branch.norm, size=(size, channels), at=(index * classes, 0))
                    for index, branch in enumerate(branches)
                )
            )
            kernels = torch.cat([branch.second.depthwise.weight for branch in branches])
            dilation = branches[0].second.depthwise.dilation[0]
            self.seconds.append(channelwise(zero_padded(kernels, [size, *kernels.shape[1:]]), dilation=dilation))
            weight = _diagonal([branch.second.pointwise.weight[:, :, 0, 0] for branch in branches])
            bias = torch.cat([_bias(branch.second.pointwise) for branch in branches])
            self.joins.append(pointwise(zero_padded(weight, (own, size)), bias))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return float [batch, fold * class, rows, columns] of a map [batch, channel, rows, columns] a fold."""
        total = _total([shortcut(x) for shortcut, x in zip(self.shortcuts, maps, strict=True)])
        inputs = [leaky(norm(x)) for norm, x in zip(self.norms, maps, strict=True)]
        for index, second in enumerate(self.seconds):
            firsts, projections = self.firsts[index], self.projections[index]
            assert isinstance(firsts, nn.ModuleList)
            assert isinstance(projections, nn.ModuleList)
            hidden = [project(first(u)) for first, project, u in zip(firsts, projections, inputs, strict=True)]
            total = total + self.joins[index](second(leaky(_total(hidden))))
        return total


class FusedEnsemble(nn.Module):
    """An ensemble; takes and returns what `Ensemble` does."""

    def __init__(self, ensemble: Ensemble) -> None:
        super().__init__()
        folds = [fold for fold in ensemble.folds if isinstance(fold, Fold)]
        self.config = config = folds[0].config
        self.count, self.classes, self.pooling = len(folds), len(config.classes), config.pooling
        attention = [fold.attention for fold in folds if isinstance(fold.attention, CrossAttention)]
        self.rows = FoldAttention([one.rows for one in attention], axis=-1) if attention else None
        self.columns = FoldAttention([one.columns for one in attention], axis=-2) if attention else None
        shared = config.scattering.channels + 1
        self.blank = padded_channels(shared + len(attention)) - shared - len(attention)
        self.entries = nn.ModuleList(
            _entry(fold.norm, shared, shared + index if attention else None, shared + len(attention) + self.blank)
            for index, fold in enumerate(folds)
        )
        self.trunks, channels = nn.ModuleList(), 0
        for fold in folds:
            channels, trunk = padded_channels(shared + (self.rows is not None)), nn.ModuleList()
            for block in fold.blocks[:-1]:
                assert isinstance(block, ResidualBlock)
                fused = FusedBlock(block, channels)
                trunk.append(fused)
                channels = fused.out_channels
            self.trunks.append(trunk)
        last = [fold.blocks[-1] for fold in folds]
        self.last = LastBlocks([block for block in last if isinstance(block, ResidualBlock)], channels)
        self.patients = nn.ModuleList(fold.patient for fold in folds if fold.patient is not None)

    def forward(
        self, scattering: Tensor, mask: Tensor, *, image: Tensor | None = None, patient: Tensor | None = None
    ) -> EnsembleOutput:
        """Return maps, logits and scores of the folds and of their mean."""
        value = mask.unsqueeze(1)
        lungs = (value > self.pooling.mask_threshold).to(mask.dtype)
        features = [scale_coefficients(scattering, lungs, self.config), value]
        if self.rows is not None and self.columns is not None:
            query = scattering[:, :1]
            features.append(query * self.rows(query, lungs, value) * self.columns(query, lungs, value))
        if self.blank:
            features.append(torch.zeros_like(value).expand(-1, self.blank, -1, -1))
        shared = torch.cat(features, dim=1)
        maps = []
        for entry, trunk in zip(self.entries, self.trunks, strict=True):
            x = entry(shared)
            for block in trunk:  # type: ignore[attr-defined]
                x = block(x)
            maps.append(x)
        size = mask.shape[-2:]
        found = leaky(self.last(maps)).view(-1, self.count, self.classes, *size)
        inside = pooling_weights(self.pooling, image)
        counted = lungs if isinstance(inside, float) else lungs * inside.unsqueeze(1)
        weights = counted.unsqueeze(1)
        fold_maps = found * weights
        fold_logits = average(self.pooling, fold_maps, weights)
        if self.patients:
            fold_logits = fold_logits + torch.stack([one(patient) for one in self.patients], dim=1)
        return mean_of_folds(fold_maps, fold_logits)


def _entry(norm: nn.BatchNorm2d, shared: int, attended: int | None, channels: int) -> nn.Conv2d:
    """Return a fold's choice of the `shared` channels and its `attended` one out of `channels`, and its batch norm."""
    factor, summand = affine_of(norm)
    chosen = [*range(shared), *([] if attended is None else [attended])]
    weight = torch.zeros(padded_channels(len(chosen)), channels)
    weight[range(len(chosen)), chosen] = factor
    return pointwise(weight, zero_padded(summand, [len(weight)]))


def _branch(block: ResidualBlock, number: int) -> ResidualBranch:
    branch = block.branches[number]
    assert isinstance(branch, ResidualBranch)
    return branch


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias


def _diagonal(blocks: list[Tensor]) -> Tensor:
    """Return the matrix that has `blocks` along its diagonal."""
    joined: Tensor = torch.block_diag(*blocks)  # type: ignore[no-untyped-call]
    return joined


def _total(maps: list[Tensor]) -> Tensor:
    """Return the sum, one after the other: ONNX Runtime fuses each into the convolution before it."""
    return reduce(add, maps)
