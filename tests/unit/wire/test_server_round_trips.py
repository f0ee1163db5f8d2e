"""Any reply that a wire can tell comes back from our own writing of it as it was; any order of events keeps text, thought and calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct, structs

from parley.contract.codec import Codec
from parley.contract.events import (
    Event,
    ReasoningDelta,
    ReasoningEnded,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
)
from parley.contract.messages import Part, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse
from parley.contract.usage import Usage, UsageReport
from parley.guard.fold import Fold, reply_events
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.anthropic_messages_server_reply import encode_message
from parley.wire.anthropic_messages_server_stream import MessageWriter
from parley.wire.openai_responses import OpenAIResponses
from parley.wire.openai_responses_server_reply import Frame, encode_response
from parley.wire.openai_responses_server_stream import ResponseWriter

from .round_trip import Read, Writes, compact, read_reply, streamed, whole_head

FRAME = Frame(echo={}, created=7, seed="seed")
# Half of a surrogate pair is no text that JSON in UTF-8 can hold.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
words = st.text("abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=8)
objects = st.dictionaries(words, st.integers() | texts | st.none(), max_size=3)
counts = st.integers(0, 10_000)


class Wire(Struct, frozen=True):
    codec: Codec
    whole: Callable[[ChatResponse], bytes]
    writer: Callable[[], Writes]
    parts: st.SearchStrategy[list[Part]]
    reasons: tuple[tuple[Any, str], ...]


def own(wire: str, data: Any) -> ProviderData:
    return ProviderData(wire=wire, provider="acme", data=data)


def calls(wire: str, *, ids: st.SearchStrategy[dict[str, str]]) -> st.SearchStrategy[Part]:
    return st.builds(
        lambda call_id, name, arguments, more: ToolCall(
            id=f"c{call_id}",
            name=name,
            arguments=json.dumps(arguments, separators=(",", ":"), ensure_ascii=False),
            provider_data=own(wire, more) if more else None,
        ),
        st.uuids(),
        words,
        objects,
        ids,
    )


def told_apart(parts: list[Part]) -> list[Part]:
    """Two text blocks in a row stay two by what the first one's end says."""
    wire = "anthropic_messages"
    return [
        structs.replace(part, provider_data=own(wire, {}))
        if isinstance(part, TextPart) and part.provider_data is None and isinstance(after, TextPart) and after.text
        else part
        for part, after in zip(parts, [*parts[1:], None], strict=False)
    ]


def anthropic_parts() -> st.SearchStrategy[list[Part]]:
    wire = "anthropic_messages"
    cited = st.lists(st.fixed_dictionaries({"type": st.just("char_location"), "cited_text": texts}), min_size=1, max_size=2)
    plain = st.builds(lambda text: TextPart(text=text), texts)
    sourced = st.builds(lambda text, found: TextPart(text=text, provider_data=own(wire, {"citations": found})), texts, cited)
    signed = st.builds(lambda t, s: ReasoningPart(text=t, signature=s, provider_data=own(wire, {"kind": "thinking"})), texts, words)
    hidden = st.builds(lambda data: ReasoningPart(redacted=data, provider_data=own(wire, {"kind": "redacted_thinking"})), words)
    block = st.fixed_dictionaries({"type": st.just("web_search_tool_result"), "tool_use_id": words, "content": st.lists(objects)})
    hosted = st.builds(lambda found: TextPart(text="", provider_data=own(wire, {"block": found})), block)
    fields = st.just({}) | st.builds(lambda caller: {"fields": {"caller": {"type": caller}}}, words)
    return st.lists(plain | sourced | signed | hidden | hosted | calls(wire, ids=fields), max_size=6).map(told_apart)


def responses_parts() -> st.SearchStrategy[list[Part]]:
    wire = "openai_responses"
    number = st.uuids()
    said = st.builds(lambda text, i: TextPart(text=text, provider_data=own(wire, {"id": f"msg_{i}"})), texts, number)
    item = st.builds(
        lambda i, text, secret: {
            "id": f"rs_{i}",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text}] if text else [],
            "encrypted_content": secret,
        },
        number,
        st.just("") | texts,
        words,
    )
    thought = item.map(
        lambda raw: ReasoningPart(
            text=raw["summary"][0]["text"] if raw["summary"] else "",
            redacted=None if raw["summary"] else raw["encrypted_content"],
            provider_data=own(wire, {"item": raw}),
        )
    )
    hosted = st.builds(
        lambda i, status: TextPart(
            text="", provider_data=own(wire, {"item": {"id": f"ws_{i}", "type": "web_search_call", "status": status}})
        ),
        number,
        words,
    )
    ids = st.builds(lambda i: {"id": f"fc_{i}"}, number)
    return st.lists(said | thought | hosted | calls(wire, ids=ids), max_size=6)


WIRES = {
    "messages": Wire(
        codec=AnthropicMessages(),
        whole=encode_message,
        writer=lambda: MessageWriter(reply_id="made-up", model="asked-for"),
        parts=anthropic_parts(),
        reasons=(("stop", "end_turn"), ("stop", "stop_sequence"), ("length", "max_tokens"), ("stop", "pause_turn")),
    ),
    "responses": Wire(
        codec=OpenAIResponses(),
        whole=lambda reply: encode_response(reply, FRAME),
        writer=lambda: ResponseWriter(FRAME, reply_id="made-up", model="asked-for"),
        parts=responses_parts(),
        reasons=(("stop", "completed"), ("length", "max_output_tokens"), ("content_filter", "content_filter")),
    ),
}


@st.composite
def replies(draw: Any, wire: Wire) -> ChatResponse:
    parts = draw(wire.parts)
    reason, raw = draw(st.sampled_from(wire.reasons))
    if any(isinstance(part, ToolCall) for part in parts) and reason == "stop":
        reason, raw = "tool_calls", {"messages": "tool_use"}.get(next(n for n, w in WIRES.items() if w is wire), "completed")
    prompt, completion, cached, written, thought = (draw(counts) for _ in range(5))
    usage = Usage(
        prompt_tokens=prompt + cached + written,
        completion_tokens=completion + thought,
        total_tokens=prompt + cached + written + completion + thought,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thought,
    )
    return ChatResponse(parts=parts, usage=usage, id="r1", model="m1", finish_reason=reason, raw_finish_reason=raw)


def as_read(reply: ChatResponse) -> Read:
    events = [ResponseStarted(id=reply.id, model=reply.model), *reply_events(reply), ResponseFinished(response=reply)]
    counts = {name: getattr(reply.usage, name) for name in UsageReport.__struct_fields__}
    return Read(events=events, reply=reply, report=UsageReport(**counts))


def told(read: Read) -> dict[str, Any]:
    """Sources are compared with their parts, and the total is the sum where a wire has none."""
    told = read.told(exact_arguments=False)
    del told["citations"]
    told["usage"] = structs.replace(read.report, total_tokens=read.reply.usage.total_tokens)
    return told


@pytest.mark.parametrize("name", WIRES)
@given(data=st.data())
def test_any_reply_comes_back_as_it_was(name: str, data: st.DataObject) -> None:
    wire = WIRES[name]
    read = as_read(data.draw(replies(wire)))
    for body in (wire.whole(read.reply), streamed(wire.writer(), read)):
        assert told(read_reply(wire.codec, body, whole_head("acme"))) == told(read)


@st.composite
def conversations(draw: Any) -> list[Event]:
    """Text, thought and the pieces of several tool calls, in any order in which events may come."""
    events: list[Event] = []
    waiting: dict[int, tuple[ToolCall, list[str]]] = {}
    for _ in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["text", "thought", "thought ends", "call begins", "call goes on"]))
        if kind == "text":
            events.append(TextDelta(draw(texts)))
        elif kind == "thought":
            events.append(ReasoningDelta(draw(texts)))
        elif kind == "thought ends":
            events.append(ReasoningEnded())
        elif kind == "call begins":
            index = len(waiting)
            arguments = json.dumps(draw(objects))
            cut = draw(st.integers(1, len(arguments)))
            call = ToolCall(id=f"call_{index}", name=draw(words), arguments=arguments)
            waiting[index] = (call, [piece for piece in (arguments[:cut], arguments[cut:]) if piece])
            events.append(ToolCallStarted(index=index, id=call.id, name=call.name))
        elif waiting:
            _go_on(events, waiting, draw(st.sampled_from(sorted(waiting))))
    for index in waiting:
        while waiting[index][1]:
            _go_on(events, waiting, index)
        events.append(ToolCallEnded(index=index, call=waiting[index][0]))
    return events


def _go_on(events: list[Event], waiting: dict[int, tuple[ToolCall, list[str]]], index: int) -> None:
    pieces = waiting[index][1]
    if pieces:
        events.append(ToolCallDelta(index=index, arguments=pieces.pop(0)))


@pytest.mark.parametrize("name", WIRES)
@given(events=conversations())
def test_any_order_of_events_is_a_whole_stream(name: str, events: list[Event]) -> None:
    wire = WIRES[name]
    fold = Fold()
    fold.add(events)
    reply = ChatResponse(parts=fold.parts(), id="r1", model="m1", finish_reason="stop")
    body = streamed(wire.writer(), Read(events=[*events, ResponseFinished(response=reply)], reply=reply, report=UsageReport()))
    again = read_reply(wire.codec, body, whole_head("acme")).reply
    assert again.text == reply.text
    assert again.reasoning == reply.reasoning
    assert [compact(call) for call in bare(again)] == [compact(call) for call in bare(reply)]


def bare(reply: ChatResponse) -> list[Part]:
    return [structs.replace(call, provider_data=None) for call in reply.tool_calls]
