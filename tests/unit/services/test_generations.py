from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import json

from parley.contract.errors import QueueFullError
from parley.contract.events import Event, TextDelta
from parley.contract.request import ChatRequest
from parley.services import answers
from parley.services.events import DoneEvent, Frame, SnapshotEvent, TokenEvent
from parley.services.generations import Generation
from parley.storage.database import Database
from parley.storage.errors import StorageUnavailableError
from parley.storage.generations import Beginning, GenerationRecord, LoggedEvents
from parley.storage.ids import new_id, now_ms
from parley.storage.messages import MessageRecord

from .talking import Talk, end, read


@pytest.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    async with Talk(database, tmp_path) as talk:
        yield talk


class Tap:
    """A provider's answer that comes as a test pours it."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()

    def pour(self, *words: str) -> None:
        for word in words:
            self.events.put_nowait(TextDelta(word))

    def close(self) -> None:
        self.events.put_nowait(None)

    async def play(self, _request: ChatRequest) -> AsyncIterator[Event]:
        while (event := await self.events.get()) is not None:
            yield event
        yield end()


class Reader:
    """Reads a generation step by step, as a client folds it."""

    def __init__(self, generation: Generation) -> None:
        self._frames = generation.frames()
        self.text = ""
        self.seq = 0
        self.acknowledged = 0
        self.seen: list[Frame] = []

    async def step(self) -> Frame:
        frame = await anext(self._frames)
        self.seen.append(frame)
        if isinstance(frame.event, SnapshotEvent):
            self.text, self.seq = frame.event.text, frame.event.seq
        elif frame.event is not None:
            assert frame.event.seq == self.seq + 1, "no event is skipped or told twice"
            self.seq = frame.event.seq
            if isinstance(frame.event, TokenEvent):
                self.text += frame.event.content
        if frame.acknowledged_seq is not None:
            assert self.acknowledged < frame.acknowledged_seq <= self.seq, "only what was read is acknowledged, once"
            self.acknowledged = frame.acknowledged_seq
        return frame

    async def until(self, text: str) -> None:
        while self.text != text:
            await self.step()

    async def until_acknowledged(self, seq: int) -> None:
        while self.acknowledged < seq:
            await self.step()

    async def to_the_end(self) -> None:
        async for _ in self._rest():
            pass

    async def _rest(self) -> AsyncIterator[Frame]:
        while True:
            try:
                yield await self.step()
            except StopAsyncIteration:
                return

    async def leave(self) -> None:
        await self._frames.aclose()


async def test_a_delta_goes_out_before_it_is_stored_and_its_acknowledgement_after(talk: Talk) -> None:
    tap = Tap()
    talk.play = tap.play
    generation = await talk.chat.send(talk.principal, await talk.session(), "x")
    tap.pour("one ")
    reader = Reader(generation)
    first = await reader.step()
    assert isinstance(first.event, TokenEvent)
    assert first.acknowledged_seq is None
    assert await talk.stored.events(generation.message_id) == [], "nothing was stored yet"
    await reader.until_acknowledged(1)
    assert b"one " in b"".join(await talk.stored.events(generation.message_id))
    tap.close()
    await reader.to_the_end()
    assert reader.acknowledged == reader.seq == 2


async def test_two_readers_get_the_same_whenever_they_come(talk: Talk) -> None:
    tap = Tap()
    talk.play = tap.play
    session_id = await talk.session()
    first = Reader(await talk.chat.send(talk.principal, session_id, "x"))
    tap.pour("a ", "b ")
    await first.until("a b ")
    second = Reader(await talk.chat.follow(talk.principal, session_id))
    opening = await second.step()
    assert isinstance(opening.event, SnapshotEvent)
    assert (opening.event.text, opening.event.seq) == ("a b ", 2)
    tap.pour("c ")
    await first.until("a b c ")
    await first.leave()
    tap.pour("d")
    tap.close()
    await second.to_the_end()
    third = Reader(await talk.chat.follow(talk.principal, session_id))
    await third.to_the_end()
    assert second.text == third.text == "a b c d"
    assert second.seen[-1].event == third.seen[-1].event
    assert second.seq == third.seq == 5


async def test_a_slow_reader_is_bounded_and_slows_nobody(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "KEPT_EVENTS", 8)
    tap = Tap()
    talk.play = tap.play
    session_id = await talk.session()
    slow = Reader(await talk.chat.send(talk.principal, session_id, "x"))
    quick = Reader(await talk.chat.follow(talk.principal, session_id))
    words: list[str] = []
    tap.pour("0 ")
    await slow.step()
    for batch in range(4):
        more = [f"{batch}.{number} " for number in range(20)]
        words += more
        tap.pour(*more)
        await quick.until("0 " + "".join(words))
        await quick.until_acknowledged(len(words) + 1)
    tap.close()
    await quick.to_the_end()
    await slow.to_the_end()
    assert slow.text == quick.text == "0 " + "".join(words)
    snapshots = [frame for frame in slow.seen if isinstance(frame.event, SnapshotEvent)]
    assert len(snapshots) == 1, "what is no longer kept is told as a snapshot"
    assert len(slow.seen) < len(quick.seen)


async def test_an_answer_is_made_though_nobody_reads_it(talk: Talk) -> None:
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "x")
    assert (await generation.wait()).text == "echo: x "
    assert await talk.shown(session_id) == ["x", "echo: x "]


async def dead_generation(talk: Talk, logged: list[list[str]]) -> tuple[str, str]:
    """What a process leaves behind that died in the middle of an answer."""
    session_id, now = await talk.session(), now_ms()
    question = MessageRecord(id=new_id(), session_id=session_id, parent_id=None, role="user", content="x", created_at=now)
    answer = MessageRecord(id=new_id(), session_id=session_id, parent_id=question.id, role="assistant", content="", created_at=now)
    generation = GenerationRecord(
        message_id=answer.id,
        session_id=session_id,
        user_id=talk.principal.user_id,
        state="running",
        idempotency_key=None,
        body_hash="",
        created_at=now,
        seen_at=now,
    )
    await talk.stored.begin(Beginning(question=question, answer=answer, generation=generation, title="x"))
    seq = 0
    for words in logged:
        events = [TokenEvent(content=word, message_id=answer.id, seq=seq + place + 1) for place, word in enumerate(words)]
        stretch = LoggedEvents(answer.id, seq + 1, seq + len(words), json.encode(events))
        await talk.stored.log(lambda stretch=stretch: stretch)
        seq += len(words)
    return session_id, answer.id


async def test_what_a_dead_process_left_is_interrupted_with_its_text(talk: Talk) -> None:
    session_id, _ = await dead_generation(talk, [["once ", "upon "], ["a "]])
    assert await talk.chat.recover() == 1
    assert await talk.shown(session_id) == ["x", "once upon a "]
    snapshot, done = [frame.event for frame in await read(await talk.chat.follow(talk.principal, session_id))]
    assert isinstance(snapshot, SnapshotEvent)
    assert (snapshot.text, snapshot.seq) == ("once upon a ", 3)
    assert isinstance(done, DoneEvent)
    assert (done.finish_reason, done.seq) == ("interrupted", 4)
    assert await talk.chat.recover() == 0
    assert (await talk.say(session_id, "go on")).text == "echo: go on ", "the session can be used again"


async def test_one_that_had_not_begun_is_interrupted_and_empty(talk: Talk) -> None:
    session_id, _ = await dead_generation(talk, [])
    assert await talk.chat.recover() == 1
    assert await talk.shown(session_id) == ["x", ""]


async def test_a_drain_lets_finish_what_can_and_interrupts_the_rest(talk: Talk) -> None:
    quick, endless = Tap(), Tap()
    sessions = [await talk.session(), await talk.session()]
    talk.play = lambda request: (quick if request.messages[0].text == "quick" else endless).play(request)
    finishing = await talk.chat.send(talk.principal, sessions[0], "quick")
    hanging = Reader(await talk.chat.send(talk.principal, sessions[1], "endless"))
    quick.pour("whole")
    quick.close()
    await finishing.wait()
    endless.pour("half ")
    await hanging.until("half ")
    await talk.chat.drain(0.05)
    assert [await talk.shown(session_id) for session_id in sessions] == [["quick", "whole"], ["endless", "half "]]
    await hanging.to_the_end()
    last = hanging.seen[-1].event
    assert isinstance(last, DoneEvent)
    assert last.finish_reason == "interrupted"
    with pytest.raises(QueueFullError):
        await talk.chat.send(talk.principal, sessions[0], "too late")


async def test_a_drain_waits_for_what_ends_in_time(talk: Talk) -> None:
    tap = Tap()
    talk.play = tap.play
    session_id = await talk.session()
    reader = Reader(await talk.chat.send(talk.principal, session_id, "x"))
    tap.pour("al")
    await reader.until("al")
    draining = asyncio.create_task(talk.chat.drain(30))
    tap.pour("most")
    tap.close()
    await draining
    assert await talk.shown(session_id) == ["x", "almost"]


async def test_without_storage_nothing_is_asked_and_the_session_is_free_again(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await talk.session()

    async def away(_beginning: Beginning) -> None:
        raise StorageUnavailableError("away")

    with monkeypatch.context() as patch:
        patch.setattr(talk.stored, "begin", away)
        with pytest.raises(StorageUnavailableError):
            await talk.chat.send(talk.principal, session_id, "x")
    assert talk.requests == []
    assert (await talk.say(session_id, "x")).text == "echo: x "


def log_away(_make: object) -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_exception(StorageUnavailableError("away"))
    return done


async def test_what_waits_for_a_database_that_is_away_has_bounds(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talk.stored, "log", log_away)
    monkeypatch.setattr(answers, "MAX_UNSTORED_EVENTS", 50)

    async def endless(_request: ChatRequest) -> AsyncIterator[Event]:
        while True:
            yield TextDelta("word ")
            await asyncio.sleep(0)

    talk.play = endless
    reader = Reader(await talk.chat.send(talk.principal, await talk.session(), "x"))
    await reader.to_the_end()
    last = reader.seen[-1].event
    assert isinstance(last, DoneEvent)
    assert last.finish_reason == "interrupted"
    assert 50 < last.seq < 5000


async def test_storage_that_stays_away_ends_a_running_answer_as_interrupted(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    tap = Tap()
    talk.play = tap.play
    reader = Reader(await talk.chat.send(talk.principal, await talk.session(), "x"))

    monkeypatch.setattr(talk.stored, "log", log_away)
    monkeypatch.setattr(answers, "RETRY_SECONDS", 0.001)
    monkeypatch.setattr(answers, "STORAGE_PATIENCE_SECONDS", 0.01)
    tap.pour("text ")
    await reader.to_the_end()
    last = reader.seen[-1].event
    assert isinstance(last, DoneEvent)
    assert last.finish_reason == "interrupted"
    assert reader.text == "text "


async def test_an_answer_is_stored_once_the_database_is_back(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "RETRY_SECONDS", 0.001)
    ending = talk.stored.end
    failures = iter([StorageUnavailableError("away"), StorageUnavailableError("away")])

    async def end_later(*given: object, **named: object) -> None:
        for failure in failures:
            raise failure
        await ending(*given, **named)

    monkeypatch.setattr(talk.stored, "end", end_later)
    session_id = await talk.session()
    assert (await talk.say(session_id, "x")).text == "echo: x "
    assert await talk.shown(session_id) == ["x", "echo: x "]


async def test_a_session_that_is_deleted_ends_its_answer(talk: Talk) -> None:
    tap = Tap()
    talk.play = tap.play
    session_id = await talk.session()
    reader = Reader(await talk.chat.send(talk.principal, session_id, "x"))
    tap.pour("a")
    await reader.until("a")
    await talk.sessions.delete(talk.principal, session_id)
    await reader.to_the_end()
    assert (await talk.sessions.list(talk.principal)).items == []


@pytest.mark.parametrize(("on_disconnect", "expected"), [("continue", "stop"), ("cancel", "cancelled")])
async def test_a_caller_that_goes_while_the_question_is_stored_leaves_no_half_of_it(
    talk: Talk, monkeypatch: pytest.MonkeyPatch, on_disconnect: str, expected: str
) -> None:
    storing, go_on, begin = asyncio.Event(), asyncio.Event(), talk.stored.begin

    async def begin_slowly(beginning: Beginning) -> None:
        storing.set()
        await go_on.wait()
        await begin(beginning)

    session_id = await talk.session()
    with monkeypatch.context() as patch:
        patch.setattr(talk.stored, "begin", begin_slowly)
        sending = asyncio.create_task(talk.chat.send(talk.principal, session_id, "x", on_disconnect=on_disconnect))
        await storing.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
    following = await talk.chat.follow(talk.principal, session_id)
    go_on.set()
    assert (await following.wait()).finish_reason == expected
    assert (await talk.say(session_id, "again")).text == "echo: again "
