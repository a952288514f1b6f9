"""Training of Module 1 by Lightning (paper 3.1, Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cxrnet.data.augment import Augmentation
from cxrnet.nn.segmenter import Segmenter
from cxrnet.training.config import Phase, SegmenterTraining
from cxrnet.training.dataset import VOID, AugmentedImages, EpochOrder, ImageSet, use_one_thread
from cxrnet.training.losses import dice_loss, tanimoto_loss, weighted_tanimoto_loss
from cxrnet.training.module import TrainingModule, optimiser_of

LOSSES = {"weighted-tanimoto": weighted_tanimoto_loss, "tanimoto": tanimoto_loss, "dice": dice_loss}


class SegmenterModule(TrainingModule):
    """A segmenter, its loss, its optimiser and its images.

    The paper's losses pool a batch into one coefficient. In a parallel training each process pools its own share and
    the gradients are averaged: that of a smaller batch, not of the joint one.

    Args:
        config: The training.
        train: Images with masks.
        validation: Images with masks, never augmented.
        workers: Data-loading worker processes.
        names: File names of the training images, for messages.
    """

    config: SegmenterTraining

    def __init__(
        self,
        config: SegmenterTraining,
        train: ImageSet,
        validation: ImageSet,
        *,
        workers: int = 0,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(Segmenter(config.segmenter), names)
        self.config, self._train, self._validation, self._workers = config, train, validation, workers
        self._augmented: tuple[Phase, AugmentedImages] | None = None
        self._dice: list[Tensor] = []

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the images of this epoch; asked for again in every epoch."""
        config, phase = self.config, self.config.phase_at(self.current_epoch)
        if self._augmented is None or self._augmented[0] is not phase:
            images = AugmentedImages(
                self._train, config.augmentation, phase, seed=config.seed, acquisition=config.acquisition
            )
            self._augmented = (phase, images)
        return DataLoader(
            self._augmented[1],
            batch_size=phase.batch,
            sampler=self.epoch_order(len(self._train), phase.batch),
            num_workers=self._workers,
            worker_init_fn=use_one_thread,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the validation images, not augmented, at the scale of this epoch."""
        scale = self.config.phase_at(self.current_epoch).scale
        images = AugmentedImages(self._validation, Augmentation(), Phase(epochs=1, scale=scale), seed=0)
        order = EpochOrder(len(images), seed=0, epoch=0, is_shuffled=False)
        return DataLoader(images, batch_size=4, sampler=order)

    def training_loss(self, images: Tensor, truth: Tensor) -> Tensor:
        """Return the loss of a batch, float [], and log it."""
        loss = self._loss(images, truth)
        self.log_mean("train_loss", loss, len(images))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Add up the loss and the Dice coefficient of each image (lungs only, probability above 0.5).

        An image whose true mask is empty has no Dice coefficient: finding nothing there would count as 1.
        """
        image, lungs = batch
        self.log_mean("val_loss", self._loss(image, lungs), len(image))
        found = self.network.lung_probability(image.contiguous(memory_format=torch.channels_last)) > 0.5
        true = lungs[:, 0] > 0.5
        found = found & (lungs[:, 0] != VOID)
        overlap = (found & true).sum(dim=(1, 2))
        dice = (2 * overlap + 1) / (found.sum(dim=(1, 2)) + true.sum(dim=(1, 2)) + 1)
        self._dice.append(dice.where(true.any(dim=2).any(dim=1), torch.nan))

    def on_validation_epoch_end(self) -> None:
        """Log the mean Dice coefficient of the validation images."""
        self.log("val_dice", torch.cat(self._dice).nanmean(), prog_bar=True, sync_dist=True)
        self._dice.clear()

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and the schedule if it has one."""
        ranks, images = self.trainer.world_size, len(self._train)
        steps = sum(phase.epochs * -(-images // (phase.batch * ranks)) for phase in self.config.phases)
        return optimiser_of(self.config.optimiser, self.network, steps)

    def _loss(self, image: Tensor, lungs: Tensor) -> Tensor:
        predicted = self.network(image.contiguous(memory_format=torch.channels_last))
        target = targets(lungs.clamp(min=0), channel=self.network.lung_channel)
        is_void = lungs == VOID
        weights = (~is_void).float().expand_as(target) if bool(is_void.any()) else None
        return LOSSES[self.config.loss](predicted, target, weights=weights)


def targets(lungs: Tensor, *, channel: int) -> Tensor:
    """Return float [batch, 2, height, width], lungs and the rest, of lungs float [batch, 1, height, width]."""
    return torch.cat([lungs, 1 - lungs] if channel == 0 else [1 - lungs, lungs], dim=1)
