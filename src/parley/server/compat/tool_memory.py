"""Remembers what tool calls must bring back to their vendor, for clients that drop it.

Bounded, and lost with the process. Knows no wire's form.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

import msgspec

from parley.wire.call_state import CallState

MAX_CALLS = 10_000
MAX_BYTES = 32 * 1024 * 1024


class _Remembered(NamedTuple):
    state: CallState
    size_bytes: int


class ToolMemory:
    """By tenant and tool call id; the longest unused goes first."""

    def __init__(self, *, max_calls: int = MAX_CALLS, max_bytes: int = MAX_BYTES) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._bytes = 0
        self._remembered: OrderedDict[tuple[str, str], _Remembered] = OrderedDict()

    def remember(self, tenant: str, call_id: str, state: CallState) -> None:
        """Keep it. What alone would fill the memory is not kept."""
        size_bytes = len(msgspec.json.encode(state))
        self._forget((tenant, call_id))
        if size_bytes > self._max_bytes:
            return
        self._remembered[tenant, call_id] = _Remembered(state, size_bytes)
        self._bytes += size_bytes
        while len(self._remembered) > self._max_calls or self._bytes > self._max_bytes:
            self._forget(next(iter(self._remembered)))

    def recall(self, tenant: str, call_id: str) -> CallState | None:
        """What is known of this tenant's call."""
        found = self._remembered.get((tenant, call_id))
        if found is None:
            return None
        self._remembered.move_to_end((tenant, call_id))
        return found.state

    def _forget(self, key: tuple[str, str]) -> None:
        found = self._remembered.pop(key, None)
        if found is not None:
            self._bytes -= found.size_bytes
