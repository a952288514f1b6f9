"""One training as a folder: what was asked, how far it is, what came out; it goes on from where it was stopped.

    training.json           kind, settings, manifest, classes
    data.json               the films by source: counts, groups, patients, licences (see `record`)
    checkpoints/last.ckpt   to go on from, after every epoch
    history.csv, curves.png loss and metric of every epoch so far (paper Figs. 6 and 11b)
    tensorboard/            the same as events for TensorBoard
    best.safetensors        weights of the best epoch by the validation films
    last.safetensors        weights of the last epoch, written at the end
    result.json             written after it: where it is, the training is done

Of the processes of a parallel training the first one writes.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar

from cxrnet.atomic import write_atomic
from cxrnet.errors import UsageError
from cxrnet.training.callbacks import RESULT, Best, Board, History, Outcome
from cxrnet.training.checkpoint import WholeCheckpoints

RECORD = "training.json"


def open_run(folder: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Begin the run in `folder`, or make sure that it is the one to resume.

    Raises:
        UsageError: The folder holds a run and `resume` is not set, or a run with other settings.
        OutputError: It cannot be written.
    """
    if not is_first_process():
        return
    path = folder / RECORD
    wanted = json.loads(json.dumps(record))
    if not path.is_file():
        write_atomic(path, json.dumps(record, indent=2).encode())
        return
    if not resume:
        raise UsageError(f"{folder}: holds a training; say --resume to go on with it, or choose another folder")
    begun = read_record(folder)
    if begun != wanted:
        differing = sorted(key for key in begun.keys() | wanted.keys() if begun.get(key) != wanted.get(key))
        msg = f"{folder}: was begun with other {', '.join(differing)}; resume with the same, or begin anew elsewhere"
        raise UsageError(msg)


def read_record(folder: Path) -> dict[str, Any]:
    """Return what `training.json` of a run says.

    Raises:
        UsageError: The folder is not a run.
    """
    try:
        record = dict(json.loads((folder / RECORD).read_bytes()))
        record["kind"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{folder}: holds no training; give the folder that `cxrnet train --out` made") from error
    return record


def is_first_process() -> bool:
    """Return whether this is the process that writes, by what torchrun or Lightning says in the environment."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def fit(
    module: lightning.LightningModule,
    folder: Path,
    *,
    epochs: int,
    monitor: str,
    is_better_higher: bool,
    patience: int | None,
    begins: int = 0,
    draw: Callable[[list[dict[str, float]]], bytes] | None,
    trainer_options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Train `module` to its last epoch, from the last checkpoint in `folder` if there is one; return the result.

    A training that is done is left alone, and the module too: its weights are in `last.safetensors`.

    Args:
        module: With a `network` that is trained.
        folder: The run.
        epochs: Of the whole training.
        monitor: Quantity of the history by which the best epoch is chosen.
        is_better_higher: Whether more of it is better.
        patience: Epochs without a better value after which it stops; None never stops early.
        begins: First epoch that can be the best one.
        draw: From the history so far to a PNG, after every epoch; None draws nothing.
        trainer_options: Further options of Lightning's trainer, such as `devices` and `strategy`.
    """
    if (folder / RESULT).is_file():
        return _result(folder)
    checkpoints = folder / "checkpoints"
    history = History(folder, draw)
    best = Best(folder, monitor, is_better_higher=is_better_higher, patience=patience, begins=begins)
    last = ModelCheckpoint(
        checkpoints, filename="last", save_top_k=1, enable_version_counter=False, save_on_train_epoch_end=True
    )
    callbacks: list[Callback] = [history, Board(folder, history), best, Outcome(folder, history, best), last]
    if sys.stderr.isatty():
        callbacks.append(RichProgressBar(leave=False))
    options: dict[str, Any] = {"accelerator": "cpu", "logger": False, **(trainer_options or {})}
    with quiet_lightning(), interruptible():
        trainer = lightning.Trainer(
            max_epochs=epochs,
            callbacks=callbacks,
            plugins=[WholeCheckpoints()],
            enable_progress_bar=sys.stderr.isatty(),
            enable_model_summary=False,
            num_sanity_val_steps=0,
            reload_dataloaders_every_n_epochs=1,
            use_distributed_sampler=False,
            **options,
        )
        begun = checkpoints / "last.ckpt"
        trainer.fit(module, ckpt_path=str(begun) if begun.is_file() else None, weights_only=True)
    return _result(folder)


def use_machine(threads: int | None) -> None:
    """Set the threads of PyTorch (None leaves one a core), and let it keep the memory that a step frees."""
    if threads is not None:
        torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> bool:
    """Tell the allocator of glibc not to hand freed memory back; return whether it was told.

    A step frees and takes gigabytes. Handed back each time, every page of them is faulted in and zeroed anew, which
    doubles the time of a step of Module 1. The process stays as large as its largest step.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return False
    trim_threshold, top_pad, mmap_max, arena_max = -1, -2, -4, -8  # malloc.h
    options = ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**28), (arena_max, 1))
    told = [mallopt(option, value) for option, value in options]
    return all(told)


def check_accelerator(name: str) -> None:
    """Hold that Lightning can train on the accelerator of this name.

    Raises:
        UsageError: It does not know it, or it is not there.
    """
    try:
        with quiet_lightning():
            lightning.Trainer(accelerator=name, logger=False, enable_checkpointing=False, enable_progress_bar=False)
    except (MisconfigurationException, ModuleNotFoundError, ValueError) as error:
        raise UsageError(f"--accelerator {name}: is not known, or not there; cpu always is") from error


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt, where Lightning leaves with code 1 and turns a deaf ear to the next."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from left
        raise


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's advice; what matters is in the history and in errors."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _result(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / RESULT).read_bytes()))
