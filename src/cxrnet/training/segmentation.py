"""Training of Module 1 by Lightning (paper 3.1, Fig. 6)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from cxrnet.data.augment import Augmentation
from cxrnet.model.segmenter_classes import has_label_maps
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
        """Add up the loss and the Dice coefficient of each class but the background in each image.

        Lungs alone are cut at a probability of 0.5; of more classes the likeliest counts. A class that an image
        does not have has no Dice coefficient there: finding nothing would count as 1.
        """
        image, planes = batch
        self.log_mean("val_loss", self._loss(image, planes), len(image))
        image = image.contiguous(memory_format=torch.channels_last)
        if self._is_lungs_alone:
            found, true = self.network.lung_probability(image)[:, None] > 0.5, planes > 0.5
        else:
            true = members(targets(planes.clamp(min=0), background=0))
            found = members(self.network(image))
        found, true = found & (planes[:, :1] != VOID), true & (planes[:, :1] != VOID)
        overlap = (found & true).sum(dim=(2, 3))
        dice = (2 * overlap + 1) / (found.sum(dim=(2, 3)) + true.sum(dim=(2, 3)) + 1)
        self._dice.append(dice.where(true.any(dim=3).any(dim=2), torch.nan))

    def on_validation_epoch_end(self) -> None:
        """Log the mean Dice coefficient of the validation images; of several classes each, and their mean."""
        dice = torch.cat(self._dice)
        self._dice.clear()
        if self._is_lungs_alone:
            self.log("val_dice", dice.nanmean(), prog_bar=True, sync_dist=True)
            return
        means = dice.nanmean(dim=0)
        for name, mean in zip(self.network.config.classes[1:], means, strict=True):
            self.log(f"val_dice_{name.replace(' ', '_')}", mean, sync_dist=True)
        self.log("val_dice", means.nanmean(), prog_bar=True, sync_dist=True)

    def configure_optimizers(self) -> Any:
        """Return the optimiser, and the schedule if it has one."""
        ranks, images = self.trainer.world_size, len(self._train)
        steps = sum(phase.epochs * -(-images // (phase.batch * ranks)) for phase in self.config.phases)
        return optimiser_of(self.config.optimiser, self.network, steps)

    @property
    def _is_lungs_alone(self) -> bool:
        return not has_label_maps(self.network.config.classes)

    def _loss(self, image: Tensor, planes: Tensor) -> Tensor:
        predicted = self.network(image.contiguous(memory_format=torch.channels_last))
        background = 1 - self.network.lung_channel if self._is_lungs_alone else 0
        target = targets(planes.clamp(min=0), background=background)
        is_void = planes[:, :1] == VOID
        weights = (~is_void).float().expand_as(target) if bool(is_void.any()) else None
        return LOSSES[self.config.loss](predicted, target, weights=weights)


def targets(planes: Tensor, *, background: int) -> Tensor:
    """Return float [batch, class, height, width], the background in its channel, of planes of all other classes."""
    rest = (1 - planes.sum(dim=1, keepdim=True)).clamp(min=0)
    return torch.cat([planes[:, :background], rest, planes[:, background:]], dim=1)


def members(shares: Tensor) -> Tensor:
    """Return bool [batch, class, height, width], where each class but the first is the likeliest one."""
    likeliest = shares.argmax(dim=1, keepdim=True)
    return likeliest == torch.arange(1, shares.shape[1], device=shares.device)[:, None, None]
