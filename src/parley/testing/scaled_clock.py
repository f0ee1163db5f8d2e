"""A clock that runs many times faster than the wall's, for the guard: a silence of ten seconds is over in a tenth of one. Times nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from parley.guard.clock import Alarm
from parley.guard.tasks import CANCELLATION_SECONDS

FACTOR = 100.0


class ScaledClock:
    """Seconds of this clock are 1/`factor` of real ones. Fits `parley.guard.clock.Clock`."""

    def __init__(self, factor: float = FACTOR) -> None:
        if factor <= 0:
            raise ValueError(f"factor is {factor:g}; it must be greater than 0")
        self.factor = factor

    def now(self) -> float:
        """Seconds of this clock."""
        return time.monotonic() * self.factor

    def real_seconds(self, seconds: float) -> float:
        """How long so many seconds of this clock really last."""
        return seconds / self.factor

    def call_later(self, delay_seconds: float, callback: Callable[[], None]) -> Alarm:
        """`loop.call_later`, sooner. The time that a cancelled provider has to stop is as long as ever: it works, and waits for nothing."""
        real = delay_seconds if delay_seconds == CANCELLATION_SECONDS else self.real_seconds(delay_seconds)
        return asyncio.get_running_loop().call_later(real, callback)

    async def sleep(self, seconds: float) -> None:
        """`asyncio.sleep`, shorter."""
        await asyncio.sleep(self.real_seconds(seconds))
