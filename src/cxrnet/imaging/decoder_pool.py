"""Decoders for several threads: each child process serves one thread at a time."""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cxrnet.errors import UsageError
from cxrnet.imaging.decoding import Decoder, FileSource
from cxrnet.imaging.radiograph import Limits, Radiograph


class DecoderPool:
    """Reads files from any thread, with one child process per concurrent reader."""

    def __init__(self, limits: Limits | None = None, *, identifiers: bool = False) -> None:
        self.limits = limits or Limits()
        self.identifiers = identifiers
        self._idle: deque[Decoder] = deque()
        self._is_closed = False

    def start(self) -> None:
        """Launch one child process without waiting for it: it gets ready while the caller does other things."""
        with self.lend() as decoder:
            decoder.start()

    def read(self, source: FileSource, *, name: str | None = None) -> Radiograph:
        """Return the radiograph in a file; see `Decoder.read`."""
        with self.lend() as decoder:
            return decoder.read(source, name=name)

    @contextmanager
    def lend(self) -> Iterator[Decoder]:
        """Give a decoder that no other thread has."""
        self.check_open()
        try:
            decoder = self._idle.pop()
        except IndexError:
            decoder = Decoder(self.limits, identifiers=self.identifiers)
        try:
            yield decoder
        finally:
            self._idle.append(decoder)
            if self._is_closed:
                self.close()

    def check_open(self) -> None:
        """Raise UsageError if the pool is closed."""
        if self._is_closed:
            raise UsageError("pipeline: is closed; open another one")

    def close(self) -> None:
        """End the child processes; one that is still reading ends when it has answered."""
        self._is_closed = True
        with suppress(IndexError):  # several threads may be at it
            while True:
                self._idle.pop().close()
