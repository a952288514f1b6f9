"""Two faults of pynetdicom 3.0, worked around: answers that get lost, and sockets that stay open.

The thread that reads an association can take the answer to our own request and drop it as unexpected, because it
reports a pause a moment before it looks for messages once more. On a busy machine a request then sometimes loses its
answer and waits for the whole time-out. Here a request waits until the thread has stopped at its checkpoint.

A socket is closed after `shutdown` on it, which fails where the other side is gone, so that it stays open until the
garbage collector finds it. Here it is closed in any case.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.transport import AssociationSocket


class Checkpoint(threading.Event):
    """The event at which the reading thread waits; it also knows whether the thread waits."""

    def __init__(self) -> None:
        super().__init__()
        self.set()
        self._is_waiting = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; from here on nothing is read."""
        if not self.is_set():
            self._is_waiting.set()
        return super().wait(timeout)

    def pause(self, *, seconds: float = 5.0) -> None:
        """Return when the reading thread waits here, or after `seconds` because it has ended."""
        self._is_waiting.clear()
        self.clear()
        self._is_waiting.wait(seconds)


def store(association: Association, content: Dataset | Path) -> Dataset:
    """Return the answer to a C-STORE request, empty where there was none.

    A ValueError says that the association does not accept this SOP class or transfer syntax, a RuntimeError that it has
    ended.
    """
    with reader_paused(association):
        return association.send_c_store(content)


@contextmanager
def reader_paused(association: Association) -> Iterator[None]:
    """Keep the reading thread of an association from taking an answer in this block."""
    if not isinstance(association._reactor_checkpoint, Checkpoint):
        association._reactor_checkpoint = Checkpoint()
    if association.is_established:
        association._reactor_checkpoint.pause()
    try:
        yield
    finally:
        association._reactor_checkpoint.set()


def _close(wrapper: AssociationSocket) -> None:
    """Shut down and close the socket of an association."""
    opened = wrapper.socket
    if opened is not None:
        with suppress(OSError):  # the other side is gone
            opened.shutdown(socket.SHUT_RDWR)
        opened.close()


AssociationSocket._shutdown_socket = _close  # type: ignore[assignment]
