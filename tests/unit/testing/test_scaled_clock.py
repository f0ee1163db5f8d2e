from __future__ import annotations

import asyncio
from time import monotonic

import pytest

from parley.guard.tasks import CANCELLATION_SECONDS
from parley.testing.scaled_clock import ScaledClock


async def test_it_runs_as_many_times_faster_as_it_was_told() -> None:
    clock, began = ScaledClock(100), monotonic()
    before = clock.now()
    await clock.sleep(10)
    took = monotonic() - began
    assert 0.1 <= took < 5
    assert clock.now() - before == pytest.approx(took * 100, rel=0.1)


async def test_an_alarm_rings_sooner_and_can_be_cancelled() -> None:
    clock, rung = ScaledClock(100), asyncio.Event()
    cancelled = asyncio.Event()
    clock.call_later(20, cancelled.set).cancel()
    began = clock.now()
    clock.call_later(30, rung.set)
    await rung.wait()
    assert clock.now() - began >= 29.9
    assert not cancelled.is_set()


async def test_the_time_to_stop_is_not_shortened() -> None:
    rung, began = asyncio.Event(), monotonic()
    ScaledClock(1000).call_later(CANCELLATION_SECONDS, rung.set)
    await rung.wait()
    assert monotonic() - began >= CANCELLATION_SECONDS * 0.99


def test_time_that_stands_still_is_refused() -> None:
    with pytest.raises(ValueError, match="must be greater than 0"):
        ScaledClock(0)
