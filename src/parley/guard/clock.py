"""Time as the guard sees it, so that a test can hold it still. Knows nothing of what is timed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol


class Alarm(Protocol):
    """A callback that is due later."""

    def cancel(self) -> None:
        """Do not call it."""
        ...


class Clock(Protocol):
    """Seconds on a clock that never goes back."""

    def now(self) -> float:
        """Seconds since some fixed moment."""
        ...

    def call_later(self, delay_seconds: float, callback: Callable[[], None]) -> Alarm:
        """Call it once, from the event loop, when the delay is over."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, and be cancelled at any moment."""
        ...


class LoopClock:
    """The running event loop's own time."""

    def now(self) -> float:
        """Seconds, as `loop.time()` gives them."""
        return time.monotonic()

    def call_later(self, delay_seconds: float, callback: Callable[[], None]) -> Alarm:
        """`loop.call_later`."""
        return asyncio.get_running_loop().call_later(delay_seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`."""
        await asyncio.sleep(seconds)
