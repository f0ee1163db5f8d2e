"""Rows remembered for a moment, so that a check on each request costs a read every few seconds. Knows no table."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from parley.services.errors import StorageUnavailableError

FRESH_SECONDS = 2.0
GRACE_SECONDS = 300.0
"""While the database is away, what was true so recently is taken to be still true: answers go on."""
MAX_REMEMBERED = 10_000

_Value = TypeVar("_Value")


class _Entry(Generic[_Value]):
    __slots__ = ("asked_at", "confirmed_at", "value")

    def __init__(self, value: _Value, now: float) -> None:
        self.value = value
        self.asked_at = now
        self.confirmed_at = now


class Recent(Generic[_Value]):
    """What `read` found for a key, at most FRESH_SECONDS old. What was not found is not remembered."""

    def __init__(self, read: Callable[[str], Awaitable[_Value | None]], *, now: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._now = now
        self._entries: OrderedDict[str, _Entry[_Value]] = OrderedDict()
        self._changes = 0

    async def find(self, key: str) -> _Value | None:
        """The value, or None. Of many that ask at once for an old one, one reads; the others take what is known."""
        now = self._now()
        entry = self._entries.get(key)
        if entry is not None:
            if now - entry.asked_at < FRESH_SECONDS:
                return entry.value
            entry.asked_at = now
        changes = self._changes
        try:
            value = await self._read(key)
        except StorageUnavailableError:
            if entry is None or now - entry.confirmed_at >= GRACE_SECONDS:
                self._entries.pop(key, None)
                raise
            return entry.value
        if changes == self._changes:
            self._remember(key, value, now)
        return value

    def forget(self, key: str) -> None:
        """It has changed: the next to ask reads, and a read that is under way is not remembered."""
        self._changes += 1
        self._entries.pop(key, None)

    def _remember(self, key: str, value: _Value | None, now: float) -> None:
        self._entries.pop(key, None)
        if value is None:
            return
        while len(self._entries) >= MAX_REMEMBERED:
            self._entries.popitem(last=False)
        self._entries[key] = _Entry(value, now)
