"""What the trainings of both modules share: seeded steps, losses that must be finite, the optimiser."""

from collections.abc import Sequence
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from cxrnet.arrays import Float64
from cxrnet.errors import TrainingError
from cxrnet.training.config import ClassifierTraining, Optimiser, SegmenterTraining
from cxrnet.training.dataset import EpochOrder, seed_step

_MAX_NAMES = 3


class TrainingModule(lightning.LightningModule):
    """A network that is trained, with its order of images and its optimiser."""

    config: SegmenterTraining | ClassifierTraining

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network: Any = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._names, self._order, self._batch = names, EpochOrder(0, seed=0, epoch=0), 1

    def training_step(self, batch: tuple[Any, Tensor], step: int) -> Tensor:
        """Return the loss of a batch, and log it."""
        seed_step(self.config.seed, self.current_epoch, step, self.trainer.global_rank)
        loss = self.training_loss(*batch)
        if not bool(torch.isfinite(loss)):
            images = [self._names[index] for index in self._order.batch(step, self._batch)] if self._names else []
            more = f" and {len(images) - _MAX_NAMES} more" if len(images) > _MAX_NAMES else ""
            named = f" with {', '.join(images[:_MAX_NAMES])}{more}" if images else ""
            rate = self.config.optimiser.learning_rate
            raise TrainingError(
                f"training: the loss is {float(loss):g} in epoch {self.current_epoch}, in the batch{named}; lower "
                f"optimiser.learning_rate ({rate:g}) in --config, or leave these images out"
            )
        return loss

    def training_loss(self, images: Any, truth: Tensor) -> Tensor:
        """Return the loss of a batch, float [], and log it; `images` is all that the network takes."""
        raise NotImplementedError

    def log_mean(self, name: str, value: Tensor, images: int) -> None:
        """Log the mean over an epoch of a value of `images` images, over all processes."""
        self.log(name, value, on_step=False, on_epoch=True, prog_bar=True, batch_size=images, sync_dist=True)

    def epoch_order(
        self, images: int, batch: int, *, draws: Float64 | None = None, number: int | None = None
    ) -> EpochOrder:
        """Return the order of this process's images in this epoch, and keep it for messages."""
        self._batch = batch
        self._order = EpochOrder(
            images,
            seed=self.config.seed,
            epoch=self.current_epoch,
            rank=self.trainer.global_rank,
            ranks=self.trainer.world_size,
            draws=draws,
            number=number,
        )
        return self._order


def optimiser_of(config: Optimiser, network: nn.Module, steps: int) -> Any:
    """Return optimiser and schedule for this number of steps, as Lightning takes them."""
    options: dict[str, Any] = {"lr": config.learning_rate, "amsgrad": config.amsgrad}
    optimiser: torch.optim.Optimizer
    if config.name == "adamw":
        optimiser = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay, **options)
    else:
        optimiser = torch.optim.Adam(network.parameters(), **options)
    if config.schedule == "constant":
        return optimiser
    total = max(steps + 1, 5)  # it is asked once more than there are steps, and divides by 0 where a quarter is 1
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=total, pct_start=0.25)
    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
