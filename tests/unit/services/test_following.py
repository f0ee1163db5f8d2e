"""Two replicas in one process, over one database and a bus that a test may cut: what is made on one is read and stopped on the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parley.bus.memory import Hub, MemoryBus
from parley.services.chat import Chat
from parley.services.events import DoneEvent, SnapshotEvent
from parley.services.generations import Generation, Generations, Heartbeat
from parley.services.relays import FRAMES
from parley.storage.database import Database

from .talking import Talk, echo
from .test_generations import Reader, Tap


@pytest.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    async with Talk(database, tmp_path) as talk:
        yield talk


class Losing(MemoryBus):
    """Loses the next so many messages of a topic on their way out."""

    lose: int = 0

    async def send(self, replica_id: str, topic: str, data: bytes) -> bool:
        if topic == FRAMES and self.lose:
            self.lose -= 1
            return True
        return await super().send(replica_id, topic, data)


class Replicas:
    """`here` makes the answers, `there` reads them."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.hub = Hub()
        self.bus = Losing(self.hub)
        self.tap = Tap()
        talk.play = self.tap.play
        self.here = self._chat(self.bus)
        self.there = self._chat(MemoryBus(self.hub))

    def _chat(self, bus: MemoryBus) -> Chat:
        talk = self.talk
        heartbeat = Heartbeat(seconds=0.05, dead_after_seconds=0.5)
        generations = Generations(talk.stored, talk.messages, shared=True, bus=bus, heartbeat=heartbeat)
        return Chat(
            lambda: talk.client,
            sessions=talk.stored_sessions,
            messages=talk.messages,
            attachments=talk.attachments,
            stored=talk.stored,
            generations=generations,
        )

    async def begin(self, *words: str, **options: Any) -> tuple[str, Generation]:
        session_id = await self.talk.session()
        self.tap.pour(*words)
        return session_id, await self.here.send(self.talk.principal, session_id, "q", **options)

    async def follow(self, session_id: str) -> Reader:
        return Reader(await self.there.follow(self.talk.principal, session_id))


@pytest.fixture
async def replicas(talk: Talk) -> AsyncIterator[Replicas]:
    replicas = Replicas(talk)
    for chat in (replicas.here, replicas.there):
        await chat.recover()
    yield replicas
    replicas.tap.close()
    for chat in (replicas.here, replicas.there):
        await chat.drain(0)


async def to_the_end(reader: Reader) -> Any:
    while not isinstance(reader.seen[-1].event if reader.seen else None, DoneEvent):
        await reader.step()
    return reader.seen[-1].event


async def test_another_replica_reads_what_is_not_stored_yet(replicas: Replicas) -> None:
    session_id, _ = await replicas.begin("one ")
    reader = await replicas.follow(session_id)
    await reader.until("one ")
    begun = asyncio.get_running_loop().time()
    replicas.tap.pour("two ", "three")
    await reader.until("one two three")
    assert asyncio.get_running_loop().time() - begun < 0.1, "sooner than the log is written"
    await reader.until_acknowledged(3)
    replicas.tap.close()
    assert (await to_the_end(reader)).finish_reason == "stop"
    assert reader.acknowledged == reader.seq == 4


async def test_what_the_bus_loses_is_replaced_and_never_skipped(replicas: Replicas) -> None:
    session_id, _ = await replicas.begin("one ")
    reader = await replicas.follow(session_id)
    await reader.until("one ")
    await reader.until_acknowledged(1)
    replicas.bus.lose = 1
    replicas.tap.pour("two ")
    await asyncio.sleep(0.05)
    replicas.tap.pour("three")
    await reader.until("one two three")
    assert sum(isinstance(frame.event, SnapshotEvent) for frame in reader.seen) == 2
    replicas.tap.close()
    await to_the_end(reader)


async def test_without_the_bus_the_stored_log_is_read_to_the_end(replicas: Replicas) -> None:
    session_id, _ = await replicas.begin("one ")
    reader = await replicas.follow(session_id)
    await reader.until("one ")
    replicas.hub.cut = True
    replicas.tap.pour("two ", "three")
    await reader.until("one two three")
    await reader.until_acknowledged(3)
    replicas.hub.cut = False
    replicas.tap.pour(" four")
    await reader.until("one two three four")
    replicas.tap.close()
    assert (await to_the_end(reader)).finish_reason == "stop"


@pytest.mark.parametrize("cut", [False, True])
async def test_stop_reaches_the_replica_that_writes(replicas: Replicas, *, cut: bool) -> None:
    session_id, generation = await replicas.begin("half")
    replicas.hub.cut = cut
    reader = Reader(generation)
    await reader.until("half")
    assert await replicas.there.cancel(replicas.talk.principal, session_id)
    assert (await to_the_end(reader)).finish_reason == "cancelled"
    assert not await replicas.there.cancel(replicas.talk.principal, session_id)
    assert (await replicas.talk.shown(session_id))[-1] == "half"


async def test_an_answer_that_ends_with_its_last_reader_counts_those_of_other_replicas(replicas: Replicas) -> None:
    session_id, generation = await replicas.begin("word ", on_disconnect="cancel")
    here, there = Reader(generation), await replicas.follow(session_id)
    await here.until("word ")
    await there.until("word ")
    await here.leave()
    replicas.tap.pour("more ")
    await there.until("word more ")
    await there.leave()
    again = await replicas.follow(session_id)
    assert (await to_the_end(again)).finish_reason == "cancelled"


async def test_the_same_key_on_another_replica_waits_for_the_same_answer(replicas: Replicas) -> None:
    session_id, generation = await replicas.begin("once", idempotency_key="k")
    again = await replicas.there.send(replicas.talk.principal, session_id, "q", idempotency_key="k")
    assert again.message_id == generation.message_id
    waiting = asyncio.create_task(again.wait())
    replicas.tap.close()
    assert (await waiting).content == "once"


async def test_an_answer_whose_replica_died_is_ended_and_its_text_kept(replicas: Replicas) -> None:
    session_id, generation = await replicas.begin("this much")
    await Reader(generation).until_acknowledged(1)
    reader = await replicas.follow(session_id)
    await reader.until("this much")
    die(replicas.here)
    assert (await to_the_end(reader)).finish_reason == "interrupted"
    assert reader.text == "this much"
    assert (await replicas.talk.shown(session_id))[-1] == "this much"
    replicas.talk.play = echo
    goes_on = await replicas.there.send(replicas.talk.principal, session_id, "go on")
    assert (await goes_on.wait()).content == "echo: go on "
    assert [message.text for message in replicas.talk.requests[-1].messages] == ["q", "this much", "go on"]


def die(chat: Chat) -> None:
    """It is there no more: it beats no longer, and nobody hears it."""
    generations = chat._generations
    assert generations._keeper is not None
    generations._keeper.cancel()
    bus = generations._bus
    assert isinstance(bus, MemoryBus)
    bus._hub.buses.pop(bus.replica_id)
    bus.replica_id = "gone"
