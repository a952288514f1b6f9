"""Uploads on their way to the spool: streamed, counted, and refused where they are too many or too large."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Queue

from cxrnet.errors import CxrNetError
from cxrnet.node.settings import Limits

_PART_BYTES = 2**20
_PARTS_AHEAD = 4


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """What may be uploaded."""

    image_bytes: int = Limits.max_instance_bytes  # largest file
    waiting: int = Limits.max_queue  # most images that wait to be screened
    free_bytes: int = Limits.min_free_bytes  # room on the disk below which nothing more is taken
    per_minute: int = 3000  # most files in a minute
    seconds: float = 30.0  # longest silence of a sender


class RequestError(CxrNetError):
    """A request that is refused; `status` is that of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RateLimit:
    """Counts events and refuses those beyond so many a minute."""

    def __init__(self, per_minute: int) -> None:
        self._most, self._left, self._last = per_minute, float(per_minute), time.monotonic()

    def take(self) -> None:
        """Count one.

        Raises:
            RequestError: There were too many.
        """
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._last) * self._most / 60)
        self._last = now
        if self._left < 1:
            raise RequestError(429, f"more than {self._most} files in a minute; send the rest later")
        self._left -= 1


class Parts:
    """A file between the loop that receives it and the thread that writes it; large parts cross at a time."""

    def __init__(self) -> None:
        self._queue: Queue[bytes | Exception | None] = Queue(_PARTS_AHEAD)
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts in the thread that writes.

        Raises:
            Exception: What ended the upload early.
        """
        try:
            while (part := self._queue.get()) is not None:
                if isinstance(part, Exception):
                    raise part
                yield part
        finally:
            self._is_closed = True
            with suppress(Empty):  # room, so that nobody waits to put something in
                while True:
                    self._queue.get_nowait()

    async def fill(self, stream: AsyncIterator[bytes], limits: UploadLimits) -> None:
        """Hand on what a client sends, and its end or what is wrong with it."""
        try:
            await self._hand_on(stream, limits)
        except Exception as error:
            await asyncio.to_thread(self._queue.put, error)
            raise
        await asyncio.to_thread(self._queue.put, None)

    async def _hand_on(self, stream: AsyncIterator[bytes], limits: UploadLimits) -> None:
        size, part = 0, bytearray()
        source = stream.__aiter__()
        while True:
            try:
                chunk = await asyncio.wait_for(anext(source), limits.seconds)
            except StopAsyncIteration:
                break
            except TimeoutError as error:
                raise RequestError(408, f"nothing came for {limits.seconds:g} s; send the file again") from error
            size += len(chunk)
            if size > limits.image_bytes:
                raise RequestError(413, f"the file is larger than {limits.image_bytes} bytes, the most that is taken")
            part += chunk
            if len(part) >= _PART_BYTES and not self._is_closed:
                await asyncio.to_thread(self._queue.put, bytes(part))
                part.clear()
        if size == 0:
            raise RequestError(400, "the request has no content; send the file as the body of the request")
        if not self._is_closed:
            await asyncio.to_thread(self._queue.put, bytes(part))
