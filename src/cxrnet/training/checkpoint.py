"""Checkpoints that a kill cannot tear, in the run's own folder only; bundles hold safetensors instead."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from cxrnet.atomic import write_atomic
from cxrnet.errors import OutputError, TrainingError
from cxrnet.training.run import RECORD

RUN = "run"  # field of a checkpoint: sha256 of the record of its run; those of earlier versions have none
_FIELDS = {"epoch", "loops", "callbacks", "optimizer_states", "lr_schedulers", "pytorch-lightning_version"}
CHECKPOINTS, LAST, PREVIOUS, NEXT = "checkpoints", "last.ckpt", "previous.ckpt", "next.ckpt"


class AtomicCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written aside, synced and renamed; the one before is kept as `previous.ckpt`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        buffer, path = io.BytesIO(), Path(path)
        torch.save({**checkpoint, RUN: _digest_record(path.parents[1])}, buffer)
        following = path.with_name(NEXT)
        write_atomic(following, buffer.getvalue())  # whole before the one that it follows is moved
        try:
            if path.is_file():
                path.replace(path.with_name(PREVIOUS))
            following.replace(path)
        except OSError as error:
            raise OutputError.of(path, error) from error


def find_checkpoint(run: Path, module: lightning.LightningModule) -> Path | None:
    """Return the latest sound checkpoint of a run for this module; None where the run has none yet."""
    found = [run / CHECKPOINTS / name for name in (LAST, PREVIOUS)]
    found = [path for path in found if path.is_file()]
    for path in found:
        if _is_sound(path, module, _digest_record(run)):
            return path
    if found:
        problem = "is damaged, or of another network or training"
        raise TrainingError(f"{found[0]}: {problem}, and no earlier one is sound; train again in another folder")
    return None


def _digest_record(run: Path) -> str:
    return hashlib.sha256((run / RECORD).read_bytes()).hexdigest() if (run / RECORD).is_file() else ""


def _is_sound(path: Path, module: lightning.LightningModule, run: str) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        stored = AtomicCheckpoints().load_checkpoint(path, weights_only=True)
        state, own = stored["state_dict"], module.state_dict()
        is_sound = stored.keys() >= _FIELDS and all(stored[name] for name in ("loops", "callbacks", "optimizer_states"))
        is_sound &= state.keys() == own.keys() and stored.get(RUN, run) == run
        return is_sound and all(state[name].shape == own[name].shape and state[name].isfinite().all() for name in own)
    except Exception:  # whatever zipfile and PyTorch raise on damaged bytes
        return False
