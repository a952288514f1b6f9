"""What a run writes while it trains: history, best weights, and the outcome at the end.

They are written in the process that trains, and only by the first one where there are several.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
from lightning.pytorch.callbacks import Callback
from safetensors.torch import save

from cxrnet.atomic import write_atomic
from cxrnet.errors import OutputError, TrainingError
from cxrnet.training.artifacts import BEST, LAST, write_result

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

BOARD = "tensorboard"


class History(Callback):
    """The quantities of every epoch, kept in the checkpoint and written to `history.csv` and `curves.png`."""

    def __init__(self, folder: Path, draw: Callable[[list[dict[str, float]]], bytes] | None) -> None:
        self.rows: list[dict[str, float]] = []
        self._folder, self._draw = folder, draw

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch and written again."""
        values = {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        strange = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if strange:
            problem = f"{strange[0]} in epoch {trainer.current_epoch}"
            remedy = "lower optimiser.learning_rate, or look for images and masks that differ from all others"
            raise TrainingError(f"{self._folder}: {problem}; {remedy}")
        self.rows.append({"epoch": trainer.current_epoch, **values})
        if trainer.is_global_zero:
            write_atomic(self._folder / "history.csv", _table(self.rows).encode())
            if self._draw is not None:
                write_atomic(self._folder / "curves.png", self._draw(self.rows))

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the history of a checkpoint."""
        self.rows = list(state_dict["rows"])


class Board(Callback):
    """The history as events for TensorBoard, in the folder `tensorboard` of the run, while it trains.

    Events can only be appended, and a viewer reads all files of a folder. So a training that is resumed writes them
    again with the epochs that its checkpoint knows: no epoch is there twice, also after a kill behind the checkpoint.
    Nothing is written where the package tensorboard is not installed; `history.csv` has it all.
    """

    def __init__(self, folder: Path, history: History) -> None:
        self._folder, self._history = folder / BOARD, history
        self._writer: SummaryWriter | None = None

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Take away the events of before and write the epochs that are known.

        Raises:
            OutputError: The disk cannot take them.
        """
        if not trainer.is_global_zero:
            return
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            return
        with self._telling():
            for path in self._folder.glob("events.out.tfevents.*"):
                path.unlink()
            self._writer = SummaryWriter(str(self._folder))
        for row in self._history.rows:
            self._add(row)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Add the epoch, which the history has by now.

        Raises:
            OutputError: The disk cannot take it.
        """
        self._add(self._history.rows[-1])

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Let go of the file."""
        self._close()

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        """Let go of the file."""
        self._close()

    def _add(self, row: dict[str, float]) -> None:
        if self._writer is None:
            return
        with self._telling():
            for name, value in row.items():
                if name != "epoch":
                    self._writer.add_scalar(name, value, int(row["epoch"]))
            self._writer.flush()

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            msg = f"{self._folder}: cannot be written ({error.strerror}); free space or choose another folder"
            raise OutputError(msg) from error


class Best(Callback):
    """The weights of the best epoch, written to `best.safetensors` when a better one comes; an end to waiting for it.

    Epochs before `begins` do not count: they may have been measured on smaller images.
    Whether to stop follows from the epoch and the best one alone, not from a counter: a training that was killed
    after the epoch that would have ended it ends at once when it is resumed.
    """

    def __init__(
        self, folder: Path, monitor: str, *, is_better_higher: bool, patience: int | None, begins: int = 0
    ) -> None:
        self.result: dict[str, Any] = {}
        self._folder, self._monitor, self._sign = folder, monitor, 1 if is_better_higher else -1
        self._patience, self._begins = patience, begins

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Stop before the first epoch if a resumed training has waited long enough."""
        self._stop_after(trainer, trainer.current_epoch - 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Keep the weights if this epoch is the best so far; stop if the best is too long ago."""
        value = float(trainer.callback_metrics[self._monitor])
        if trainer.current_epoch >= self._begins and self._is_better(value):
            self.result = {"best_epoch": trainer.current_epoch, self._monitor: value}
            if trainer.is_global_zero:
                write_atomic(self._folder / BEST, save(weights_of(pl_module)))
        self._stop_after(trainer, trainer.current_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return what the checkpoint keeps."""
        return dict(self.result)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best of a checkpoint."""
        self.result = dict(state_dict)

    def _is_better(self, value: float) -> bool:
        so_far = self.result.get(self._monitor, math.nan)
        return math.isnan(so_far) or self._sign * value > self._sign * so_far

    def _stop_after(self, trainer: lightning.Trainer, epoch: int) -> None:
        if self._patience is not None and self.result and epoch - self.result["best_epoch"] >= self._patience:
            trainer.should_stop = True


class Outcome(Callback):
    """The weights of the last epoch and the result, written where the training ran: perhaps in another process."""

    def __init__(self, folder: Path, history: History, best: Best) -> None:
        self._folder, self._history, self._best = folder, history, best

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write both; called also where a resumed training has nothing left to train, never after an exception."""
        if trainer.is_global_zero:
            write_atomic(self._folder / LAST, save(weights_of(pl_module)))
            write_result(self._folder, {"epochs": len(self._history.rows), **self._best.result})
        trainer.strategy.barrier("outcome")


def weights_of(module: lightning.LightningModule) -> dict[str, Any]:
    """Return the tensors of the network that a module trains, as they are written."""
    network: Any = module.network
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}


def _table(rows: list[dict[str, float]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
