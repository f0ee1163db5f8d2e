from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley.testing import process_watch
from parley.testing.process_watch import ProcessWatch

MEGABYTE = 1024 * 1024


@pytest.fixture(params=["resident", "traced"])
def measure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Both ways of measuring: as on Linux, and as where the system tells nothing."""
    if request.param == "traced":
        monkeypatch.setattr(process_watch, "_STATM", Path("/nowhere"))
    yield request.param
    assert not tracemalloc.is_tracing()


@pytest.mark.usefixtures("measure")
async def test_it_says_when_memory_has_grown_too_much() -> None:
    told = asyncio.Event()
    async with ProcessWatch(max_growth_bytes=32 * MEGABYTE, exceeded=told.set) as watch:
        kept = bytearray(b"x") * (64 * MEGABYTE)
        async with asyncio.timeout(10):
            await told.wait()
        assert len(kept) == 64 * MEGABYTE
    assert watch.exceeds
    assert watch.growth_bytes > 32 * MEGABYTE


@pytest.mark.usefixtures("measure")
async def test_it_says_nothing_of_a_little() -> None:
    told = asyncio.Event()
    async with ProcessWatch(max_growth_bytes=64 * MEGABYTE, exceeded=told.set) as watch:
        kept = bytearray(MEGABYTE)
        await asyncio.sleep(0.02)
        assert len(kept) == MEGABYTE
    assert not watch.exceeds
    assert not told.is_set()


async def test_it_knows_for_how_long_the_event_loop_stood_still() -> None:
    async with ProcessWatch(max_growth_bytes=64 * MEGABYTE, exceeded=list) as watch:
        await asyncio.sleep(0.02)
        time.sleep(0.2)  # noqa: ASYNC251 - the standstill that it must see
        await asyncio.sleep(0.02)
    assert watch.held_up_seconds >= watch.longest_hold_seconds >= 0.15
