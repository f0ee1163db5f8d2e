"""Counters, and answers, of both kinds: in memory and in Redis, under the same tests."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from parley.bus.counters import Counters
from parley.bus.counters_memory import MemoryCounters
from parley.bus.counters_redis import RedisCounters

REDIS_URL = os.environ.get("PARLEY_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


async def until(reached: Callable[[], bool]) -> None:
    """Wait for what comes about in another process."""
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 - no event comes from there
            await asyncio.sleep(0.005)


class Time:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@asynccontextmanager
async def open_redis() -> AsyncGenerator[tuple[Redis, str]]:
    """Redis, and the prefix of a part of it that is the test's own and empty again afterwards; skips where there is none."""
    client = Redis.from_url(REDIS_URL)
    prefix = f"parley-test:{secrets.token_hex(6)}:"
    try:
        await client.ping()
    except (RedisError, OSError) as error:
        await client.aclose()
        if os.environ.get("PARLEY_REQUIRE_SERVICES") == "1":
            raise
        pytest.skip(f"no Redis at {REDIS_URL}: {error}")
    try:
        yield client, prefix
        async for key in client.scan_iter(f"{prefix}*"):
            await client.delete(key)
    finally:
        await client.aclose()


@pytest.fixture
async def redis() -> AsyncGenerator[tuple[Redis, str]]:
    async with open_redis() as opened:
        yield opened


both = pytest.fixture(params=["memory", pytest.param("redis", marks=[pytest.mark.integration, pytest.mark.services])])


@both
async def counters(request: pytest.FixtureRequest, time: Time) -> AsyncGenerator[Counters]:
    if request.param == "memory":
        yield MemoryCounters(time)
        return
    async with open_redis() as (client, prefix):
        made = RedisCounters(client, prefix=prefix, now=time, command_seconds=30)
        yield made
        await made.aclose()
