"""Pixels of many films and masks, read by guarded child processes, a few at a time."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from cxrnet.arrays import UInt8, UInt16
from cxrnet.imaging import Decoder, Radiograph
from cxrnet.imaging.preprocess import resize
from cxrnet.parallel import cpu_count, parallel_map

Given = TypeVar("Given")
Made = TypeVar("Made")


def read_many(
    work: Callable[[Decoder, Given], Made], items: Sequence[Given], *, jobs: int | None = None
) -> Iterator[Made]:
    """What `work` makes of each item, in the order of the items.

    Args:
        work: Called with a decoder of its own and one item, from `jobs` threads at once. What it raises is
            raised here.
        items: The items.
        jobs: Items worked on at once; one a core if not given.
    """
    jobs = max(1, min(jobs or cpu_count(), len(items)))
    with ExitStack() as stack:
        decoders: queue.SimpleQueue[Decoder] = queue.SimpleQueue()
        for _ in range(jobs):
            decoders.put(stack.enter_context(Decoder()))

        def run(item: Given) -> Made:
            decoder = decoders.get()
            try:
                return work(decoder, item)
            finally:
                decoders.put(decoder)

        yield from parallel_map(run, items, jobs=jobs)


def read_mask(decoder: Decoder, path: Path) -> UInt8:
    """The lung mask in a file, uint8 [height, width]: 0 and 255 where it has two values, greys where it has more.

    Masks are published as 0 and 1, 0 and 255, or as the two ends of a palette: the lower value is outside.

    Raises:
        RadiographError: It cannot be read, or has one value only.
    """
    return mask_of(decoder.read(path))


def mask_of(radiograph: Radiograph) -> UInt8:
    """What `read_mask` makes of an image that has been read."""
    pixels = radiograph.pixels
    low, high = float(pixels.min()), float(pixels.max())
    if np.all((pixels == low) | (pixels == high)):
        return np.where(pixels == high, 255, 0).astype(np.uint8)
    return np.rint(pixels).astype(np.uint8)


def resize_mask(mask: UInt8, height: int, width: int) -> UInt8:
    """`mask` at another size, uint8 [height, width]; a mask of 0 and 255 stays one.

    Areas are averaged, which moves no edge; of a mask with two values, positions that are half lung are lung.
    """
    if mask.shape == (height, width):
        return mask
    is_binary = bool(np.all((mask == 0) | (mask == 255)))
    resized = resize(mask.astype(np.float32), height, width, "area")
    return np.where(resized >= 127.5, 255, 0).astype(np.uint8) if is_binary else np.rint(resized).astype(np.uint8)


def encode_png(pixels: UInt8 | UInt16) -> bytes:
    """`pixels` [height, width] as a grey PNG of 8 or 16 bits."""
    return bytes(cv2.imencode(".png", pixels)[1].tobytes())
