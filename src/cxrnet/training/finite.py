"""Losses that are no numbers end a training at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from cxrnet.errors import TrainingError
from cxrnet.training.config import Optimiser

_MAX_NAMES = 3


def require_finite(loss: Tensor, *, epoch: int, images: Sequence[str], optimiser: Optimiser) -> None:
    """Check the loss of a batch.

    Args:
        loss: float [].
        epoch: Number of the epoch, for the message.
        images: File names of the images in the batch.
        optimiser: Whose learning rate may be too high.

    Raises:
        TrainingError: It is NaN or infinite.
    """
    if bool(torch.isfinite(loss)):
        return
    more = f" and {len(images) - _MAX_NAMES} more" if len(images) > _MAX_NAMES else ""
    named = f" with {', '.join(images[:_MAX_NAMES])}{more}" if images else ""
    problem = f"the loss is {float(loss):g} in epoch {epoch}, in the batch{named}"
    remedy = f"lower optimiser.learning_rate ({optimiser.learning_rate:g}) in --config, or leave these images out"
    raise TrainingError(f"training: {problem}; {remedy}")
