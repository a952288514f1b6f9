"""What a run writes while it trains: history, best weights, and the result at the end.

They are written in the process that trains, and only by the first one where there are several.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from safetensors.torch import save

from cxrnet.atomic import write_atomic
from cxrnet.errors import OutputError, TrainingError
from cxrnet.table import csv_bytes
from cxrnet.training.run import BEST, LAST, write_result

BOARD = "tensorboard"

Draw = Callable[[list[dict[str, float]]], bytes]
"""From the history so far to a PNG."""


class History(Callback):
    """The quantities of every epoch, in the checkpoint, `history.csv`, `curves.png` and as events for TensorBoard."""

    def __init__(self, folder: Path, draw: Draw | None) -> None:
        self.rows: list[dict[str, float]] = []
        self._folder, self._draw = folder, draw
        self._board: Any = None

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch."""
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        for name, value in values.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"{self._folder}: {name} is {value} in epoch {trainer.current_epoch}; lower "
                    "optimiser.learning_rate, or look for images and masks that differ from all others"
                )
        self.rows.append({"epoch": trainer.current_epoch, **values})
        if trainer.is_global_zero:
            write_atomic(self._folder / "history.csv", _table(self.rows))
            if self._draw is not None:
                write_atomic(self._folder / "curves.png", self._draw(self.rows))
            self._add_events(trainer.current_epoch, values)

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the history of a checkpoint."""
        self.rows = list(state_dict["rows"])

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Close the events."""
        self.teardown(trainer, pl_module, "fit")

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Close the events."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _add_events(self, epoch: int, values: dict[str, float]) -> None:
        """Nothing is written where tensorboard is not installed; `history.csv` has it all."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        try:
            if self._board is None:  # epochs from here on, which a killed training wrote, are no longer shown
                self._board = SummaryWriter(str(self._folder / BOARD), purge_step=epoch)
            for name, value in values.items():
                self._board.add_scalar(name, value, epoch)
            self._board.flush()
        except OSError as error:
            raise OutputError.of(self._folder / BOARD, error) from error


class Best(Callback):
    """The weights of the best epoch in `best.safetensors`, an end to waiting for a better one, and the result.

    Epochs before `begins` do not count: they may have been measured on smaller images.
    Whether to stop follows from the epoch and the best one alone, not from a counter as in Lightning's EarlyStopping:
    a training that was killed after the epoch that would have ended it ends at once when it is resumed.
    """

    def __init__(
        self, history: History, folder: Path, monitor: str, *, is_better_higher: bool, patience: int | None, begins: int
    ) -> None:
        self.result: dict[str, Any] = {}
        self._history, self._folder = history, folder
        self._monitor, self._sign = monitor, 1 if is_better_higher else -1
        self._patience, self._begins = patience, begins

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop before the first epoch if a resumed training has waited long enough."""
        self._stop_after(trainer, trainer.current_epoch - 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the weights if this epoch is the best so far; stop if the best is too long ago."""
        value = float(trainer.callback_metrics[self._monitor])
        best = self.result.get(self._monitor, -self._sign * math.inf)
        if trainer.current_epoch >= self._begins and self._sign * value > self._sign * best:
            self.result = {"best_epoch": trainer.current_epoch, self._monitor: value}
            if trainer.is_global_zero:
                write_atomic(self._folder / BEST, save(weights_of(pl_module)))
        self._stop_after(trainer, trainer.current_epoch)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the last weights and the result; also where nothing was left to train, never after an exception."""
        if trainer.is_global_zero:
            write_atomic(self._folder / LAST, save(weights_of(pl_module)))
            write_atomic(self._folder / "history.csv", _table(self._history.rows))
            write_result(self._folder, {"epochs": len(self._history.rows), **self.result})
        trainer.strategy.barrier("result")

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint keeps."""
        return dict(self.result)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best of a checkpoint."""
        self.result = dict(state_dict)

    def _stop_after(self, trainer: lightning.Trainer, epoch: int) -> None:
        if self._patience is not None and self.result and epoch - self.result["best_epoch"] >= self._patience:
            trainer.should_stop = True


def weights_of(module: lightning.LightningModule) -> dict[str, Any]:
    """Return the tensors of the network that a module trains, as they are written."""
    network: Any = module.network
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _table(rows: list[dict[str, float]]) -> bytes:
    return csv_bytes(list(dict.fromkeys(name for row in rows for name in row)), rows)
