from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.contract.errors import (
    ErrorCode,
    InvalidRequestError,
    RateLimitError,
    UnknownProviderError,
    UnsupportedFeatureError,
)
from parley.contract.events import Event, ReasoningDelta, TextDelta, ToolCallEnded, ToolCallStarted
from parley.contract.messages import ImagePart, TextPart, ToolCall
from parley.contract.request import ChatRequest
from parley.services.errors import ConflictError, NotFoundError
from parley.services.events import DoneEvent, ErrorEvent, SnapshotEvent, TokenEvent
from parley.services.translation import Translation
from parley.storage.attachments import AttachmentRecord
from parley.storage.database import Database
from parley.storage.ids import new_id

from .talking import Talk, as_client_sees, end, read, sequence


@pytest.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    async with Talk(database, tmp_path) as talk:
        yield talk


class Held:
    """A provider's answer that waits in its middle until it is let go."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.closed = False

    async def play(self, _request: ChatRequest) -> AsyncIterator[Event]:
        try:
            yield TextDelta("first ")
            self.begun.set()
            await self.go_on.wait()
            yield TextDelta("second")
            yield end()
        finally:
            self.closed = True


async def test_an_answer_as_its_reader_gets_it(talk: Talk) -> None:
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "hello you")
    frames = await read(generation)
    events = [frame.event for frame in frames if frame.event is not None]
    assert [event.content for event in events if isinstance(event, TokenEvent)] == ["echo: ", "hello ", "you "]
    assert [event.seq for event in events] == [1, 2, 3, 4]
    assert isinstance(events[-1], DoneEvent)
    assert (events[-1].provider, events[-1].model, events[-1].finish_reason) == ("puppet", "puppet-1", "stop")
    assert frames[-1].acknowledged_seq == 4, "the end is told when it is stored"
    assert await talk.shown(session_id) == ["hello you", "echo: hello you "]


async def test_events_on_the_wire_are_camel_case(talk: Talk) -> None:
    generation = await talk.chat.send(talk.principal, await talk.session(), "hi")
    first, *_, last = as_client_sees(await read(generation))
    assert first == {"type": "token", "content": "echo: ", "messageId": generation.message_id, "seq": 1}
    assert {"messageId", "usage", "responseTime", "provider", "model", "finishReason", "cost"} <= last.keys()
    assert last["usage"].keys() >= {"promptTokens", "completionTokens", "totalTokens"}


async def test_the_users_message_is_stored_before_the_provider_is_called(talk: Talk) -> None:
    session_id = await talk.session()
    stored: list[list[str]] = []

    async def play(_request: ChatRequest) -> AsyncIterator[Event]:
        stored.append(await talk.shown(session_id))
        yield TextDelta("yes")
        yield end()

    talk.play = play
    await talk.say(session_id, "are you there?")
    assert stored == [["are you there?", ""]]


async def test_the_conversation_is_sent_with_its_prompt_and_settings(talk: Talk) -> None:
    session_id = await talk.session(system_prompt="Be brief.", temperature=0.0, max_tokens=7)
    await talk.say(session_id, "one")
    await talk.say(session_id, "two")
    request = talk.requests[-1]
    assert [(message.role, message.text) for message in request.messages] == [
        ("user", "one"),
        ("assistant", "echo: one "),
        ("user", "two"),
    ]
    assert (request.system_prompt, request.options.temperature, request.options.max_tokens) == ("Be brief.", 0.0, 7)


async def test_only_one_answer_at_a_time_in_a_session(talk: Talk) -> None:
    held = Held()
    talk.play = held.play
    session_id = await talk.session()
    running = await talk.chat.send(talk.principal, session_id, "a")
    await held.begun.wait()
    with pytest.raises(ConflictError) as caught:
        await talk.chat.send(talk.principal, session_id, "b")
    assert caught.value.code == ErrorCode.GENERATION_RUNNING
    other = await talk.chat.send(talk.principal, await talk.session(), "c")
    held.go_on.set()
    await running.wait()
    await other.wait()
    assert await talk.shown(session_id) == ["a", "first second"]


async def test_parallel_sends_leave_one_question(talk: Talk) -> None:
    session_id = await talk.session()
    sends = [talk.chat.send(talk.principal, session_id, f"question {number}") for number in range(10)]
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    begun = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    assert len(begun) == 1
    assert all(isinstance(outcome, ConflictError) for outcome in outcomes if outcome not in begun)
    await begun[0].wait()
    assert len(await talk.shown(session_id)) == 2


async def test_whoever_reads_the_end_can_ask_again_at_once(talk: Talk) -> None:
    session_id = await talk.session()
    for number in range(5):
        generation = await talk.chat.send(talk.principal, session_id, f"{number}")
        async for frame in generation.frames():
            last = frame
        assert isinstance(last.event, DoneEvent)
    assert len(await talk.shown(session_id)) == 10


async def test_the_same_key_and_body_give_the_running_answer_then_the_stored_one(talk: Talk) -> None:
    held = Held()
    talk.play = held.play
    session_id = await talk.session()
    first = await talk.chat.send(talk.principal, session_id, "once", idempotency_key="k")
    await held.begun.wait()
    again = await talk.chat.send(talk.principal, session_id, "once", idempotency_key="k")
    held.go_on.set()
    assert again.message_id == first.message_id
    assert (await again.wait()).text == "first second"
    later = await talk.chat.send(talk.principal, session_id, "once", idempotency_key="k")
    snapshot, done = [frame.event for frame in await read(later)]
    assert isinstance(snapshot, SnapshotEvent)
    assert snapshot.text == "first second"
    assert isinstance(done, DoneEvent)
    assert len(talk.requests) == 1
    assert await talk.shown(session_id) == ["once", "first second"]


async def test_parallel_sends_with_one_key_are_one(talk: Talk) -> None:
    session_id = await talk.session()
    sends = [talk.chat.send(talk.principal, session_id, "once", idempotency_key="k") for _ in range(10)]
    generations = await asyncio.gather(*sends)
    assert len({generation.message_id for generation in generations}) == 1
    assert {(await generation.wait()).text for generation in generations} == {"echo: once "}
    assert len(talk.requests) == 1


async def test_the_same_key_with_another_body_is_a_conflict_and_keys_are_per_session(talk: Talk) -> None:
    session_id = await talk.session()
    await talk.say(session_id, "this", idempotency_key="k")
    with pytest.raises(ConflictError) as caught:
        await talk.chat.send(talk.principal, session_id, "that", idempotency_key="k")
    assert caught.value.code == ErrorCode.IDEMPOTENCY_CONFLICT
    assert (await talk.say(await talk.session(), "that", idempotency_key="k")).text == "echo: that "


async def test_a_stop_keeps_the_text_and_ends_the_request(talk: Talk) -> None:
    held = Held()
    talk.play = held.play
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "long")
    await held.begun.wait()
    assert await talk.chat.cancel(talk.principal, session_id)
    assert held.closed
    last = (await read(generation))[-1].event
    assert isinstance(last, DoneEvent)
    assert last.finish_reason == "cancelled"
    page = await talk.sessions.messages(talk.principal, session_id)
    assert (page.items[-1].content, page.items[-1].status) == ("first ", "cancelled")
    assert not await talk.chat.cancel(talk.principal, session_id), "nothing runs any more"


async def test_a_reader_that_leaves_stops_the_answer_only_where_that_was_asked_for(talk: Talk) -> None:
    for on_disconnect, expected in (("continue", "first second"), ("cancel", "first ")):
        held = Held()
        talk.play = held.play
        session_id = await talk.session()
        generation = await talk.chat.send(talk.principal, session_id, "x", on_disconnect=on_disconnect)
        frames = generation.frames()
        await anext(frames)
        await held.begun.wait()
        await frames.aclose()
        held.go_on.set()
        assert (await generation.wait()).text == expected


async def test_a_caller_that_stops_waiting_has_left(talk: Talk) -> None:
    held = Held()
    talk.play = held.play
    generation = await talk.chat.send(talk.principal, await talk.session(), "x", on_disconnect="cancel")
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await generation.wait()

    waiting = asyncio.create_task(wait())
    await started.wait()
    await held.begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await generation.wait()).finish_reason == "cancelled"


async def test_an_answer_that_fails_keeps_what_came_and_says_why(talk: Talk) -> None:
    async def play(_request: ChatRequest) -> AsyncIterator[Event]:
        yield TextDelta("half ")
        raise RateLimitError("slow down", retry_after=3.0)

    talk.play = play
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "x")
    last = (await read(generation))[-1].event
    assert isinstance(last, ErrorEvent)
    assert (last.code, last.message, last.retry_after, last.partial) == ("provider_rate_limited", "slow down", 3.0, "half ")
    with pytest.raises(RateLimitError):
        await generation.wait()
    again = await talk.chat.follow(talk.principal, session_id)
    assert (await read(again))[-1].event == last, "whoever comes later is told the same"
    page = await talk.sessions.messages(talk.principal, session_id)
    assert (page.items[-1].status, page.items[-1].content) == ("failed", "half ")


async def test_what_is_wrong_before_the_provider_is_called_is_raised_and_nothing_is_stored(talk: Talk) -> None:
    session_id = await talk.session()
    with pytest.raises(UnknownProviderError):
        await talk.chat.send(talk.principal, session_id, "x", provider="pupet/x")
    for text in ("", "   ", "a\0b", "\ud800"):
        with pytest.raises(InvalidRequestError):
            await talk.chat.send(talk.principal, session_id, text)
    with pytest.raises(NotFoundError):
        await talk.chat.send(talk.principal, session_id, "x", attachments=[new_id()])
    assert await talk.shown(session_id) == []
    assert talk.requests == []
    assert (await talk.say(session_id, "fine")).text == "echo: fine "


async def test_a_strangers_session_is_not_there(talk: Talk) -> None:
    session_id = await talk.session()
    answer = await talk.say(session_id, "mine")
    eve = talk.stranger
    attempts = [
        lambda: talk.chat.send(eve, session_id, "x"),
        lambda: talk.chat.cancel(eve, session_id),
        lambda: talk.chat.follow(eve, session_id),
        lambda: talk.chat.follow(eve, session_id, message_id=answer.id),
        lambda: talk.chat.regenerate(eve, answer.id),
        lambda: talk.chat.edit(eve, answer.parent_id or "", "x"),
        lambda: talk.sessions.get(eve, session_id),
        lambda: talk.sessions.messages(eve, session_id),
        lambda: talk.sessions.stats(eve, session_id),
        lambda: talk.sessions.clear_context(eve, session_id),
        lambda: talk.sessions.delete(eve, session_id),
        lambda: talk.exports.export(eve, session_id),
        lambda: talk.summaries.summarize(eve, session_id),
    ]
    for attempt in attempts:
        with pytest.raises(NotFoundError):
            await attempt()
    assert (await talk.sessions.list(eve)).items == []


async def test_a_message_of_another_session_is_not_in_this_one(talk: Talk) -> None:
    answer = await talk.say(await talk.session(), "here")
    with pytest.raises(NotFoundError):
        await talk.chat.follow(talk.principal, await talk.session(), message_id=answer.id)


async def test_another_answer_is_a_branch(talk: Talk) -> None:
    session_id = await talk.session()
    first = await talk.say(session_id, "question")
    talk.play = sequence(TextDelta("other"), end())
    generation = await talk.chat.regenerate(talk.principal, first.id)
    second = await generation.wait()
    assert await talk.shown(session_id) == ["question", "other"]
    page = await talk.sessions.messages(talk.principal, session_id)
    assert page.items[-1].siblings == [first.id, second.id]
    assert [message.text for message in talk.requests[-1].messages] == ["question"]


async def test_an_edit_is_a_branch_and_the_old_one_can_be_shown_again(talk: Talk) -> None:
    session_id = await talk.session()
    first = await talk.say(session_id, "one")
    await talk.say(session_id, "two")
    edited = await talk.chat.edit(talk.principal, first.parent_id or "", "uno")
    await edited.wait()
    assert await talk.shown(session_id) == ["uno", "echo: uno "]
    assert [message.text for message in talk.requests[-1].messages] == ["uno"]
    from parley.services.sessions import SessionChanges

    await talk.sessions.update(talk.principal, session_id, SessionChanges(shown_message_id=first.id))
    assert await talk.shown(session_id) == ["one", "echo: one ", "two", "echo: two "]


async def test_a_later_message_is_edited_with_what_stands_before_it(talk: Talk) -> None:
    session_id = await talk.session()
    await talk.say(session_id, "one")
    second = await talk.say(session_id, "two")
    generation = await talk.chat.edit(talk.principal, second.parent_id or "", "zwei")
    await generation.wait()
    assert [message.text for message in talk.requests[-1].messages] == ["one", "echo: one ", "zwei"]
    with pytest.raises(InvalidRequestError):
        await talk.chat.edit(talk.principal, generation.message_id, "an answer is not mine to edit")


async def test_another_provider_for_one_message(talk: Talk) -> None:
    session_id = await talk.session()
    answer = await talk.say(session_id, "hi", provider="demo")
    assert answer.provider == "demo"
    assert (await talk.say(session_id, "hi")).provider == "puppet"


async def attach(talk: Talk, media_type: str, data: bytes, name: str = "a file") -> str:
    attachment = AttachmentRecord(
        id=new_id(), user_id=talk.principal.user_id, name=name, media_type=media_type, size=len(data), sha256="-", created_at=1
    )
    await talk.attachments.add(attachment, data)
    return attachment.id


async def test_attachments_are_sent_with_their_bytes_and_shown_by_their_id(talk: Talk) -> None:
    session_id = await talk.session()
    image = await attach(talk, "image/png", b"PNG")
    text = await attach(talk, "text/plain", "ä note".encode(), "note.txt")
    await talk.say(session_id, "look", attachments=[image, text])
    content = talk.requests[-1].messages[0].content
    assert content == [
        TextPart(text="look"),
        ImagePart(media_type="image/png", data=base64.b64encode(b"PNG").decode()),
        TextPart(text="The attached file note.txt:\n\nä note"),
    ]
    question = (await talk.sessions.messages(talk.principal, session_id)).items[0]
    assert [getattr(part, "attachment_id", None) for part in question.parts] == [None, image, text]
    await talk.attachments.remove(talk.principal.user_id, image)
    assert (await talk.say(session_id, "again")).finish_reason == "stop", "a deleted attachment does not end the conversation"


async def test_an_image_for_a_model_that_sees_none_is_refused_before_anything_is_stored(talk: Talk) -> None:
    session_id = await talk.session(provider="puppet", model="blind")
    image = await attach(talk, "image/png", b"PNG")
    with pytest.raises(UnsupportedFeatureError):
        await talk.chat.send(talk.principal, session_id, "look", attachments=[image])
    assert await talk.shown(session_id) == []


async def test_a_strangers_attachment_is_not_there(talk: Talk) -> None:
    image = await attach(talk, "image/png", b"PNG")
    from parley.services.sessions import NewSession

    session = await talk.sessions.create(talk.stranger, NewSession())
    with pytest.raises(NotFoundError):
        await talk.chat.send(talk.stranger, session.id, "look", attachments=[image])


async def test_a_tool_call_that_nobody_answers_does_not_end_the_conversation(talk: Talk) -> None:
    call = ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}')
    talk.play = sequence(
        ReasoningDelta("hm"),
        TextDelta("calling"),
        ToolCallStarted(index=0, id="c1", name="weather"),
        ToolCallEnded(index=0, call=call),
        end("tool_calls"),
    )
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "weather?")
    tools = [event for event in as_client_sees(await read(generation)) if event["type"] == "tool"]
    assert [(event["status"], event["call"]["arguments"]) for event in tools] == [("started", ""), ("called", '{"city":"Rome"}')]
    await talk.say(session_id, "never mind")
    assert [type(part) for part in talk.requests[-1].messages[1].parts if isinstance(part, ToolCall)] == []


async def test_simple_gives_the_question_with_its_answer(talk: Talk) -> None:
    exchange = await talk.chat.simple(talk.principal, await talk.session(), "hi")
    assert (exchange.user_message.content, exchange.assistant_message.content) == ("hi", "echo: hi ")
    metadata = exchange.assistant_message.metadata
    assert metadata is not None
    assert metadata.usage is not None
    assert metadata.usage.total_tokens > 0


async def test_a_fault_of_the_server_ends_the_answer_and_not_the_session(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_self: Translation, _event: Event) -> None:
        raise RuntimeError("a fault of ours")

    session_id = await talk.session()
    with monkeypatch.context() as patched:
        patched.setattr(Translation, "translate", break_down)
        last = (await read(await talk.chat.send(talk.principal, session_id, "x")))[-1].event
    assert isinstance(last, ErrorEvent)
    assert "a fault of ours" not in last.message
    again = await read(await talk.chat.send(talk.principal, session_id, "y"))
    assert isinstance(again[-1].event, DoneEvent)
