"""One training by Lightning, from its last sound checkpoint to its last epoch."""

import ctypes
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar

from cxrnet.errors import TrainingError, UsageError
from cxrnet.quiet import quiet
from cxrnet.training.callbacks import Best, Draw, History
from cxrnet.training.checkpoint import CHECKPOINTS, AtomicCheckpoints, find_checkpoint
from cxrnet.training.run import LAST, is_finished, read_result

ADVISERS = ("lightning.pytorch", "lightning.fabric")
"""Loggers of Lightning's advice; what matters is in the history and in errors."""


def fit(
    module: lightning.LightningModule,
    folder: Path,
    *,
    epochs: int,
    monitor: str,
    is_better_higher: bool,
    patience: int | None,
    begins: int = 0,
    draw: Draw | None,
    trainer_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train `module` to its last epoch, from the last sound checkpoint in `folder` if there is one; return the result.

    The best epoch is that with the best `monitor`, from epoch `begins` on; `draw` draws the curves after each.

    A training that has ended is left alone, and the module too: its weights are in `last.safetensors`. Where these are
    damaged they are written again from the checkpoint.
    """
    if is_finished(folder, LAST):
        return read_result(folder) or {}
    checkpoint = find_checkpoint(folder, module)
    history = History(folder, draw)
    best = Best(history, folder, monitor, is_better_higher=is_better_higher, patience=patience, begins=begins)
    last = ModelCheckpoint(
        folder / CHECKPOINTS, filename="last", save_top_k=1, enable_version_counter=False, save_on_train_epoch_end=True
    )
    callbacks: list[Callback] = [history, best, last]
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar(leave=False))
    options: dict[str, Any] = {"accelerator": "cpu", "logger": False, **(trainer_options or {})}
    with quiet(*ADVISERS), _interruptible():
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=callbacks,
            plugins=[AtomicCheckpoints()],
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            **options,
        )
        trainer.fit(module, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)
    result = read_result(folder)
    if result is None:
        raise TrainingError(f"{folder}: the training ended without a result; run it again with --resume")
    return result


def use_machine(threads: int | None) -> None:
    """Set the threads of PyTorch (None: one per core), and let it keep the memory that a step frees."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Tell the allocator of glibc not to hand freed memory back; return whether it accepted.

    A step frees and takes gigabytes. Handed back each time, every page is faulted in and zeroed again, which doubles
    the time of a step of Module 1. The process stays as large as its largest step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8  # malloc.h
    options = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**28), (arena_max, 1))
    accepted = [mallopt(option, value) for option, value in options]
    return all(accepted)


def check_accelerator(name: str) -> None:
    """Check that Lightning can train on the accelerator of this name."""
    try:
        with quiet(*ADVISERS):
            lightning.Trainer(accelerator=name, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (MisconfigurationException, ModuleNotFoundError, ValueError) as error:
        raise UsageError(f"--accelerator {name}: is not known, or not there; cpu always is") from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt, where Lightning exits with code 1 and ignores the next one."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from left
        raise
