"""What changes in the worklist, sent to every page that watches (server-sent events)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

from cxrnet.web.entry import Entry
from cxrnet.web.notifier import wait
from cxrnet.web.service import Service

LOOK_SECONDS = 0.25
"""Longest time between two looks at the queue: a worker that begins an image does not notify."""

PAUSE_SECONDS = 0.05
"""Shortest time between two looks."""

ALIVE_SECONDS = 15.0
"""Silence after which a comment is sent, so that a connection that is gone is noticed."""

MAX_WATCHERS = 32


class Watcher:
    """Looks at the queue for all pages that watch, as long as one does."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watching = 0

    @property
    def is_full(self) -> bool:
        """Whether no further page can watch."""
        return self._watching >= MAX_WATCHERS

    async def events(self) -> AsyncIterator[str]:
        """Yield all images first, then changes, until the service stops."""
        self._watching += 1
        try:
            with self._service.notifier.subscribe() as notified:
                async for text in self._messages(notified):
                    yield text
        finally:
            self._watching -= 1

    async def _messages(self, notified: asyncio.Event) -> AsyncIterator[str]:
        known: dict[int, Entry] = {}
        version: object = None
        last = time.monotonic()
        while not self._service.stopping.is_set():
            notified.clear()
            latest = self._service.version
            if latest != version:
                is_first, version = version is None, latest
                entries = {entry.number: entry for entry in await asyncio.to_thread(self._service.entries)}
                changed = [entry.record() for number, entry in entries.items() if known.get(number) != entry]
                removed = sorted(known.keys() - entries.keys())
                known = entries
                if changed or removed or is_first:
                    yield f"data: {json.dumps({'images': changed, 'removed': removed}, separators=(',', ':'))}\n\n"
                    last = time.monotonic()
            elif time.monotonic() - last >= ALIVE_SECONDS:
                yield ": alive\n\n"
                last = time.monotonic()
            await asyncio.sleep(PAUSE_SECONDS)
            await wait(notified, LOOK_SECONDS - PAUSE_SECONDS)
