"""The bus's rules over memory and over a real Redis; then what only a server can do: be wrong, go away and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from parley.bus.memory import Hub, MemoryBus
from parley.bus.opening import open_bus
from parley.bus.protocol import Bus
from parley.bus.redis import RedisBus
from parley.contract.errors import ConfigurationError

from ...stores import REDIS_URL, PrivateRedis, eventually, own_prefix

MakeBus = Callable[[], Awaitable[Bus]]
PATIENCE = 10.0


class Ear:
    """What one bus hears about a topic."""

    def __init__(self, bus: Bus, topic: str = "news") -> None:
        self._heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        bus.on(topic, lambda sender, data: self._heard.put_nowait((sender, data)))

    async def next(self) -> tuple[str, bytes]:
        async with asyncio.timeout(PATIENCE):
            return await self._heard.get()

    @property
    def silent(self) -> bool:
        return self._heard.empty()


@pytest.fixture
def prefix() -> Iterator[str]:
    with own_prefix() as prefix:
        yield prefix


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.services)])
async def make_bus(request: pytest.FixtureRequest) -> AsyncIterator[MakeBus]:
    hub = Hub()
    prefix = request.getfixturevalue("prefix") if request.param == "redis" else ""
    async with AsyncExitStack() as stack:

        async def make() -> Bus:
            bus = MemoryBus(hub) if request.param == "memory" else await open_bus(REDIS_URL, prefix=prefix)
            stack.push_async_callback(bus.aclose)
            return bus

        yield make


async def test_everybody_else_hears_a_publication_and_one_alone_a_message(make_bus: MakeBus) -> None:
    one, two, three = [await make_bus() for _ in range(3)]
    at_one, at_two, at_three = Ear(one), Ear(two), Ear(three)
    assert await one.publish("news", b"to all \x00\xff")
    assert await one.send(two.replica_id, "news", b"to you")
    assert await at_two.next() == (one.replica_id, b"to all \x00\xff")
    assert await at_two.next() == (one.replica_id, b"to you")
    assert await at_three.next() == (one.replica_id, b"to all \x00\xff")
    assert at_one.silent
    assert at_three.silent


async def test_topics_are_apart_and_order_is_kept(make_bus: MakeBus) -> None:
    one, two = await make_bus(), await make_bus()
    news, other = Ear(two), Ear(two, "other")
    for number in range(200):
        await one.publish("other" if number % 2 else "news", str(number).encode())
    assert [int((await news.next())[1]) for _ in range(100)] == list(range(0, 200, 2))
    assert [int((await other.next())[1]) for _ in range(100)] == list(range(1, 200, 2))


async def test_a_message_to_a_replica_that_is_gone_is_known_to_be_lost(make_bus: MakeBus) -> None:
    one, two = await make_bus(), await make_bus()
    assert two.replicas == 2
    await two.aclose()
    assert not await one.send(two.replica_id, "news", b"hello?")
    three = await make_bus()
    assert three.replicas == 2


async def test_a_process_by_itself_has_a_bus_and_nobody_on_it() -> None:
    bus = await open_bus("", prefix="")
    assert (bus.shared, bus.connected, bus.replicas) == (False, True, 1)
    assert await bus.publish("news", b"")
    await bus.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "http://127.0.0.1:6379",
        "redis://",
        "redis://:s3cret-pass@127.0.0.1:1/0",
        "redis://127.0.0.1/nine",
        "redis://127.0.0.1:x",
    ],
)
async def test_an_address_where_no_redis_answers_is_refused_in_words(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_bus(url, prefix="")
    assert caught.value.fields[0].path == "REDIS_URL"
    assert "s3cret" not in str(caught.value)


@pytest.mark.services
async def test_a_lost_server_is_said_survived_and_found_again(tmp_path: Path) -> None:
    server = PrivateRedis(tmp_path)
    server.start()
    try:
        one, two = await open_bus(server.url, prefix="x:"), await open_bus(server.url, prefix="x:")
        ear = Ear(two)
        await asyncio.to_thread(server.stop)
        assert not await one.publish("news", b"nobody hears this")
        await eventually(lambda: not one.connected and not two.connected)
        await asyncio.to_thread(server.start)
        await eventually(lambda: one.connected and two.connected)
        assert await one.publish("news", b"back")
        assert await ear.next() == (one.replica_id, b"back")
        await one.aclose()
        await asyncio.to_thread(server.stop)
        await two.aclose()
    finally:
        server.stop()


@pytest.mark.services
async def test_what_others_publish_under_our_names_harms_nobody(prefix: str) -> None:
    bus = await open_bus(REDIS_URL, prefix=prefix)
    assert isinstance(bus, RedisBus)
    ear = Ear(bus)
    for message in (b"no such message", b"\x93\xa1a\xa7unknown\xc4\x01x", b"\x93\xa1a\xa4news\xc4\x01x"):
        await bus.redis.publish(f"{prefix}bus:all", message)
    assert await ear.next() == ("a", b"x")
    await bus.aclose()
