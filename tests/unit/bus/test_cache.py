"""What is remembered for a while, the same in memory and in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from parley.bus.cache import Cache
from parley.bus.cache_memory import ENTRY_BYTES, MemoryCache
from parley.bus.cache_redis import RedisCache

from .conftest import both, open_redis


@both
async def cache(request: pytest.FixtureRequest) -> AsyncGenerator[Cache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    async with open_redis() as (client, prefix):
        made = RedisCache(client, prefix=prefix, command_seconds=30)
        yield made
        await made.aclose()


def put(cache: Cache, key: str, value: bytes, *, ttl_seconds: float = 60, max_bytes: int = 10_000) -> None:
    cache.put(key, value, ttl_seconds=ttl_seconds, max_bytes=max_bytes)


async def test_what_was_put_in_comes_out(cache: Cache) -> None:
    put(cache, "one", b"\x00\xff first")
    put(cache, "two", b"second")
    assert await cache.get("one") == b"\x00\xff first"
    put(cache, "one", b"newer")
    assert await cache.get("one") == b"newer"
    cache.remove("one")
    assert await cache.get("one") is None
    assert await cache.get("two") == b"second"


async def test_its_time_ends(cache: Cache) -> None:
    put(cache, "short", b"value", ttl_seconds=0.05)
    put(cache, "long", b"value")
    await asyncio.sleep(0.1)  # Redis counts by its own clock
    assert await cache.get("short") is None
    assert await cache.get("long") == b"value"


async def test_the_least_recently_used_makes_room(cache: Cache) -> None:
    most = 4 * (100 + ENTRY_BYTES)
    for name in "abcd":
        put(cache, name, b"x" * 100, max_bytes=most)
    assert await cache.get("a") is not None
    put(cache, "e", b"x" * 100, max_bytes=most)
    assert [name for name in "abcde" if await cache.get(name) is not None] == ["a", "c", "d", "e"]
    put(cache, "large", b"x" * (most - 2 * ENTRY_BYTES), max_bytes=most)
    assert [name for name in ("a", "c", "d", "e", "large") if await cache.get(name) is not None] == ["large"]
    put(cache, "too large", b"x" * most, max_bytes=most)
    assert await cache.get("too large") is None
    assert await cache.get("large") is not None


async def test_many_entries_of_any_size_stay_within_the_bound(cache: Cache) -> None:
    for number in range(300):
        put(cache, str(number % 70), b"x" * (number * 37 % 900), max_bytes=20_000)
    kept = [value for number in range(70) if (value := await cache.get(str(number))) is not None]
    assert 10_000 < sum(len(value) + ENTRY_BYTES for value in kept) <= 20_000


async def test_a_lost_redis_is_a_miss_at_once(tmp_path: Path) -> None:
    async with Redis(unix_socket_path=str(tmp_path / "nobody")) as redis:
        cache = RedisCache(redis, prefix="parley:")
        async with asyncio.timeout(5):
            assert await cache.get("one") is None
            put(cache, "one", b"value")
            assert await cache.get("one") is None
            await cache.aclose()
