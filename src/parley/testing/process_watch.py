"""Watches this process while something hostile happens in it: how much memory it takes, and how long its event loop stands still."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

POLL_SECONDS = 0.005
USUAL_DELAY_SECONDS = 0.002
"""A timer this late is nothing unusual."""

_STATM = Path("/proc/self/statm")


def _system_tells() -> bool:
    return _STATM.exists()


class ProcessWatch:
    """An async context manager. `exceeded` is called once, where memory has grown by more than `max_growth_bytes`.

    `growth_bytes` is the most by which it grew: of the resident set where the system tells it (Linux), else of what Python allocated.
    `held_up_seconds` is the time for which the event loop served nobody, `longest_hold_seconds` the longest such time.
    """

    def __init__(self, *, max_growth_bytes: int, exceeded: Callable[[], object]) -> None:
        self._max_growth_bytes = max_growth_bytes
        self._exceeded = exceeded
        self._tracing = False
        self._before = 0
        self._task: asyncio.Task[None] | None = None
        self.growth_bytes = 0
        self.held_up_seconds = 0.0
        self.longest_hold_seconds = 0.0

    async def __aenter__(self) -> ProcessWatch:
        if not _system_tells() and not tracemalloc.is_tracing():
            tracemalloc.start()
            self._tracing = True
        self._before = _used_bytes()
        self._task = asyncio.get_running_loop().create_task(self._poll())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        self._look()
        if self._tracing:
            tracemalloc.stop()

    @property
    def exceeds(self) -> bool:
        """Whether memory grew by more than it may."""
        return self.growth_bytes > self._max_growth_bytes

    async def _poll(self) -> None:
        told = False
        while True:
            began = perf_counter()
            await asyncio.sleep(POLL_SECONDS)
            late = perf_counter() - began - POLL_SECONDS
            if late > USUAL_DELAY_SECONDS:
                self.held_up_seconds += late
                self.longest_hold_seconds = max(self.longest_hold_seconds, late)
            self._look()
            if self.exceeds and not told:
                told = True
                self._exceeded()

    def _look(self) -> None:
        self.growth_bytes = max(self.growth_bytes, _used_bytes() - self._before)


def settle_memory() -> None:
    """Give back what earlier work left behind, so that it is not counted against what comes next."""
    gc.collect()


def _used_bytes() -> int:
    if tracemalloc.is_tracing():
        return tracemalloc.get_traced_memory()[0]
    return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
