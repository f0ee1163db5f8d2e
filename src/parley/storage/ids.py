"""Ids and times of rows: uuid7 text that sorts in the order of creation, milliseconds since 1970. Knows no table."""

from __future__ import annotations

import os
import time

_COUNTER_BITS = 12 + 62
_STEP_BITS = 40
_POOL_BYTES = 4096


class _Counter:
    """The last id of this process; the next is greater, even within one millisecond."""

    def __init__(self) -> None:
        self._milliseconds = 0
        self._tail = 0
        self._pool = b""
        os.register_at_fork(after_in_child=self._forget)

    def next(self) -> tuple[int, int]:
        milliseconds = max(now_ms(), self._milliseconds)
        if milliseconds > self._milliseconds:
            self._milliseconds, self._tail = milliseconds, self._random(_COUNTER_BITS - 1)
        else:
            self._tail += 1 + self._random(_STEP_BITS)
        if self._tail >> _COUNTER_BITS:
            self._milliseconds, self._tail = self._milliseconds + 1, self._random(_COUNTER_BITS - 1)
        return self._milliseconds, self._tail

    def _random(self, bits: int) -> int:
        """From a pool: each call of the system lets go of the interpreter's lock, and waits for it among busy threads."""
        count = (bits + 7) // 8
        if len(self._pool) < count:
            self._pool = os.urandom(_POOL_BYTES)
        taken, self._pool = self._pool[:count], self._pool[count:]
        return int.from_bytes(taken) >> (8 * count - bits)

    def _forget(self) -> None:
        self._pool = b""


_counter = _Counter()


def new_id() -> str:
    """A uuid7; each is greater than the one before it in this process, so that a user's message sorts before its answer."""
    milliseconds, tail = _counter.next()
    number = milliseconds << 80 | 0x7 << 76 | tail >> 62 << 64 | 0b10 << 62 | tail & (1 << 62) - 1
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def first_id(milliseconds: int) -> str:
    """What sorts before every id of this time or later, and after every earlier one."""
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def now_ms() -> int:
    """The time in milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000
