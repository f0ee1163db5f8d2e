"""Counters over Redis that stops, and comes back: nothing hangs, and each process keeps to its share meanwhile."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from parley.bus.counters import Quota, Receipt
from parley.bus.counters_shared import SharedCounters

from ...stores import PrivateRedis
from .conftest import until

TEN = Quota("provider:acme:requests_per_minute", "requests", 10, 60)
SLOTS = Quota("provider:acme:concurrency", "slots", 10)
PREFIX = "parley:"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.services,
]

# What each of two processes does: ask a hundred times at once, say how often it was granted, and hold what it has for a while.
PROCESS = """
import asyncio, sys
from redis.asyncio import Redis
from parley.bus.counters import Quota, Receipt
from parley.bus.counters_redis import RedisCounters

async def main() -> None:
    redis = Redis.from_url(sys.argv[1])
    counters = RedisCounters(redis, prefix="parley:", command_seconds=30)
    quotas = [Quota("user:ada:requests_per_minute", "requests", 10, 60), Quota("provider:acme:concurrency", "slots", 15)]
    given = await asyncio.gather(*(counters.reserve(quotas, 0) for _ in range(100)))
    print(sum(isinstance(one, Receipt) for one in given), flush=True)
    await counters.aclose()
    await redis.aclose()

asyncio.run(main())
"""


@pytest.fixture
def private(tmp_path: Path) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path)
    server.start()
    yield server
    server.stop()


async def granted(counters: SharedCounters, quota: Quota, times: int) -> list[Receipt]:
    given = await asyncio.gather(*(counters.reserve([quota], 0) for _ in range(times)))
    return [one for one in given if isinstance(one, Receipt)]


async def test_two_processes_share_one_limit(private: PrivateRedis) -> None:
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", PROCESS, private.url, stdout=asyncio.subprocess.PIPE) for _ in range(2)
    ]
    counts = [int((await process.communicate())[0]) for process in processes]
    assert sum(counts) == 10, counts


async def test_each_keeps_to_its_share_while_redis_is_lost(private: PrivateRedis) -> None:
    async with Redis.from_url(private.url) as redis:
        known: list[int] = []
        first, second = [
            SharedCounters(redis, prefix=PREFIX, command_seconds=0.3, return_seconds=0.05, known_replicas=lambda: max(known, default=1))
            for _ in range(2)
        ]
        held = await granted(first, SLOTS, 2)
        await granted(second, SLOTS, 1)
        await until(lambda: second.replicas == 2)
        known.append(2)  # the first would hear of the second with its next beat, in seconds; the bus has heard already
        private.freeze()
        began = time.monotonic()
        assert len(await granted(first, TEN, 100)) == 5
        assert len(await granted(second, TEN, 100)) == 5
        assert time.monotonic() - began < 3
        assert first.lost
        assert second.lost
        assert len(await granted(first, SLOTS, 100)) == 3  # two of its five are held already
        first.settle(held[0], 10)
        assert len(await granted(first, SLOTS, 100)) == 1
        private.thaw()
        await until(lambda: not (first.lost or second.lost))
        other = Quota("user:ada:requests_per_minute", "requests", 10, 60)
        both = await asyncio.gather(granted(first, other, 50), granted(second, other, 50))
        assert sum(len(part) for part in both) == 10
        await first.aclose()
        await second.aclose()
