"""Ids and times of rows: uuid7 text that sorts in the order of creation, milliseconds since 1970. Knows no table."""

from __future__ import annotations

import secrets
import time

_COUNTER_BITS = 12 + 62
_STEP_BITS = 40


class _Counter:
    """The last id of this process; the next is greater, even within one millisecond."""

    def __init__(self) -> None:
        self._milliseconds = 0
        self._tail = 0

    def next(self) -> tuple[int, int]:
        milliseconds = max(now_ms(), self._milliseconds)
        if milliseconds > self._milliseconds:
            self._milliseconds, self._tail = milliseconds, secrets.randbits(_COUNTER_BITS - 1)
        else:
            self._tail += 1 + secrets.randbits(_STEP_BITS)
        if self._tail >> _COUNTER_BITS:
            self._milliseconds, self._tail = self._milliseconds + 1, secrets.randbits(_COUNTER_BITS - 1)
        return self._milliseconds, self._tail


_counter = _Counter()


def new_id() -> str:
    """A uuid7; each is greater than the one before it in this process, so that a user's message sorts before its answer."""
    milliseconds, tail = _counter.next()
    number = milliseconds << 80 | 0x7 << 76 | tail >> 62 << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def now_ms() -> int:
    """The time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
