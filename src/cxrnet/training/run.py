"""One training as a folder: what was asked, how far it is, what came out; an interrupted one is resumed from it.

    training.json           kind, settings, manifest, classes
    data.json               the images by source: counts, groups, patients, licences, accepted leaks (see `provenance`)
    files.json              digest of every image and mask that was read
    images.h5               the images and masks as they were read, see `cxrnet.data.pack`
    checkpoints/            last.ckpt, written after every epoch, and previous.ckpt, the one before
    history.csv, curves.png loss and metric of every epoch so far (paper Figs. 6 and 11b)
    tensorboard/            the same as events for TensorBoard
    best.safetensors        weights of the best epoch by the validation images
    last.safetensors        weights of the last epoch, written at the end
    result.json             written after it, with digests: where it is, the training has ended

Of the processes of a parallel training the first one writes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar

from cxrnet.atomic import write_atomic
from cxrnet.errors import TrainingError, UsageError
from cxrnet.training.artifacts import LAST, is_finished, read_result
from cxrnet.training.callbacks import Best, Board, History, Outcome
from cxrnet.training.checkpoint import CHECKPOINTS, WholeCheckpoints, find_checkpoint
from cxrnet.training.lightning_patches import interruptible, quiet_lightning
from cxrnet.training.lock import is_first_process

RECORD = "training.json"
NEW_FIELDS = frozenset({"run", "masks"})
"""Fields of `training.json` that runs of earlier versions do not have."""


def open_run(folder: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Start the run in `folder`, or make sure that it is the one to resume.

    Fields that an earlier version did not write are not compared.

    Raises:
        UsageError: The folder holds a run and `resume` is not set, or a run with other settings.
        OutputError: It cannot be written.
    """
    if not is_first_process():
        return
    require_resume(folder, resume=resume)
    if not (folder / RECORD).is_file():
        write_atomic(folder / RECORD, json.dumps(record, indent=2).encode())
        return
    wanted, stored = json.loads(json.dumps(record)), read_record(folder)
    differing = sorted(
        key for key in stored.keys() | (wanted.keys() - NEW_FIELDS) if stored.get(key) != wanted.get(key)
    )
    if differing:
        problem = f"was started with other {', '.join(differing)}"
        raise UsageError(f"{folder}: {problem}; resume with the same, or start again in another folder")


def require_resume(folder: Path, *, resume: bool, settings: Mapping[str, Any] | None = None) -> None:
    """Check that a folder which holds a run is to be resumed, and with its settings, before images are read.

    Raises:
        UsageError: It is not.
    """
    if not (folder / RECORD).is_file():
        return
    if not resume:
        raise UsageError(f"{folder}: holds a training; resume it with --resume, or choose another folder")
    if settings is not None and read_record(folder).get("settings") != json.loads(json.dumps(settings)):
        problem = "was started with other settings"
        raise UsageError(f"{folder}: {problem}; resume with the same, or start again in another folder")


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
    """Train `module` to its last epoch, from the last sound checkpoint in `folder` if there is one; return the result.

    A training that has ended is left alone, and the module too: its weights are in `last.safetensors`. Where these are
    damaged they are written again from the checkpoint.

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

    Raises:
        TrainingError: No checkpoint is sound, or a loss is not finite.
        OutputError: The disk is full.
    """
    if is_finished(folder, LAST):
        return read_result(folder) or {}
    checkpoint = find_checkpoint(folder, module)
    checkpoints = folder / CHECKPOINTS
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
        trainer.fit(module, ckpt_path=None if checkpoint is None else str(checkpoint), weights_only=True)
    result = read_result(folder)
    if result is None:
        raise TrainingError(f"{folder}: the training ended without a result; run it again with --resume")
    return result
