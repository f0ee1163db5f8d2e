"""A cache of one process, in memory. Knows no other process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

ENTRY_BYTES = 200
"""What an entry takes beside its value: key, times, and the places where they stand."""


class MemoryCache:
    """See `Cache`. `now` gives seconds that never go back."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._entries: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """What was put there, if its time is not over."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        ends_at, value = entry
        if ends_at <= self._now():
            self.remove(key)
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: str, value: bytes, *, ttl_seconds: float, max_bytes: int) -> None:
        """Remember it, and forget the least recently used for it."""
        self.remove(key)
        size = len(value) + ENTRY_BYTES
        if size > max_bytes:
            return
        self._entries[key] = (self._now() + ttl_seconds, value)
        self._bytes += size
        while self._bytes > max_bytes:
            self.remove(next(iter(self._entries)))

    def remove(self, key: str) -> None:
        """Forget it."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._bytes -= len(entry[1]) + ENTRY_BYTES

    async def aclose(self) -> None:
        """Everything is written."""
