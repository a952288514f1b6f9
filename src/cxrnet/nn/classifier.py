"""Module 2: from scattering coefficients and lung mask to class maps and scores (paper 2.2.3, Figs. 3 and 5).

    x = concat(scattering, mask, query * rows * columns)
    x = batch norm -> stem block -> residual blocks -> last block, one channel a class -> LeakyReLU
    class map = x * (mask > 0.3)            logits = mean of the class map over all positions, or over the lungs

The published fold has 20,467 parameters. An ensemble averages the class maps of its folds, not their scores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cxrnet.model.config import ClassifierConfig, PoolingConfig
from cxrnet.model.patient import PatientConfig
from cxrnet.nn.attention import CrossAttention
from cxrnet.nn.blocks import ResidualBlock, batch_norm, leaky


class FoldOutput(NamedTuple):
    """What one fold says: `maps` float [batch, class, rows, columns], `logits` float [batch, class]."""

    maps: Tensor
    logits: Tensor


class EnsembleOutput(NamedTuple):
    """What the ensemble says, folds along axis 1.

    `fold_maps` float [batch, fold, class, rows, columns], `fold_logits` and `fold_scores` float [batch, fold, class],
    `maps` float [batch, class, rows, columns], `logits` and `scores` float [batch, class].
    """

    fold_maps: Tensor
    fold_logits: Tensor
    fold_scores: Tensor
    maps: Tensor
    logits: Tensor
    scores: Tensor


class PatientData(nn.Module):
    """A small dense network from patient data (age, sex, chemistry) to logits (paper 4)."""

    def __init__(self, config: PatientConfig, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(len(config.inputs), config.hidden)
        self.output = nn.Linear(config.hidden, classes)

    def forward(self, patient: Tensor) -> Tensor:
        """Return float [batch, class] of float [batch, input], encoded by the config."""
        logits: Tensor = self.output(leaky(self.hidden(patient)))
        return logits


class Fold(nn.Module):
    """One network of Module 2; `config` holds its sizes, classes and options."""

    def __init__(self, config: ClassifierConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ClassifierConfig()
        classes = len(config.classes)
        self.attention = None if config.attention is None else CrossAttention(config.attention)
        channels = config.scattering.channels + 1 + (self.attention is not None)
        self.norm = batch_norm(channels)
        self.blocks = nn.ModuleList()
        for index in range(config.blocks - 1):
            block = ResidualBlock(channels, config.filters, config.branches, is_stem=index == 0)
            self.blocks.append(block)
            channels = block.out_channels
        self.blocks.append(ResidualBlock(channels, classes, config.branches, merge="add"))
        self.dropout = nn.Dropout2d(config.dropout)
        self.patient = None if config.patient is None else PatientData(config.patient, classes)

    def forward(
        self, scattering: Tensor, mask: Tensor, *, image: Tensor | None = None, patient: Tensor | None = None
    ) -> FoldOutput:
        """Return class maps and logits.

        `scattering`, float [batch, channel, rows, columns], are coefficients of the standardised image; `mask`, float
        [batch, rows, columns], the lung probability averaged over each position. `image`, of its shape, is the prepared
        image averaged likewise and divided by 255; it is needed unless `pooling.regions` is `lungs`. `patient`, float
        [batch, input], as `PatientConfig.encode` returns it, is needed if the config names columns.
        """
        lungs = (mask > self.config.pooling.mask_threshold).to(mask.dtype)
        features = [scale_coefficients(scattering, lungs.unsqueeze(1), self.config), mask.unsqueeze(1)]
        if self.attention is not None:
            features.append(self.attention(scattering[:, 0], lungs, mask).unsqueeze(1))
        x = self.norm(self.dropout(torch.cat(features, dim=1)))
        for block in self.blocks[:-1]:
            x = self.dropout(block(x))
        x = leaky(self.blocks[-1](x))
        weights = (lungs * pooling_weights(self.config.pooling, image)).unsqueeze(1)
        maps = x * weights
        logits = average(self.config.pooling, maps, weights)
        if self.patient is not None:
            if patient is None:
                msg = f"patient data is missing; give {', '.join(self.config.patient.names)}"  # type: ignore[union-attr]
                raise ValueError(msg)
            logits = logits + self.patient(patient)
        return FoldOutput(maps, logits)


def scale_coefficients(scattering: Tensor, lungs: Tensor, config: ClassifierConfig) -> Tensor:
    """Return the coefficients as the blocks see them, float [batch, channel, rows, columns]; the paper leaves them.

    By the config they are logarithms above a floor, and 0 outside the `lungs`, float [batch, 1, rows, columns].
    """
    if config.logarithm:
        scattering = torch.cat([scattering[:, :1], torch.log1p(scattering[:, 1:] / config.floor)], dim=1)
    return scattering * lungs if config.lungs_only else scattering


def pooling_weights(config: PoolingConfig, image: Tensor | None) -> Tensor | float:
    """Return float [batch, rows, columns] in [0, 1], the weight of each position in addition to the lungs."""
    if config.regions == "lungs":
        return 1.0
    if image is None:
        raise ValueError(f"image is missing; pooling over regions by {config.regions} needs it")
    if config.regions == "intensity":
        return image
    return (image > config.intensity_threshold).to(image.dtype)


def average(config: PoolingConfig, maps: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of each map, float [...], over the image, or over the lungs by their weights.

    Maps are float [..., rows, columns], multiplied by the weights, which lie in [0, 1].
    """
    if config.average is None:
        return maps.mean(dim=(-2, -1))
    # A map without lungs has the mean 0.
    return maps.sum(dim=(-2, -1)) / weights.sum(dim=(-2, -1)).clamp(min=1)


class Ensemble(nn.Module):
    """Several folds side by side on one scattering transform (paper Fig. 5)."""

    def __init__(self, folds: Sequence[Fold]) -> None:
        super().__init__()
        self.folds = nn.ModuleList(folds)

    def forward(
        self, scattering: Tensor, mask: Tensor, *, image: Tensor | None = None, patient: Tensor | None = None
    ) -> EnsembleOutput:
        """Return maps, logits and scores of the folds and of their mean; arguments as in `Fold.forward`."""
        outputs = [fold(scattering, mask, image=image, patient=patient) for fold in self.folds]
        return mean_of_folds(
            torch.stack([output.maps for output in outputs], dim=1),
            torch.stack([output.logits for output in outputs], dim=1),
        )


def mean_of_folds(fold_maps: Tensor, fold_logits: Tensor) -> EnsembleOutput:
    """Return what an ensemble makes of the maps and logits of its folds."""
    logits = fold_logits.mean(dim=1)
    return EnsembleOutput(
        fold_maps=fold_maps,
        fold_logits=fold_logits,
        fold_scores=fold_logits.softmax(dim=2),
        maps=fold_maps.mean(dim=1),
        logits=logits,
        scores=logits.softmax(dim=1),
    )
