"""Adjustments of Lightning, PyTorch and glibc, so that a training is quiet, fast and can be interrupted."""

from __future__ import annotations

import ctypes
import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException

from cxrnet.errors import UsageError


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
    """Check that Lightning can train on the accelerator of this name.

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
    """Let Ctrl-C be a KeyboardInterrupt, where Lightning exits with code 1 and ignores the next one."""
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
