"""What changes in the worklist, sent to every page that watches (server-sent events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from cxrnet.web.service import Entry, Service

LOOK_SECONDS = 0.25
ALIVE_SECONDS = 15.0
"""Silence after which a comment is sent, so that a connection that is gone is noticed."""

MOST_WATCHERS = 32


class Watcher:
    """Looks at the queue for all pages that watch, as long as one does.

    Args:
        service: What is watched.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._watching = 0

    @property
    def is_full(self) -> bool:
        """Whether no further page can watch."""
        return self._watching >= MOST_WATCHERS

    async def events(self) -> AsyncIterator[str]:
        """Yield all images first, then changes, until the service stops."""
        self._watching += 1
        try:
            known: dict[int, Entry] = {}
            version: object = None
            silent = 0.0
            while not self._service.stopping.is_set():
                latest = self._service.version
                if latest != version:
                    is_first, version = version is None, latest
                    entries = {entry.number: entry for entry in await asyncio.to_thread(self._service.entries)}
                    changed = [entry.record() for number, entry in entries.items() if known.get(number) != entry]
                    removed = sorted(known.keys() - entries.keys())
                    known = entries
                    if changed or removed or is_first:
                        text = json.dumps({"images": changed, "removed": removed}, separators=(",", ":"))
                        yield f"data: {text}\n\n"
                        silent = 0.0
                elif silent >= ALIVE_SECONDS:
                    yield ": alive\n\n"
                    silent = 0.0
                await asyncio.sleep(LOOK_SECONDS)
                silent += LOOK_SECONDS
        finally:
            self._watching -= 1
