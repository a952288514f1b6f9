"""Wakes coroutines when the service has something new, instead of letting them look again and again."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

Found = TypeVar("Found")


class Notifier:
    """Any thread notifies; subscribers are woken in their own event loops."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscribers: dict[asyncio.Event, asyncio.AbstractEventLoop] = {}
        self.count = 0
        """Number of notifications so far."""

    def notify(self) -> None:
        """Wake all subscribers."""
        with self._lock:
            self.count += 1
            subscribers = list(self._subscribers.items())
        for event, loop in subscribers:
            with suppress(RuntimeError):  # the loop has ended, and the subscriber with it
                loop.call_soon_threadsafe(event.set)

    @contextmanager
    def subscribe(self) -> Iterator[asyncio.Event]:
        """Give an event that is set on every notification; the subscriber clears it before it looks."""
        event = asyncio.Event()
        with self._lock:
            self._subscribers[event] = asyncio.get_running_loop()
        try:
            yield event
        finally:
            with self._lock:
                del self._subscribers[event]

    async def until(self, look: Callable[[], Found | None], *, seconds: float) -> Found | None:
        """Return what `look` finds, None if it finds nothing in time.

        Args:
            look: Called in a thread, at once and on every notification, until it returns something.
            seconds: Longest time to wait.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        with self.subscribe() as event:
            while True:
                event.clear()
                found = await asyncio.to_thread(look)
                left = end - loop.time()
                if found is not None or left <= 0:
                    return found
                await wait(event, left)


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when an event is set, or after some time."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
