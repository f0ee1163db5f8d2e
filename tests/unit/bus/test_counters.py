"""Windows and slots, the same in memory and in Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.bus.counters import Counters, Quota, Receipt, Refusal
from parley.bus.counters_redis import RedisCounters

from .conftest import Time, open_redis

REQUESTS = Quota("user:ada:requests_per_minute", "requests", 3, 60)
TOKENS = Quota("user:ada:tokens_per_minute", "tokens", 1000, 60)
SLOTS = Quota("provider:acme:concurrency", "slots", 2)


async def taken(counters: Counters, *quotas: Quota, tokens: int = 0) -> Receipt:
    given = await counters.reserve(quotas, tokens)
    assert isinstance(given, Receipt)
    return given


async def refused(counters: Counters, *quotas: Quota, tokens: int = 0) -> Refusal:
    given = await counters.reserve(quotas, tokens)
    assert isinstance(given, Refusal)
    return given


async def test_no_more_than_the_limit_within_any_window(counters: Counters, time: Time) -> None:
    granted: list[float] = []
    for _ in range(400):
        if isinstance(await counters.reserve([REQUESTS], 0), Receipt):
            granted.append(time.now)
        time.now += 0.7
    assert all(later - earlier >= 60 for earlier, later in zip(granted, granted[3:], strict=False))
    assert len(granted) == 3 * 5  # 280 seconds, and nothing is lost at a window's edge


async def test_the_wait_is_exact(counters: Counters, time: Time) -> None:
    for _ in range(3):
        await taken(counters, REQUESTS)
        time.now += 10
    refusal = await refused(counters, REQUESTS)
    assert refusal.quota == REQUESTS
    assert refusal.wait_seconds is not None
    assert abs(refusal.wait_seconds - 30) < 0.001
    time.now += refusal.wait_seconds - 0.01
    await refused(counters, REQUESTS)
    time.now += 0.02
    await taken(counters, REQUESTS)
    await refused(counters, REQUESTS)


async def test_reserved_tokens_settle_to_the_used(counters: Counters, time: Time) -> None:
    first = await taken(counters, TOKENS, tokens=900)
    await refused(counters, TOKENS, tokens=200)
    counters.settle(first, 100)
    second = await taken(counters, TOKENS, tokens=900)
    await refused(counters, TOKENS, tokens=1)
    time.now += 30
    counters.settle(second, 1500)  # it used more than anybody thought, and that counts from now on
    time.now += 31
    await refused(counters, TOKENS, tokens=500)
    time.now += 30
    await taken(counters, TOKENS, tokens=1000)


async def test_all_or_nothing(counters: Counters) -> None:
    for _ in range(2):
        await taken(counters, SLOTS)
    for _ in range(5):
        assert (await refused(counters, REQUESTS, TOKENS, SLOTS, tokens=600)).wait_seconds is None
    for _ in range(3):
        await taken(counters, REQUESTS)
    await taken(counters, TOKENS, tokens=1000)


async def test_what_was_never_sent_gives_everything_back(counters: Counters) -> None:
    for _ in range(20):
        counters.settle(await taken(counters, REQUESTS, TOKENS, SLOTS, tokens=1000), None)
    await taken(counters, REQUESTS, TOKENS, SLOTS, tokens=1000)


async def test_slots_are_held_until_they_are_given_back(counters: Counters, time: Time) -> None:
    first, _second = await taken(counters, SLOTS), await taken(counters, SLOTS)
    refusal = await refused(counters, SLOTS)
    assert refusal.may_free_sooner
    counters.settle(first, 10)
    await taken(counters, SLOTS)
    await refused(counters, SLOTS)


async def test_the_longest_wait_is_told(counters: Counters) -> None:
    day = Quota("user:ada:requests_per_day", "requests", 1, 86_400)
    await taken(counters, REQUESTS, day, SLOTS)
    await taken(counters, SLOTS)
    await taken(counters, REQUESTS)
    await taken(counters, REQUESTS)
    refusal = await refused(counters, REQUESTS, day, SLOTS)
    assert refusal.quota == day
    assert refusal.wait_seconds is not None
    assert 86_000 < refusal.wait_seconds <= 86_400


async def test_a_request_larger_than_the_limit_takes_all_there_is(counters: Counters, time: Time) -> None:
    large = await taken(counters, TOKENS, tokens=50_000)
    await refused(counters, TOKENS, tokens=1)
    counters.settle(large, 400)
    await taken(counters, TOKENS, tokens=600)
    await refused(counters, TOKENS, tokens=1)


async def test_a_hundred_at_once_against_ten(counters: Counters) -> None:
    ten = Quota("provider:acme:requests_per_minute", "requests", 10, 60)
    given: list[Any] = await asyncio.gather(*(counters.reserve([ten], 0) for _ in range(100)))
    assert sum(isinstance(one, Receipt) for one in given) == 10


@pytest.mark.services
async def test_a_redis_that_forgot_the_scripts_is_told_them_again() -> None:
    async with open_redis() as (client, prefix):
        counters = RedisCounters(client, prefix=prefix, command_seconds=30)
        await client.script_flush()
        first = await taken(counters, REQUESTS, SLOTS)
        await client.script_flush()
        counters.settle(first, None)
        for _ in range(2):
            await taken(counters, REQUESTS, SLOTS)
        assert (await refused(counters, REQUESTS, SLOTS)).quota == SLOTS
        await counters.aclose()


async def test_who_is_cancelled_while_asking_holds_nothing(counters: Counters) -> None:
    asking = [asyncio.create_task(counters.reserve([REQUESTS, SLOTS], 0)) for _ in range(20)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    for outcome in await asyncio.gather(*asking, return_exceptions=True):
        if isinstance(outcome, Receipt):
            counters.settle(outcome, None)
    given: Receipt | Refusal | None = None
    async with asyncio.timeout(5):
        while not isinstance(given, Receipt):  # what Redis had granted meanwhile goes back with the next trip
            given = await counters.reserve([REQUESTS, SLOTS], 0)
    counters.settle(given, None)
    assert [isinstance(await counters.reserve([SLOTS], 0), Receipt) for _ in range(3)] == [True, True, False]
