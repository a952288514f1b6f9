"""Uploads on their way to the spool: streamed, counted, and refused where they are too many or too large."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from cxrnet.errors import CxrNetError
from cxrnet.node.settings import Limits

_PART_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """What may be uploaded."""

    image_bytes: int = Limits.max_instance_bytes  # maximum size of a file
    waiting: int = Limits.max_queue  # maximum number of images that wait to be screened
    free_bytes: int = Limits.min_free_bytes  # free space on the disk below which nothing more is taken
    per_minute: int = 3000  # maximum number of files per minute
    seconds: float = 30.0  # longest silence of a sender


class RequestError(CxrNetError):
    """A request that is refused; `status` is that of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RateLimit:
    """Counts events and refuses those beyond a number per minute."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute, self._left, self._last = per_minute, float(per_minute), time.monotonic()

    def take(self) -> None:
        """Count one; RequestError if there were too many."""
        now = time.monotonic()
        self._left = min(self._per_minute, self._left + (now - self._last) * self._per_minute / 60)
        self._last = now
        if self._left < 1:
            raise RequestError(429, f"more than {self._per_minute} files in a minute; send the rest later")
        self._left -= 1


class Upload:
    """A file on its way from the event loop that receives it to the thread that writes it, in parts of a MiB."""

    def __init__(self, stream: AsyncIterator[bytes], limits: UploadLimits) -> None:
        self._chunks, self._limits, self._size = stream, limits, 0
        self._loop = asyncio.get_running_loop()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the parts in the thread that writes.

        Raises:
            RequestError: The upload stalls, is empty or too large; or else what ended it early.
        """
        while part := asyncio.run_coroutine_threadsafe(self._next_part(), self._loop).result():
            yield part

    async def drain(self) -> None:
        """Receive the rest: a client reads no answer before it has sent everything."""
        while await self._next_part():
            pass

    async def _next_part(self) -> bytes:
        part, limits = bytearray(), self._limits
        while len(part) < _PART_BYTES:
            try:
                chunk = await asyncio.wait_for(anext(self._chunks), limits.seconds)
            except StopAsyncIteration:
                break
            except TimeoutError as error:
                raise RequestError(408, f"nothing came for {limits.seconds:g} s; send the file again") from error
            part += chunk
            self._size += len(chunk)
            if self._size > limits.image_bytes:
                raise RequestError(413, f"the file is larger than {limits.image_bytes} bytes; send a smaller one")
        if self._size == 0:
            raise RequestError(400, "the request has no content; send the file as the body of the request")
        return bytes(part)
