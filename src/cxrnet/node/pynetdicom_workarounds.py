"""Requests of which no answer gets lost.

In pynetdicom 3.0, the thread that reads an association can take the answer to our own request, call it unexpected and
drop it: it says that it is paused a moment before it looks for messages once more. On busy machines, that costs now and
then a request its answer and us the whole time-out. Here the thread is seen to stand still first.
"""

from __future__ import annotations

import threading
from pathlib import Path

from pydicom.dataset import Dataset
from pynetdicom.association import Association


class Checkpoint(threading.Event):
    """The event at which the reading thread waits, which also tells that it does."""

    def __init__(self) -> None:
        super().__init__()
        self.set()
        self._is_held = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the event is set; from here on nothing is read."""
        if not self.is_set():
            self._is_held.set()
        return super().wait(timeout)

    def hold(self, *, seconds: float = 5.0) -> None:
        """Return when the reading thread waits here, or when it has not come: it has ended."""
        self._is_held.clear()
        self.clear()
        self._is_held.wait(seconds)


def store(association: Association, content: Dataset | Path) -> Dataset:
    """Return the answer to a C-STORE request, empty where there was none.

    Raises:
        ValueError: The association is not for this kind of object, or this transfer syntax.
        RuntimeError: The association has ended.
    """
    _hold(association)
    try:
        return association.send_c_store(content)
    finally:
        association._reactor_checkpoint.set()


def echo(association: Association) -> Dataset:
    """Return the answer to a C-ECHO request, empty where there was none.

    Raises:
        RuntimeError: The association has ended.
    """
    _hold(association)
    try:
        return association.send_c_echo()
    finally:
        association._reactor_checkpoint.set()


def _hold(association: Association) -> None:
    if not isinstance(association._reactor_checkpoint, Checkpoint):
        association._reactor_checkpoint = Checkpoint()
    if association.is_established:
        association._reactor_checkpoint.hold()
