"""Training of Module 1 by Lightning (paper 3.1, Fig. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cxrnet.data.augment import Augmentation
from cxrnet.nn.segmenter import Segmenter
from cxrnet.training.config import Optimiser, Phase, SegmenterTraining
from cxrnet.training.dataset import VOID, AugmentedImages, EpochOrder, ImageSet, seed_step, use_one_thread
from cxrnet.training.finite import require_finite
from cxrnet.training.losses import dice_loss, tanimoto_loss, weighted_tanimoto_loss


class SegmenterModule(lightning.LightningModule):
    """A segmenter, its loss, its optimiser and its images.

    Args:
        config: The training.
        train: Images with masks.
        validation: Images with masks, never augmented.
        workers: Data-loading worker processes.
        names: File names of the training images, for messages.
    """

    def __init__(
        self,
        config: SegmenterTraining,
        train: ImageSet,
        validation: ImageSet,
        *,
        workers: int = 0,
        names: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._names, self._order = names, EpochOrder(0, seed=0, epoch=0)
        self.config, self._train, self._validation, self._workers = config, train, validation, workers
        self.network = Segmenter(config.segmenter).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._moved: tuple[Phase, AugmentedImages] | None = None
        self._overlap: list[Tensor] = []

    def train_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the images of this epoch; asked for again in every epoch."""
        phase = self._phase
        if self._moved is None or self._moved[0] is not phase:
            images = AugmentedImages(
                self._train,
                self.config.augmentation,
                phase,
                seed=self.config.seed,
                acquisition=self.config.acquisition,
            )
            self._moved = (phase, images)
        order = self._order = EpochOrder(
            len(self._train),
            seed=self.config.seed,
            epoch=self.current_epoch,
            rank=self.trainer.global_rank,
            ranks=self.trainer.world_size,
        )
        return DataLoader(
            self._moved[1],
            batch_size=phase.batch,
            sampler=order,
            num_workers=self._workers,
            worker_init_fn=use_one_thread,
        )

    def val_dataloader(self) -> DataLoader[tuple[Tensor, Tensor]]:
        """Return the validation images, not moved, at the scale of this epoch."""
        images = AugmentedImages(self._validation, Augmentation(), Phase(epochs=1, scale=self._phase.scale), seed=0)
        order = EpochOrder(len(images), seed=0, epoch=0, is_shuffled=False)
        return DataLoader(images, batch_size=4, sampler=order)

    def training_step(self, batch: tuple[Tensor, Tensor], step: int) -> Tensor:
        """Return the loss of a batch.

        The paper's losses pool a batch into one coefficient. In a parallel training each process pools its own
        share and the gradients are averaged: that of a smaller batch, not of the joint one.
        """
        seed_step(self.config.seed, self.current_epoch, step, self.trainer.global_rank)
        loss = self._loss(*batch)
        indices = self._order.batch(step, self._phase.batch)
        images = [self._names[index] for index in indices] if self._names else []
        require_finite(loss, epoch=self.current_epoch, images=images, optimiser=self.config.optimiser)
        self.log(
            "train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(batch[0]), sync_dist=True
        )
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Add up the loss and the Dice coefficient of each image (lungs only, probability above 0.5).

        An image whose true mask is empty has no Dice coefficient: finding nothing there would count as 1.
        """
        image, lungs = batch
        self.log("val_loss", self._loss(image, lungs), on_epoch=True, batch_size=len(image), sync_dist=True)
        found = self.network.lung_probability(image.contiguous(memory_format=torch.channels_last)) > 0.5
        true = lungs[:, 0] > 0.5
        found = found & (lungs[:, 0] != VOID)
        overlap = (found & true).sum(dim=(1, 2))
        dice = (2 * overlap + 1) / (found.sum(dim=(1, 2)) + true.sum(dim=(1, 2)) + 1)
        self._overlap.append(dice.where(true.any(dim=2).any(dim=1), torch.nan))

    def on_validation_epoch_end(self) -> None:
        """Log the mean Dice coefficient of the validation images."""
        self.log("val_dice", torch.cat(self._overlap).nanmean(), prog_bar=True, sync_dist=True)
        self._overlap.clear()

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and the schedule if it has one."""
        steps = sum(
            phase.epochs * -(-len(self._train) // (phase.batch * self.trainer.world_size))
            for phase in self.config.phases
        )
        return optimiser_of(self.config.optimiser, self.network, steps)

    @property
    def _phase(self) -> Phase:
        return self.config.phase_at(self.current_epoch)

    def _loss(self, image: Tensor, lungs: Tensor) -> Tensor:
        predicted = self.network(image.contiguous(memory_format=torch.channels_last))
        target = targets(lungs.clamp(min=0), channel=self.network.lung_channel)
        is_void = lungs == VOID
        weights = (~is_void).float().expand_as(target) if bool(is_void.any()) else None
        return LOSSES[self.config.loss](predicted, target, weights=weights)


LOSSES = {"weighted-tanimoto": weighted_tanimoto_loss, "tanimoto": tanimoto_loss, "dice": dice_loss}


def targets(lungs: Tensor, *, channel: int) -> Tensor:
    """Return float [batch, 2, height, width], lungs and the rest, of lungs float [batch, 1, height, width]."""
    return torch.cat([lungs, 1 - lungs] if channel == 0 else [1 - lungs, lungs], dim=1)


def optimiser_of(config: Optimiser, network: torch.nn.Module, steps: int) -> Any:
    """Return what Lightning wants of an optimiser for so many steps."""
    parameters = network.parameters()
    optimiser: torch.optim.Optimizer
    if config.name == "adamw":
        optimiser = torch.optim.AdamW(
            parameters, lr=config.learning_rate, amsgrad=config.amsgrad, weight_decay=config.weight_decay
        )
    else:
        optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, amsgrad=config.amsgrad)
    if config.schedule == "constant":
        return optimiser
    total = max(steps + 1, 5)  # it is asked once more than there are steps, and divides by 0 where a quarter is 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=total, pct_start=0.25)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
