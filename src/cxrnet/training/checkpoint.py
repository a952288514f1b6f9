"""Checkpoints that a kill cannot tear, in the run's own folder only; bundles hold safetensors instead."""

import io
import zipfile
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins import TorchCheckpointIO

from cxrnet.atomic import write_atomic
from cxrnet.errors import TrainingError

CHECKPOINTS, LAST, PREVIOUS, NEXT = "checkpoints", "last.ckpt", "previous.ckpt", "next.ckpt"


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written aside, synced and renamed; the one before is kept as `previous.ckpt`."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, whole or not at all."""
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        path = Path(path)
        following = path.with_name(NEXT)
        write_atomic(following, buffer.getvalue())  # whole before the one that it follows is moved
        if path.is_file():
            path.replace(path.with_name(PREVIOUS))
        following.replace(path)


def find_checkpoint(run: Path, module: lightning.LightningModule) -> Path | None:
    """Return the latest sound checkpoint of a run for this module; None where the run has none yet."""
    found = [run / CHECKPOINTS / name for name in (LAST, PREVIOUS)]
    found = [path for path in found if path.is_file()]
    for path in found:
        if _is_sound(path, module):
            return path
    if found:
        problem = "is damaged, or of another network"
        raise TrainingError(f"{found[0]}: {problem}, and no earlier one is sound; train again in another folder")
    return None


def _is_sound(path: Path, module: lightning.LightningModule) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
        stored = WholeCheckpoints().load_checkpoint(path, weights_only=True)
        shapes = {name: tensor.shape for name, tensor in stored["state_dict"].items()}
        return "epoch" in stored and shapes == {name: tensor.shape for name, tensor in module.state_dict().items()}
    except Exception:  # whatever zipfile and PyTorch raise on damaged bytes
        return False
