"""Images aligned by their lungs: what Module 2 sees has the lungs at one place and size, whatever surrounds them.

The box around the lungs is taken from the mask of Module 1. Image and mask are resampled so that the box fills fixed
shares of the sides, and the greys inside the new frame are equalised again; maps are brought back at the end.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from cxrnet.model.config import AlignmentConfig

EDGES = (1, 99)
"""Percentages of the lung pixels left of, or above, the sides of the box: a speck far away does not move it."""

MIN_LUNGS = 0.03
"""Share of the image below which the mask is not trusted and the frame is the whole image."""

MAX_FRAME, MIN_FRAME = 160, 45
"""Sides of the frame in percent of those of the image, at most and at least.

Whole percentages, because the exporter rounds other constants to single precision.
"""

GREYS = 256


class Frame(NamedTuple):
    """The part of each image that is seen, in pixels of the image: first edges and lengths, double [batch, 2].

    Axis 1 has rows, then columns. A frame may reach beyond the image. Double precision, because resampled greys are
    rounded: in single precision the last bit of an engine decides some of them.
    """

    start: Tensor
    extent: Tensor

    def resampled(self, plane: Tensor, rows: int, columns: int) -> Tensor:
        """Return float [batch, rows, columns] of float [batch, height, width]: the mean of each area of the frame.

        Areas outside the image take the value of its nearest edge.
        """
        down, across = (
            overlaps(self.start[:, axis], self.extent[:, axis], plane.shape[1 + axis], count, is_replicated=True)
            for axis, count in enumerate((rows, columns))
        )
        return (down @ plane.double() @ across.mT).to(plane.dtype)

    def restored(self, maps: Tensor, height: int, width: int) -> Tensor:
        """Return maps of the frame, float [batch, ..., rows, columns], on as many positions of the whole image.

        Positions outside the frame become 0; `height` and `width` are those of the image, in pixels.
        """
        sides = zip(maps.shape[-2:], (height, width), strict=True)
        down, across = (
            overlaps(
                -self.start[:, axis] / self.extent[:, axis] * count,
                length / self.extent[:, axis] * count,
                count,
                count,
                is_replicated=False,
            )
            for axis, (count, length) in enumerate(sides)
        )
        down, across = down.to(maps.dtype), across.to(maps.dtype)
        for _ in range(maps.ndim - 3):
            down, across = down.unsqueeze(1), across.unsqueeze(1)
        return down @ maps @ across.mT


def lung_frame(mask: Tensor, config: AlignmentConfig, *, jitter: Tensor | None = None) -> Frame:
    """Return the frame in which the box around the lungs has the shares of the sides that `config` names.

    `mask` is float [batch, height, width] in [0, 1]; `jitter`, float [batch, 2, 2], moves the sides of the box, in its
    lengths: rows, columns; first, last.
    """
    is_lung = (mask > 0.5).double()
    sizes = torch.tensor(mask.shape[1:], dtype=torch.double, device=mask.device)
    box = torch.stack([_box(is_lung.sum(dim=2)), _box(is_lung.sum(dim=1))], dim=1)
    if jitter is not None:
        box = box + jitter * (box[..., 1:] - box[..., :1])
    shares = torch.tensor([config.height, config.width], dtype=torch.double, device=mask.device)
    extent = (box[..., 1] - box[..., 0]) / shares
    extent = torch.minimum(torch.maximum(extent, sizes * MIN_FRAME / 100), sizes * MAX_FRAME / 100)
    start = (box[..., 0] + box[..., 1] - extent) / 2
    is_found = (is_lung.mean(dim=(1, 2)) >= MIN_LUNGS).unsqueeze(1)
    return Frame(torch.where(is_found, start, torch.zeros_like(start)), torch.where(is_found, extent, sizes))


def _box(counts: Tensor) -> Tensor:
    """Return the positions below which the percentages `EDGES` of the counts lie: double [batch, n] to [batch, 2]."""
    total = counts.sum(dim=1, keepdim=True).clamp(min=1)
    upto = counts.cumsum(dim=1)
    each = counts.clamp(min=2**-20)
    wanted = [total * percent / 100 for percent in EDGES]
    return torch.cat([((one - upto + counts) / each).clamp(0, 1).sum(dim=1, keepdim=True) for one in wanted], dim=1)


def overlaps(start: Tensor, extent: Tensor, length: int, count: int, *, is_replicated: bool) -> Tensor:
    """Return the matrices double [batch, count, length] that average lines of pixels over `count` parts of a frame.

    The frames begin at `start` and are as long as `extent`, double [batch], in pixels; a line has `length` pixels. If
    `is_replicated`, the first and last pixel extend without an end; otherwise there is 0.
    """
    edges = torch.arange(count + 1, dtype=start.dtype, device=start.device) / count
    edges = (start.unsqueeze(1) + edges * extent.unsqueeze(1)).unsqueeze(2)
    first = torch.arange(length, dtype=start.dtype, device=start.device)
    last = first + 1
    if is_replicated:
        beyond = float(16 * length)
        first, last = first - beyond * (first == 0), last + beyond * (last == length)
    shared = torch.minimum(edges[:, 1:], last) - torch.maximum(edges[:, :-1], first)
    return shared.clamp(min=0) * (count / extent)[:, None, None]


def equalised(image: Tensor) -> Tensor:
    """Return greys 0 to 255, float [batch, rows, columns], by their rank, as `equalise_ranks` does without a border."""
    greys = image.flatten(1).round().long()
    counts = torch.zeros(image.shape[0], GREYS, dtype=image.dtype, device=image.device)
    counts = counts.scatter_add(1, greys, torch.ones_like(greys, dtype=image.dtype))
    counts = counts * (counts.cumsum(dim=1) > counts)  # the lowest grey, mostly collimation, does not count
    ranks = GREYS - 1
    table = ranks * (counts.cumsum(dim=1) - counts / 2) / counts.sum(dim=1, keepdim=True).clamp(min=1)
    return table.gather(1, greys).view_as(image)
