from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import json

from parley.contract.events import Event, PartAdded, ReasoningDelta, ReasoningEnded, TextDelta, ToolCallEnded, ToolCallStarted
from parley.contract.messages import ImagePart, ProviderData, ToolCall
from parley.services.events import LoggedEvent, RestartEvent, ShownText, ShownToolCall, TokenEvent, ToolEvent
from parley.services.folding import MessageFold, fold_log
from parley.storage.database import Database

from .talking import Talk, as_client_sees, end, read, sequence

DATA = ProviderData(wire="w", provider="puppet", data={"signature": "s"})


def token(content: str, seq: int) -> TokenEvent:
    return TokenEvent(content=content, message_id="m", seq=seq)


def tool(status: Any, call_id: str, seq: int) -> ToolEvent:
    return ToolEvent(call=ShownToolCall(id=call_id, name="n", arguments="{}"), status=status, message_id="m", seq=seq)


def folded(*events: LoggedEvent) -> list[Any]:
    fold = MessageFold()
    for event in events:
        fold.add(event)
    return fold.parts()


def test_half_a_tool_call_is_left_out_and_the_text_around_it_joins() -> None:
    assert folded(token("a", 1), tool("started", "c", 2), token("b", 3)) == [ShownText(text="ab")]


def test_a_tool_call_stands_where_it_began() -> None:
    parts = folded(tool("started", "c", 1), token("text", 2), tool("called", "c", 3), tool("called", "d", 4))
    assert [getattr(part, "id", "text") for part in parts] == ["c", "text", "d"]


def test_two_calls_under_one_id_are_two() -> None:
    assert len(folded(tool("started", "c", 1), tool("called", "c", 2), tool("started", "c", 3), tool("called", "c", 4))) == 2


def test_a_restart_makes_what_came_before_void() -> None:
    assert folded(token("old", 1), RestartEvent(reason="r", message_id="m", seq=2), token("new", 3)) == [ShownText(text="new")]


def test_a_log_ends_at_a_gap() -> None:
    stretches = [json.encode([token("a", 1), token("b", 2)]), json.encode([token("d", 4)])]
    fold, seq = fold_log(stretches)
    assert (fold.parts(), seq) == ([ShownText(text="ab")], 2)
    assert fold_log([])[1] == 0


def as_browser_folds(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a client makes of the events it was sent, written down independently of the server's own fold."""
    parts: list[dict[str, Any]] = []
    for event in events:
        kind = {"token": "text", "reasoning": "reasoning"}.get(event["type"])
        if kind is not None and parts and parts[-1]["type"] == kind:
            parts[-1]["text"] += event["content"]
        elif kind is not None:
            parts.append({"type": kind, "text": event["content"]})
        elif event["type"] == "tool" and event["status"] == "started":
            parts.append(event["call"] | {"type": "tool_call"})
        elif event["type"] == "tool":
            [place] = [place for place, part in enumerate(parts) if part["type"] == "tool_call" and part["id"] == event["call"]["id"]]
            parts[place] = event["call"] | {"type": "tool_call"}
        elif event["type"] == "part":
            parts.append(event["part"])
    return parts


texts = st.text(st.characters(codec="utf-8"), max_size=6)
pieces = st.one_of(
    texts.map(lambda text: [TextDelta(text)]),
    texts.map(lambda text: [TextDelta(text, DATA)]),
    texts.map(lambda text: [ReasoningDelta(text)]),
    texts.map(lambda text: [ReasoningDelta(text), ReasoningEnded(signature="s")]),
    st.just([ReasoningEnded(redacted="r")]),
    st.just([PartAdded(part=ImagePart(media_type="image/png", data="aGk="))]),
    st.just(["call"]),
)


def numbered(groups: list[list[Any]]) -> list[Event]:
    """Each call with an index and an id of its own."""
    events: list[Event] = []
    calls = 0
    for group in groups:
        if group == ["call"]:
            call = ToolCall(id=f"c{calls}", name="n", arguments='{"x":1}')
            events += [ToolCallStarted(index=calls, id=call.id, name="n"), ToolCallEnded(index=calls, call=call)]
            calls += 1
        else:
            events += group
    return events


@pytest.fixture
async def talk(database: Database, tmp_path: Path) -> AsyncIterator[Talk]:
    async with Talk(database, tmp_path) as talk:
        yield talk


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(pieces, max_size=8).map(numbered))
async def test_what_a_client_folds_is_what_is_stored(talk: Talk, events: list[Event]) -> None:
    talk.play = sequence(*events, end())
    session_id = await talk.session()
    generation = await talk.chat.send(talk.principal, session_id, "x")
    sent = as_client_sees(await read(generation))
    assert [event["seq"] for event in sent] == list(range(1, len(sent) + 1))
    if sent[-1]["type"] == "error":
        return
    page = await talk.sessions.messages(talk.principal, session_id)
    stored = json.decode(json.encode(page.items[-1]))
    assert as_browser_folds(sent) == stored["parts"]
    snapshot = as_client_sees(await read(await talk.chat.follow(talk.principal, session_id)))[0]
    assert snapshot["parts"] == stored["parts"]
    assert snapshot["text"] == stored["content"]


def test_what_a_newer_version_wrote_is_a_gap_and_no_failure() -> None:
    known = json.encode([token("a", 1), token("b", 2)])
    newer = b'[{"type":"hologram","messageId":"m","seq":3}]'
    fold, seq = fold_log([known, newer, json.encode([token("d", 4)])])
    assert (fold.content(), seq) == ("ab", 2)
