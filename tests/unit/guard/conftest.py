"""A clock that only tests move."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

import pytest


class Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class ManualClock:
    def __init__(self) -> None:
        self.time = 1000.0
        self.alarms: list[tuple[float, int, Alarm]] = []
        self.slept: list[float] = []
        self._numbers = count()

    def now(self) -> float:
        return self.time

    def call_later(self, delay_seconds: float, callback: Callable[[], None]) -> Alarm:
        alarm = Alarm(callback)
        heapq.heappush(self.alarms, (self.time + delay_seconds, next(self._numbers), alarm))
        return alarm

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        over = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: over.done() or over.set_result(None))
        await over

    async def settle(self) -> None:
        """Let every task run until it waits."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Pass time, ringing each alarm at its own moment."""
        await self.settle()
        end = self.time + seconds
        while self.alarms and self.alarms[0][0] <= end:
            due, _, alarm = heapq.heappop(self.alarms)
            self.time = max(self.time, due)
            if alarm.callback is not None:
                alarm.callback()
                await self.settle()
        self.time = end
        await self.settle()

    @property
    def pending(self) -> int:
        return sum(alarm.callback is not None for _, _, alarm in self.alarms)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
