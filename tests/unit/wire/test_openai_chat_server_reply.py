from __future__ import annotations

import json
from typing import Any

import pytest

from parley.contract.errors import ErrorCode, InvalidRequestError, ParleyError, RateLimitError, ServerError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import Usage, UsageReport
from parley.wire.call_state import CallState, call_states
from parley.wire.openai_chat import OpenAIChat
from parley.wire.openai_chat_server import decode_request
from parley.wire.openai_chat_server_reply import ChunkWriter, encode_completion, encode_error, encode_error_event

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
USAGE = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5, cached_tokens=1, reasoning_tokens=1)
SIGNED = ReasoningPart(text="hm", signature="s1", provider_data=ProviderData(wire="anthropic_messages", provider="acme", data={}))
CALL = ToolCall(id="c1", name="weather", arguments='{"city":"Bonn"}')


def reply_of(*parts: Any, **fields: Any) -> ChatResponse:
    return ChatResponse(parts=list(parts), id="r1", model="m1", usage=USAGE, finish_reason=fields.pop("finish_reason", "stop"), **fields)


def chunks_of(*batches: list[Event], **options: Any) -> list[Any]:
    """What a client reads; the end mark as it is."""
    writer = ChunkWriter(reply_id="made-up", model="asked-for", created=7, **options)
    text = b"".join(writer.write(batch) for batch in batches).decode()
    assert text.endswith("\n\n")
    lines = text[:-2].split("\n\n")
    assert all(line.startswith("data: ") for line in lines)
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


def deltas_of(*events: Event, **options: Any) -> list[dict[str, Any]]:
    read = chunks_of([ResponseStarted(id="r1", model="m1"), *events], **options)
    return [chunk["choices"][0]["delta"] for chunk in read if chunk != "[DONE]" and chunk["choices"]]


def document_of(response: ChatResponse, **options: Any) -> dict[str, Any]:
    return json.loads(encode_completion(response, created=7, **options))


def test_a_whole_reply() -> None:
    assert document_of(reply_of(TextPart(text="Hello"), cost=0.5)) == {
        "id": "r1",
        "object": "chat.completion",
        "created": 7,
        "model": "m1",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": None}, "logprobs": None, "finish_reason": "stop"}
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 2,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 1},
            "completion_tokens_details": {"reasoning_tokens": 1},
            "cost": 0.5,
        },
    }


def test_what_is_unknown_is_not_said() -> None:
    usage = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5, source="estimated")
    assert document_of(ChatResponse(usage=usage))["usage"] == {
        "prompt_tokens": 3,
        "completion_tokens": 2,
        "total_tokens": 5,
        "source": "estimated",
    }


def test_a_reply_with_everything_in_it() -> None:
    reply = reply_of(
        ReasoningPart(text="hm"),
        TextPart(text="See"),
        ImagePart(media_type="image/png", data="AAAA"),
        CALL,
        citations=[Citation(url="https://a.example", start_index=0, end_index=3), Citation(title="a book")],
        finish_reason="tool_calls",
    )
    message = document_of(reply)["choices"][0]["message"]
    assert message == {
        "role": "assistant",
        "content": "See",
        "refusal": None,
        "reasoning_content": "hm",
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}}],
        "annotations": [
            {
                "type": "url_citation",
                "url_citation": {"url": "https://a.example", "title": "https://a.example", "start_index": 0, "end_index": 3},
            }
        ],
        "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    }


@pytest.mark.parametrize(
    ("reply", "content"),
    [(reply_of(CALL), None), (reply_of(refusal="No."), None), (reply_of(), "")],
)
def test_content_is_null_only_where_something_else_is_there(reply: ChatResponse, content: Any) -> None:
    assert document_of(reply)["choices"][0]["message"]["content"] == content


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("stop", "stop"), ("length", "length"), ("content_filter", "content_filter"), ("interrupted", "length"), ("unknown", "stop")],
)
def test_finish_reasons_are_of_the_wires_vocabulary(ours: Any, theirs: str) -> None:
    assert document_of(reply_of(TextPart(text="x"), finish_reason=ours))["choices"][0]["finish_reason"] == theirs


def test_a_stream() -> None:
    read = chunks_of(
        [WarningRaised(warning=ResponseWarning(code="a", message="early")), ResponseStarted(id="r1", model="m1"), TextDelta("Hel")],
        [TextDelta(""), TextDelta('lo "\n'), UsageReported(usage=UsageReport(prompt_tokens=3))],
        [ResponseFinished(response=reply_of(TextPart(text="Hello"), cost=0.5))],
        include_usage=True,
    )
    head = {"id": "r1", "object": "chat.completion.chunk", "created": 7, "model": "m1"}
    deltas = [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": 'lo "\n'}]
    assert read[:3] == [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}], "usage": None} for delta in deltas]
    assert read[3] == {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None}
    assert read[4]["choices"] == []
    assert read[4]["usage"]["total_tokens"] == 5
    assert read[4]["usage"]["cost"] == 0.5
    assert read[5:] == ["[DONE]"]


def test_without_being_asked_a_stream_has_no_usage() -> None:
    read = chunks_of([TextDelta("a"), ResponseFinished(response=reply_of(TextPart(text="a")))])
    assert all("usage" not in chunk for chunk in read[:-1])
    assert read[0]["id"] == "made-up"
    assert read[0]["model"] == "asked-for"


def test_a_late_warning_stands_in_the_last_chunk() -> None:
    late = WarningRaised(warning=ResponseWarning(code="invalid_event", message="skipped"))
    read = chunks_of([TextDelta("a")], [late], [ResponseFinished(response=reply_of())])
    assert read[-2]["warnings"] == [{"code": "invalid_event", "message": "skipped"}]


def test_an_answer_of_nothing_is_a_whole_stream() -> None:
    assert deltas_of(ResponseFinished(response=reply_of())) == [{"role": "assistant", "content": ""}, {}]


def test_everything_but_text_in_a_stream() -> None:
    deltas = deltas_of(
        ReasoningDelta("hm"),
        ReasoningEnded(signature="s1"),
        ToolCallStarted(index=0, id="c1", name="weather"),
        ToolCallDelta(index=0, arguments='{"city":'),
        ToolCallDelta(index=0, arguments='"Bonn"}'),
        ToolCallStarted(index=1, id="c2", name="now"),
        ToolCallEnded(index=0, call=CALL),
        ToolCallEnded(index=1, call=ToolCall(id="c2", name="now")),
        RefusalDelta("No"),
        CitationAdded(citation=Citation(url="https://a.example", title="A")),
        CitationAdded(citation=Citation(title="a book")),
        PartAdded(part=ImagePart(url="https://a.example/i.png")),
        ResponseFinished(response=reply_of(SIGNED, CALL, ToolCall(id="c2", name="now"), finish_reason="tool_calls")),
    )
    state = {"parley": {"reasoning": [json.loads(json.dumps({"type": "reasoning", "text": "hm", "signature": "s1", "provider_data": {
        "wire": "anthropic_messages", "provider": "acme", "data": {}}}))]}}  # fmt: skip
    assert deltas[1:] == [
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "weather", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"Bonn"}'}}]},
        {"tool_calls": [{"index": 1, "id": "c2", "type": "function", "function": {"name": "now", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{}"}}]},
        {"refusal": "No"},
        {
            "annotations": [
                {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 0}}
            ]
        },
        {"images": [{"type": "image_url", "image_url": {"url": "https://a.example/i.png"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ""}, "extra_content": state}]},
        {},
    ]


def test_functions_of_the_older_spelling_are_answered_in_it() -> None:
    finished = ResponseFinished(response=reply_of(CALL, finish_reason="tool_calls"))
    events = [ToolCallStarted(index=0, id="c1", name="weather"), ToolCallDelta(index=0, arguments="{}"), finished]
    assert deltas_of(*events, legacy_functions=True)[1:] == [
        {"function_call": {"name": "weather", "arguments": ""}},
        {"function_call": {"arguments": "{}"}},
        {},
    ]
    choice = document_of(finished.response, legacy_functions=True)["choices"][0]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"]["function_call"] == {"name": "weather", "arguments": '{"city":"Bonn"}'}
    assert "tool_calls" not in choice["message"]


EVENTS: list[Event] = [
    ResponseStarted(id="r1", model="m1"),
    ReasoningDelta("h"),
    ReasoningDelta("m"),
    TextDelta("Hel"),
    TextDelta("lo"),
    CitationAdded(citation=Citation(url="https://a.example", title="A", start_index=1, end_index=2)),
    ToolCallStarted(index=0, id="c1", name="weather"),
    ToolCallDelta(index=0, arguments='{"city":"Bonn"}'),
    ToolCallEnded(index=0, call=CALL),
]


def test_our_own_decoder_reads_the_stream_back() -> None:
    reply = reply_of(ReasoningPart(text="hm"), TextPart(text="Hello"), CALL, finish_reason="tool_calls")
    writer = ChunkWriter(reply_id="", model="", created=7, include_usage=True)
    head = ResponseHead(status=200, headers={"content-type": "text/event-stream"}, provider="parley")
    decoder = OpenAIChat().decoder(REQUEST, head)
    read = decoder.feed(writer.write(EVENTS) + writer.write([ResponseFinished(response=reply)])) + decoder.close()
    usage = UsageReport(prompt_tokens=3, completion_tokens=2, total_tokens=5, cached_tokens=1, reasoning_tokens=1)
    assert UsageReported(usage=usage) in read
    assert [event for event in read if not isinstance(event, (ReasoningEnded, UsageReported))][:-1] == EVENTS
    assert isinstance(read[-1], ResponseFinished)
    assert read[-1].response.finish_reason == "tool_calls"


def test_our_own_decoder_reads_the_whole_reply_back() -> None:
    reply = reply_of(ReasoningPart(text="hm"), TextPart(text="Hello"), CALL, finish_reason="tool_calls")
    decoder = OpenAIChat().decoder(REQUEST, ResponseHead(status=200, headers={"content-type": "application/json"}, provider="parley"))
    read = decoder.feed(encode_completion(reply, created=7)) + decoder.close()
    assert [event for event in read if isinstance(event, (ReasoningDelta, TextDelta, ToolCallEnded))] == [
        ReasoningDelta("hm"),
        TextDelta("Hello"),
        ToolCallEnded(index=0, call=CALL),
    ]


def test_signatures_come_back_with_the_tool_call() -> None:
    signed_call = ToolCall(id="c2", name="now", provider_data=ProviderData(wire="gemini_generate", provider="g", data={"signature": "x"}))
    message = document_of(reply_of(SIGNED, TextPart(text="See"), CALL, signed_call))["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call, "content": "dry"} for call in ("c1", "c2")]
    call = decode_request(json.dumps({"model": "m", "messages": [{"role": "user", "content": "?"}, message, *results]}).encode())
    assert call.request.messages[1:] == [
        Message(role="assistant", content=[SIGNED, TextPart(text="See"), CALL, signed_call]),
        Message(role="tool", content=[ToolResult(tool_call_id="c1", content="dry")]),
        Message(role="tool", content=[ToolResult(tool_call_id="c2", content="dry")]),
    ]
    assert call.warnings == []


def test_signatures_that_a_client_dropped_are_recalled() -> None:
    states = {"c1": call_states([SIGNED, CALL])[0]}
    message = {"role": "assistant", "tool_calls": [{"id": "c1", "function": {"name": "weather", "arguments": CALL.arguments}}]}
    body = json.dumps({"model": "m", "messages": [message]}).encode()
    assert decode_request(body, recall=states.get).request.messages[0].parts == [SIGNED, CALL]
    assert decode_request(body).request.messages[0].parts == [CALL]


@pytest.mark.parametrize("content", [{"parley": 3}, {"parley": {"reasoning": [{"type": "text", "text": "x"}]}}, {"parley": {"more": 1}}])
def test_a_broken_signature_is_refused(content: Any) -> None:
    call = {"id": "c1", "function": {"name": "weather"}, "extra_content": content}
    with pytest.raises(InvalidRequestError, match=r"messages\[0\].tool_calls\[0\].extra_content"):
        decode_request(json.dumps({"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}).encode())


def test_another_services_signature_is_left_out_and_named() -> None:
    call = {"id": "c1", "function": {"name": "weather"}, "extra_content": {"google": {"thought_signature": "x"}}}
    read = decode_request(json.dumps({"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}).encode())
    assert read.request.messages[0].parts == [ToolCall(id="c1", name="weather")]
    assert "extra_content" in read.warnings[0].message


def test_unsigned_thought_is_not_carried() -> None:
    assert call_states([ReasoningPart(text="hm"), CALL]) == {}
    assert call_states([CALL, SIGNED, ToolCall(id="c2", name="now")]) == {1: CallState(reasoning=[SIGNED])}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequestError("bad"), "invalid_request_error"),
        (RateLimitError("slow down"), "rate_limit_error"),
        (ServerError("broken"), "api_error"),
        (ParleyError("who?", code=ErrorCode.UNAUTHENTICATED), "authentication_error"),
    ],
)
def test_errors_have_the_vendors_shape(error: ParleyError, kind: str) -> None:
    assert json.loads(encode_error(error, message=error.message, param="a.b")) == {
        "error": {"message": error.message, "type": kind, "param": "a.b", "code": str(error.code)}
    }


def test_an_error_in_a_stream_says_when_to_come_back() -> None:
    event = encode_error_event(RateLimitError("slow down", retry_after=3), message="slow down")
    assert event.endswith(b"\n\n")
    assert json.loads(event.removeprefix(b"data: "))["error"]["retry_after"] == 3
