"""Checkpoints that a kill cannot tear, in the run's own folder only; bundles hold safetensors instead."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from cxrnet.atomic import write_atomic


class WholeCheckpoints(TorchCheckpointIO):
    """Lightning's checkpoints, written aside, synced and renamed."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write `checkpoint` to `path`, whole or not at all.

        Raises:
            OutputError: The disk cannot take it; the last one is still there.
        """
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_atomic(Path(path), buffer.getvalue())
