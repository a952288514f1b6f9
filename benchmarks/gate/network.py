"""The network of the gate: what a picture shows, which way up, in which polarity, and how usual it looks.

It is no part of the paper. It is small on purpose: it must tell a chest from a leg, not find disease.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cxrnet.model.gate_runtime import CONTENTS, GATE_SIZE, TURNS

SHRINK = 4
"""The network looks at means over squares of so many pixels."""

FEATURES = 32
CHANNELS = (16, 24, 32, 48)


class GateOutput(NamedTuple):
    """What the network says of a batch, float32.

    `contents` [batch, content] and `turns` [batch, turn]: probabilities; `inverted` [batch]: probability that bone is
    dark; `distance` [batch]: Mahalanobis distance to the features of the images that it was trained on, upright
    and with bright bones. Turn and polarity mean something for frontal chests only.
    """

    contents: Tensor
    turns: Tensor
    inverted: Tensor
    distance: Tensor


class GateNetwork(nn.Module):
    """A small convolutional network with three answers, and the distance to what it has seen.

    `mean` float32 [feature] and `whitening` float32 [feature, feature] describe the features of the images that it was
    trained on; they are measured after the training.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in pairwise((1, *CHANNELS)):
            layers += [
                nn.Conv2d(before, after, 3, padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.body = nn.Sequential(*layers)
        rows, columns = (side // SHRINK // 2 ** len(CHANNELS) for side in GATE_SIZE)
        flat = CHANNELS[-1] * rows * columns
        self.neck = nn.Sequential(nn.Dropout(dropout), nn.Linear(flat, FEATURES), nn.Tanh())
        self.head = nn.Linear(FEATURES, len(CONTENTS) + len(TURNS) + 1)
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("whitening", torch.eye(FEATURES))

    def features(self, image: Tensor) -> Tensor:
        """Return float32 [batch, feature] in [-1, 1] of prepared images, uint8 [batch, height, width]."""
        return self.features_of_means(functional.avg_pool2d(image[:, None].to(torch.float32), SHRINK))

    def features_of_means(self, means: Tensor) -> Tensor:
        """Return what `features` does, of means over squares of `SHRINK` pixels, float32 [batch, 1, rows, columns]."""
        found: Tensor = self.neck(self.body(means / 127.5 - 1).flatten(1))
        return found

    def logits(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the logits of content [batch, content], turn [batch, turn] and polarity [batch]."""
        contents, turns, inverted = self.head(features).split((len(CONTENTS), len(TURNS), 1), dim=1)
        return contents, turns, inverted[:, 0]

    def forward(self, image: Tensor) -> GateOutput:
        """Return the answers for prepared images, uint8 [batch, height, width]."""
        features = self.features(image)
        contents, turns, inverted = self.logits(features)
        distance = torch.linalg.vector_norm((features - self.mean) @ self.whitening, dim=1)
        return GateOutput(contents.softmax(dim=1), turns.softmax(dim=1), inverted.sigmoid(), distance)

    def measure(self, features: Tensor, *, ridge: float = 1e-3) -> None:
        """Set what `distance` is measured from: `features` float32 [radiograph, feature] of usual radiographs."""
        self.mean.copy_(features.mean(dim=0))
        covariance = torch.cov(features.T.double()) + ridge * torch.eye(features.shape[1], dtype=torch.float64)
        values, vectors = torch.linalg.eigh(covariance)
        self.whitening.copy_((vectors / values.sqrt()).float())
