"""Training of one fold of Module 2 by Lightning (paper 3.2.1, Fig. 11b)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader, Dataset

from cxrnet.arrays import Float32, Float64, Int64
from cxrnet.nn.classifier import Fold
from cxrnet.training.config import ClassifierTraining
from cxrnet.training.dataset import EpochOrder, seed_step
from cxrnet.training.features import Features
from cxrnet.training.losses import class_weights, weighted_cross_entropy
from cxrnet.training.module import TrainingModule, optimiser_of


class FeatureSet(Dataset[tuple[Tensor, Tensor]]):
    """Features and labels of some images, asked for by (epoch, index); each epoch shows another copy.

    Args:
        features: Of all images.
        images: int64 [n], which of them.
        labels: int64 [all images], index of the class.
        copies: Changed copies of an image that are shown together; 0 shows the images as they are.
    """

    def __init__(self, features: Features, images: Int64, labels: Int64, *, copies: int) -> None:
        self._features, self._images, self._labels, self._copies = features, images, labels, copies

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._images)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return float32 [copy, channel, rows, columns] and int64 []."""
        epoch, index = key
        image = int(self._images[index])
        number = self._features.variants
        step = max(1, number // max(1, self._copies))
        originals = range(self._features.originals)
        changed = [len(originals) + (epoch + image + copy * step) % number for copy in range(self._copies)]
        variants = changed or list(originals)
        return torch.stack([self._features.at(variant, image) for variant in variants]), torch.tensor(
            self._labels[image]
        )


class FoldModule(TrainingModule):
    """One fold of Module 2, its loss, its optimiser and its images.

    Args:
        config: The training.
        features: Of all images of the cross-validation.
        labels: int64 [image], index of the class.
        train: int64 [n], images of this fold's training.
        validation: int64 [m], images kept out of it.
        draws: float64 [n], how likely each image is drawn; None shows each once in an epoch.
        names: File names of all images, for messages.
    """

    config: ClassifierTraining

    def __init__(
        self,
        config: ClassifierTraining,
        features: Features,
        labels: Int64,
        train: Int64,
        validation: Int64,
        *,
        draws: Float64 | None = None,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(Fold(config.classifier), [names[index] for index in train] if names else ())
        self.config, self.validation, self._draws = config, validation, draws
        self._train = FeatureSet(features, train, labels, copies=2 if config.consistency else 1)
        self._held_out = FeatureSet(features, validation, labels, copies=0)
        counts = torch.from_numpy(np.bincount(labels[train], minlength=len(config.classifier.classes)))
        self.register_buffer("_weights", class_weights(counts) if config.balance == "class" else None)

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the images of this epoch; asked for again in every epoch."""
        config = self.config
        order = self.epoch_order(len(self._train), config.batch, draws=self._draws, number=config.draws)
        return DataLoader(self._train, batch_size=config.batch, sampler=order)

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the images that were kept out, as they are."""
        order = EpochOrder(len(self._held_out), seed=0, epoch=0, is_shuffled=False)
        return DataLoader(self._held_out, batch_size=32, sampler=order)

    def recompute_batch_norm(self) -> None:
        """Compute the batch-norm statistics again with the weights as they are; the same each time it is done."""
        seed, epoch = self.config.seed, self.config.epochs
        order = EpochOrder(len(self._train), seed=seed, epoch=epoch, draws=self._draws, number=self.config.draws)
        seed_step(seed, epoch)
        update_bn(DataLoader(self._train, batch_size=self.config.batch, sampler=order), self)
        self.eval()

    def held_out_logits(self) -> Float32:
        """Return the logits of the images that were kept out, float32 [image, class]."""
        self.eval()
        with torch.inference_mode():
            return torch.cat([self(features).mean(dim=1) for features, _ in self.val_dataloader()]).numpy()

    def forward(self, features: Tensor) -> Tensor:
        """Return logits, float [batch, copy, class], of features float [batch, copy, channel, rows, columns]."""
        flat = features.flatten(0, 1)
        logits: Tensor = self.network(flat[:, :-2], flat[:, -2], image=flat[:, -1]).logits
        return logits.view(*features.shape[:2], -1)

    def training_loss(self, images: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of a batch, float [], and log it."""
        return self._log_step("train", self(images), truth)

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Log loss and accuracy of images that were kept out."""
        features, labels = batch
        self._log_step("val", self(features).mean(dim=1, keepdim=True), labels)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and the schedule if it has one."""
        shown = len(self._train) if self._draws is None else self.config.draws or len(self._train)
        steps = self.config.epochs * -(-shown // (self.config.batch * self.trainer.world_size))
        return optimiser_of(self.config.optimiser, self.network, steps)

    def _log_step(self, part: str, logits: Tensor, labels: Tensor) -> Tensor:
        weights: Tensor | None = self._weights  # type: ignore[assignment]
        every = labels.repeat_interleave(logits.shape[1])
        loss = weighted_cross_entropy(logits.flatten(0, 1), every, weights=weights)
        if logits.shape[1] > 1:
            loss = loss + self.config.consistency * disagreement(logits)
        self.log_mean(f"{part}_loss", loss, len(labels))
        self.log_mean(f"{part}_accuracy", (logits.flatten(0, 1).argmax(dim=1) == every).float().mean(), len(labels))
        return loss


def disagreement(logits: Tensor) -> Tensor:
    """Return how far the copies of an image differ: the mean squared difference of their centred logits.

    Args:
        logits: float [batch, copy, class].
    """
    centred = logits - logits.mean(dim=2, keepdim=True)
    return (centred - centred.mean(dim=1, keepdim=True)).square().sum(dim=2).mean()
