"""Files of many rows, read by guarded child processes, a few at a time."""

import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TypeVar

from cxrnet.imaging import Decoder
from cxrnet.parallel import cpu_count, parallel_map

Given = TypeVar("Given")
Made = TypeVar("Made")


def read_many(
    work: Callable[[Decoder, Given], Made], items: Sequence[Given], *, jobs: int | None = None
) -> Iterator[Made]:
    """What `work` makes of each item, in the order of the items, from threads that each have a decoder."""
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
