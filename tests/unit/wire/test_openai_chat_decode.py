from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import (
    AuthenticationError,
    ContentFilterError,
    ParleyError,
    ProtocolError,
    ProviderError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    StreamTruncatedError,
)
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
    ToolCallEnded,
    UsageReported,
    WarningRaised,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData
from parley.contract.options import Options, SchemaFormat
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation
from parley.wire.openai_chat import OpenAIChat

HEAD = ResponseHead(status=200, headers={"content-type": "text/event-stream", "x-request-id": "req_1"}, provider="acme", model="m")
STOP = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


def decode(body: bytes, *, options: Options | None = None, head: ResponseHead = HEAD) -> list[Event]:
    request = ChatRequest(messages=[Message(role="user", content="Hi")], options=options or Options())
    decoder = OpenAIChat().decoder(request, head)
    return decoder.feed(body) + decoder.close()


def sse(*chunks: dict[str, Any] | str) -> bytes:
    return b"".join(b"data: " + (chunk if isinstance(chunk, str) else json.dumps(chunk)).encode() + b"\n\n" for chunk in chunks)


def stream(*deltas: dict[str, Any], options: Options | None = None, finish: str | None = "stop") -> list[Event]:
    chunks = [{"id": "r1", "model": "m1", "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return decode(sse(*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}, "[DONE]"), options=options)


def whole(message: dict[str, Any], *, finish: str | None = "stop", **more: Any) -> list[Event]:
    return decode(
        json.dumps({"id": "r1", "model": "m1", "choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}).encode()
    )


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def reasoning(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ReasoningDelta))


def finished(events: list[Event]) -> ChatResponse:
    last = events[-1]
    assert isinstance(last, ResponseFinished)
    return last.response


def of_kind(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"error": ["stopped early"]}, ServerError),
        ({"error": [{"message": "stopped early", "code": 429}]}, RateLimitError),
        ({"error": {"message": "stopped early", "code": "429"}}, RateLimitError),
        ({"error": '{"error": {"message": "stopped early", "type": "rate_limit_error"}}'}, RateLimitError),
        ({"code": "429", "msg": "stopped early", "data": None}, RateLimitError),
        ({"id": "r1", "error_code": 18, "error_msg": "stopped early"}, ServerError),
        ({"id": "r1", "type": "error", "message": "stopped early"}, ServerError),
        ({"id": "r1", "choices": None, "base_resp": {"status_code": 1004, "status_msg": "stopped early"}}, AuthenticationError),
        (
            {"id": "r1", "choices": [], "usage": {"total_tokens": 0}, "base_resp": {"status_code": 1, "status_msg": "stopped early"}},
            ServerError,
        ),
    ],
)
def test_an_error_of_any_shape_ends_a_stream(event: dict[str, Any], expected: type[ParleyError]) -> None:
    with pytest.raises(ParleyError, match="stopped early") as caught:
        decode(sse({"choices": [{"delta": {"content": "a"}}]}, event))
    assert type(caught.value) is expected


@pytest.mark.parametrize(
    "data", ["stopped early", '"stopped early"', '["stopped early"]', ' {"message": "stopped early"}', '{"msg": "stopped early"}']
)
def test_an_error_event_is_an_error_whatever_its_data(data: str) -> None:
    with pytest.raises(ServerError, match="stopped early"):
        decode(f"event: error\ndata: {data}\n\n".encode())


def test_a_good_word_about_the_request_is_no_error() -> None:
    assert text(decode(sse({"choices": [{"delta": {"content": "a"}}]}, {**STOP, "base_resp": {"status_code": 0, "status_msg": ""}}))) == "a"
    ended = {"choices": [], "usage": {"total_tokens": 3}, "base_resp": {"status_code": 0, "status_msg": "success"}}
    assert text(decode(sse({"choices": [{"delta": {"content": "a"}}]}, STOP, ended))) == "a"


def test_an_error_beside_the_reply_ends_it() -> None:
    with pytest.raises(ServerError, match="stopped early"):
        decode(sse({"choices": [{"delta": {"content": "a"}}]}, {**STOP, "x_groq": {"id": "req_1", "error": "stopped early"}}))


def test_a_document_may_number_its_choices_otherwise_but_must_hold_one() -> None:
    choice = {"index": 1, "message": {"content": "A"}, "finish_reason": "stop"}
    assert text(decode(json.dumps({"id": "r1", "choices": [choice]}).encode())) == "A"
    for choices in ([], [None], "choice"):
        with pytest.raises(ProtocolError, match="no choices"):
            decode(json.dumps({"id": "r1", "choices": choices}).encode())


def test_a_stream_and_a_whole_reply_give_the_same_answer() -> None:
    streamed = stream({"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo"})
    complete = whole({"role": "assistant", "content": "Hello", "refusal": None})
    assert text(streamed) == text(complete) == "Hello"
    assert streamed[0] == complete[0] == ResponseStarted(id="r1", model="m1", request_id="req_1")
    assert finished(streamed) == finished(complete) == ChatResponse(finish_reason="stop", raw_finish_reason="stop")


def test_an_id_that_comes_late_fills_what_was_open() -> None:
    events = decode(sse({"id": "", "model": "", "choices": []}, {"id": "r9", "model": "m9", "choices": []}, STOP))
    assert events[:2] == [ResponseStarted(request_id="req_1"), ResponseStarted(id="r9", model="m9")]


def test_a_type_that_is_no_word_crashes_nothing() -> None:
    assert text(whole({"content": [{"type": ["thinking"], "text": "a"}, {"type": {}, "text": "b"}]})) == "ab"


def test_comments_pings_blank_events_and_unknown_fields_are_ignored() -> None:
    body = b": OPENROUTER PROCESSING\r\n\r\nevent: ping\r\ndata: {}\r\n\r\ndata:\r\n\r\n" + sse({"new": 1, "choices": []}, STOP)
    assert [event for event in decode(body) if not isinstance(event, ResponseStarted)] == of_kind(decode(body), ResponseFinished)


def test_other_choices_than_the_first_are_left_out() -> None:
    body = sse({"choices": [{"index": 1, "delta": {"content": "no"}}, {"index": 0, "delta": {"content": "yes"}}]}, STOP)
    assert text(decode(body)) == "yes"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"index": 0, "message": {"content": "a"}}, "a"),
        ({"index": 0, "delta": {"content": "a"}, "message": {"content": "so far: a"}}, "a"),
        ({"index": None, "delta": {"content": ["a", {"type": "text", "text": "b"}, {"type": "reference", "reference_ids": [1]}]}}, "ab"),
        ({"delta": {"content": {"a": 1}}}, '{"a":1}'),
        ({"delta": {"content": 7}}, "7"),
        ({"delta": None}, ""),
    ],
)
def test_content_is_read_in_every_shape(choice: dict[str, Any], expected: str) -> None:
    assert text(decode(sse({"choices": [choice]}, STOP))) == expected


def test_a_message_that_closes_a_stream_of_deltas_repeats_nothing() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    closing = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}],
        "usage": usage,
    }
    events = decode(sse(*({"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in ("Hel", "lo")), closing))
    assert (text(events), finished(events).finish_reason) == ("Hello", "stop")
    assert of_kind(events, UsageReported)[-1].usage.total_tokens == 5
    calls = {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}
    again = {"choices": [{"message": calls, "finish_reason": "tool_calls"}]}
    assert len(of_kind(decode(sse({"choices": [{"delta": calls}]}, again)), ToolCallEnded)) == 1
    unsaid = {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}
    assert text(decode(sse(unsaid, closing))) == "Hello"


def test_choices_of_text_completions_are_read() -> None:
    assert text(decode(sse({"choices": [{"text": "Hel"}]}, {"choices": [{"text": "lo", "finish_reason": "stop"}]}))) == "Hello"
    assert text(decode(json.dumps({"choices": [{"text": "Hello", "finish_reason": "stop"}]}).encode())) == "Hello"
    assert text(decode(sse({"choices": [{"text": "a", "delta": {"content": "a"}}]}, STOP))) == "a"


def test_a_whole_message_wins_over_an_empty_delta_beside_it() -> None:
    choice = {"index": 0, "delta": {"role": "assistant", "content": ""}, "message": {"content": "a"}, "finish_reason": "stop"}
    assert text(decode(json.dumps({"choices": [choice]}).encode())) == "a"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_ends_where_the_answer_begins_and_remembers_its_field(field: str) -> None:
    events = stream({field: "th"}, {field: "ought", "content": ""}, {"content": "answer"})
    kinds = [type(event) for event in events]
    assert reasoning(events) == "thought"
    assert kinds.index(ReasoningEnded) < kinds.index(TextDelta)
    ended = of_kind(events, ReasoningEnded)
    assert ended == [ReasoningEnded(provider_data=ProviderData(wire="openai_chat", provider="acme", data={"field": field}))]


def test_reasoning_that_a_vendor_sends_twice_counts_once() -> None:
    assert reasoning(stream({"reasoning": "a", "reasoning_content": "a"})) == "a"


def test_thinking_chunks_are_reasoning() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "ok"}]
    for events in (whole({"content": content}), stream({"content": content[:1]}, {"content": content[1:]})):
        assert (reasoning(events), text(events)) == ("hm", "ok")


def test_reasoning_chunks_are_reasoning() -> None:
    events = whole(
        {"content": [{"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}, {"type": "text", "text": "ok"}]}
    )
    assert (reasoning(events), text(events)) == ("hm", "ok")


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_text": "hm"},
        {"thinking": "hm"},
        {"reasoning": {"text": "hm"}},
        {"reasoning_content": [{"type": "text", "text": "h"}, "m"]},
        {"content": [{"type": "reasoning", "text": "hm"}]},
        {"content": [{"type": "thinking", "thinking": "hm"}]},
        {"content": [{"type": "reasoning_content", "reasoning_content": {"text": "hm"}}]},
        {"content": [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]}]},
        {"content": [{"type": "reasoning_text", "text": "hm"}]},
    ],
)
def test_thought_is_read_in_every_shape_and_never_taken_for_the_answer(delta: dict[str, Any]) -> None:
    for events in (stream(delta, {"content": "ok"}), stream({**delta}, {"content": [{"type": "output_text", "text": "ok"}]})):
        assert (reasoning(events), text(events)) == ("hm", "ok")


def test_thought_that_is_left_in_the_text_stays_there() -> None:
    assert text(stream({"content": "<think>hm"}, {"content": "</think>ok"})) == "<think>hm</think>ok"


def test_the_request_id_is_taken_from_the_body_where_no_header_has_it() -> None:
    head = ResponseHead(status=200, provider="acme")
    events = decode(sse({"id": "r1", "model": "m1", "x_groq": {"id": "req_9"}, "choices": []}, STOP), head=head)
    assert events[0] == ResponseStarted(id="r1", model="m1", request_id="req_9")


def test_reasoning_details_are_put_together_and_kept_whole() -> None:
    fragments: list[dict[str, Any]] = [
        {"type": "reasoning.text", "text": "a", "signature": None, "index": 0},
        {"type": "reasoning.text", "text": "b", "index": 0},
        {"type": "reasoning.text", "signature": "sig", "index": 0},
        {"type": "reasoning.encrypted", "data": "xyz", "id": "rs_1", "index": 1},
    ]
    events = stream(*({"content": "", "reasoning_details": [fragment]} for fragment in fragments), {"content": "ok"})
    assert reasoning(events) == "ab"
    (ended,) = of_kind(events, ReasoningEnded)
    assert ended.provider_data.data == {
        "details": [
            {"type": "reasoning.text", "text": "ab", "signature": "sig", "index": 0},
            {"type": "reasoning.encrypted", "data": "xyz", "id": "rs_1", "index": 1},
        ]
    }


def test_empty_reasoning_details_make_no_part() -> None:
    assert not of_kind(stream({"reasoning_details": [{"type": "reasoning.text", "text": ""}]}, {"content": "a"}), ReasoningEnded)


def test_tool_calls_come_together_and_stop_is_corrected() -> None:
    events = stream(
        {"tool_calls": [{"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "g"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"x":1}'}}]},
    )
    assert [(event.call.id, event.call.name, event.call.arguments) for event in of_kind(events, ToolCallEnded)] == [
        ("a", "f", '{"x":1}'),
        ("b", "g", "{}"),
    ]
    assert (finished(events).finish_reason, finished(events).raw_finish_reason) == ("tool_calls", "stop")


@pytest.mark.parametrize(
    "fragments",
    [
        [{"index": 0, "id": "a", "function": {"name": "get_"}}, {"index": 0, "function": {"name": "it", "arguments": '{"x":1}'}}],
        [{"index": "0", "id": "a", "function": {"name": "get_it"}}, {"index": "0", "function": {"arguments": '{"x":1}'}}],
        [{"id": "a", "function": {"name": "get_it", "arguments": '{"x"'}}, {"id": "a", "function": {"name": "get_it", "arguments": ":1}"}}],
        [{"index": 0, "id": "a", "name": "get_it", "arguments": {"x": 1}}],
        [{"index": 0, "id": "a", "function": {"name": "get_it", "arguments": None}}, {"index": 0, "function": {"arguments": '{"x":1}'}}],
        [
            {"index": 0, "id": "a", "function": {"arguments": '{"x"'}},
            {"index": 0, "id": "", "function": {"name": "get_it", "arguments": ":1}"}},
        ],
    ],
)
def test_a_tool_call_is_put_together_from_fragments_of_every_shape(fragments: list[dict[str, Any]]) -> None:
    for deltas in ([{"tool_calls": [fragment]} for fragment in fragments], [{"tool_calls": fragments}]):
        (ended,) = of_kind(stream(*deltas, finish="tool_calls"), ToolCallEnded)
        assert (ended.call.id, ended.call.name, ended.call.arguments) == ("a", "get_it", '{"x":1}')


def test_parallel_calls_are_told_apart_by_index_or_by_id() -> None:
    for key, first, second in (("index", 0, 1), ("index", "0", "1"), ("id", "a", "b")):
        fragments = [(first, "f", '{"x"'), (second, "g", '{"y"'), (first, "", ":1}"), (second, "", ":2}")]
        deltas = ({"tool_calls": [{key: value, "function": {"name": name, "arguments": piece}}]} for value, name, piece in fragments)
        calls = [event.call for event in of_kind(stream(*deltas), ToolCallEnded)]
        assert [(call.name, call.arguments) for call in calls] == [("f", '{"x":1}'), ("g", '{"y":2}')]


def test_a_single_call_and_flat_calls_are_read_in_a_document() -> None:
    call = {"name": "f", "arguments": {"a": 1}}
    for calls in (call, [call], {"function": call}, [{"id": "", "function": call}]):
        (ended,) = of_kind(whole({"content": None, "tool_calls": calls}), ToolCallEnded)
        assert (ended.call.name, ended.call.arguments) == ("f", '{"a":1}')


def test_tool_calls_as_the_reason_without_a_call_mean_that_the_answer_is_over() -> None:
    end = finished(stream({"content": "a"}, finish="tool_calls"))
    assert (end.finish_reason, end.raw_finish_reason) == ("stop", "tool_calls")


def test_a_legacy_function_call_is_a_tool_call_and_an_empty_one_is_none() -> None:
    events = stream({"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}, finish="function_call")
    (ended,) = of_kind(events, ToolCallEnded)
    assert (ended.call.name, ended.call.arguments, finished(events).finish_reason) == ("f", "{}", "tool_calls")
    assert not of_kind(whole({"content": "4", "function_call": {"name": "", "arguments": ""}}), ToolCallEnded)


def test_arguments_as_an_object_and_a_custom_call_are_text() -> None:
    events = whole(
        {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}, {"id": "c", "custom": {"name": "g", "input": "4 + 4"}}]}
    )
    first, second = (event.call for event in of_kind(events, ToolCallEnded))
    assert (first.arguments, second.arguments, second.provider_data.data) == ('{"a":1}', "4 + 4", {"custom": True})


def test_a_thought_signature_is_kept_with_its_call_or_its_message() -> None:
    extra = {"google": {"thought_signature": "s"}}
    events = whole(
        {"tool_calls": [{"id": "", "function": {"name": "f", "arguments": "{}"}, "extra_content": extra}], "extra_content": extra}
    )
    (ended,) = of_kind(events, ToolCallEnded)
    assert ended.call.id
    assert ended.call.provider_data.data == {"extra_content": extra}
    assert of_kind(events, ReasoningEnded)[0].provider_data.data == {"message": {"extra_content": extra}}


def test_structured_output_by_a_tool_comes_back_as_text() -> None:
    options = Options(response_format=SchemaFormat(name="answer", schema={"type": "object"}))
    events = stream(
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "structured_output", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        options=options,
        finish="tool_calls",
    )
    assert text(events) == '{"a":1}'
    assert not of_kind(events, ToolCallEnded)
    assert finished(events).finish_reason == "stop"


def test_a_refusal_is_kept_apart_from_the_answer() -> None:
    events = stream({"refusal": "I can"}, {"refusal": "not"})
    assert "".join(event.text for event in of_kind(events, RefusalDelta)) == "I cannot"
    assert text(events) == ""


def test_a_refusal_may_be_a_chunk_of_the_content() -> None:
    events = whole({"content": [{"type": "refusal", "refusal": "I cannot"}]})
    assert (of_kind(events, RefusalDelta), text(events)) == ([RefusalDelta("I cannot")], "")


@pytest.mark.parametrize("where", ["top", "message", "context"])
def test_sources_are_read_wherever_they_stand(where: str) -> None:
    sources = {"citations": [{"url": "https://a.example", "title": "A", "content": "words"}, "https://b.example", 7]}
    message = {"content": "a", **(sources if where == "message" else {"context": sources} if where == "context" else {})}
    events = whole(message, **(sources if where == "top" else {}))
    assert [event.citation for event in of_kind(events, CitationAdded)] == [
        Citation(url="https://a.example", title="A", text="words"),
        Citation(url="https://b.example"),
    ]


def test_citations_are_read_from_annotations_and_from_lists_and_said_once() -> None:
    source = {"url": "https://a.example", "title": "A", "start_index": 1, "end_index": 4, "content": "words"}
    annotated = stream({"annotations": [{"type": "url_citation", "url_citation": source}]})
    assert [event.citation for event in of_kind(annotated, CitationAdded)] == [
        Citation(url="https://a.example", title="A", text="words", start_index=1, end_index=4)
    ]
    lists = {
        "citations": ["https://b.example", "https://c.example"],
        "search_results": [{"url": "https://b.example", "title": "B", "snippet": "s"}],
    }
    chunk = {"choices": [{"delta": {"content": "x"}}], **lists}
    assert [event.citation for event in of_kind(decode(sse(chunk, chunk, STOP)), CitationAdded)] == [
        Citation(url="https://b.example", title="B", text="s"),
        Citation(url="https://c.example"),
    ]


def test_generated_images_are_parts() -> None:
    events = stream({"images": [{"type": "image_url", "image_url": {"url": "data:image/webp;base64,QUJD"}}]})
    (added,) = of_kind(events, PartAdded)
    assert isinstance(added.part, ImagePart)
    assert (added.part.media_type, added.part.data) == ("image/webp", "QUJD")


def test_audio_pieces_become_one_file_of_the_format_asked_for() -> None:
    pieces = [base64.b64encode(piece).decode() for piece in (b"a", b"bc")]
    options = Options(extra={"audio": {"voice": "x", "format": "mp3"}})
    deltas = [{"audio": {"id": "au_1", "data": pieces[0], "transcript": "Hel"}}, {"audio": {"data": pieces[1], "transcript": "lo"}}]
    (added,) = of_kind(stream(*deltas, options=options), PartAdded)
    assert isinstance(added.part, FilePart)
    assert (added.part.media_type, base64.b64decode(added.part.data or "")) == ("audio/mpeg", b"abc")
    assert added.part.provider_data is not None
    assert added.part.provider_data.data == {"audio": {"id": "au_1", "transcript": "Hello"}}
    assert not of_kind(whole({"content": "4", "audio": {"id": "", "data": "", "transcript": ""}}), PartAdded)
    cut = base64.b64encode(b"abcdefghi").decode()
    (added,) = of_kind(stream({"audio": {"data": cut[:5]}}, {"audio": {"id": "x", "data": cut[5:]}}), PartAdded)
    assert base64.b64decode(added.part.data) == b"abcdefghi"
    with pytest.raises(ProtocolError, match="base64"):
        whole({"audio": {"id": "x", "data": "***"}})


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("STOP", "stop"),
        ("eos", "stop"),
        ("model_length", "length"),
        ("max_tokens", "length"),
        ("content_filter", "content_filter"),
        ("sensitive", "content_filter"),
        ("insufficient_system_resource", "interrupted"),
        ("error", "error"),
        ("something_new", "unknown"),
    ],
)
def test_the_vendors_word_is_mapped_and_kept(raw: str, expected: str) -> None:
    last = finished(stream({"content": "a"}, finish=raw))
    assert (last.finish_reason, last.raw_finish_reason) == (expected, raw)


def test_length_stays_length_though_tools_were_called() -> None:
    assert finished(stream({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}, finish="length")).finish_reason == "length"


def test_usage_is_read_wherever_it_stands_and_said_once() -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    for more in ({"usage": counts}, {"x_groq": {"usage": counts}}, {"choices": [{"index": 0, "delta": {}, "usage": counts}]}):
        events = decode(sse(STOP, {"choices": [], **more}, {"choices": [], **more}, {"choices": [], "usage": None}, "[DONE]"))
        (reported,) = of_kind(events, UsageReported)
        assert (reported.usage.prompt_tokens, reported.usage.completion_tokens, reported.usage.total_tokens) == (3, 2, 5)


def test_a_missing_done_after_a_finish_reason_is_fine_and_so_is_a_second_one() -> None:
    assert finished(decode(sse({"choices": [{"delta": {"content": "a"}}]}, STOP))).finish_reason == "stop"
    assert finished(decode(sse(STOP, "[DONE]", "[DONE]", {"choices": [{"delta": {"content": "late"}}]}))).finish_reason == "stop"


def test_done_without_a_finish_reason_is_an_end_whose_reason_is_not_known() -> None:
    last = finished(decode(sse({"choices": [{"delta": {"content": "a"}}]}, " [DONE] \t")))
    assert (last.finish_reason, last.raw_finish_reason) == ("unknown", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        sse({"choices": [{"delta": {"content": "a"}}]}),
        sse({"choices": [{"delta": {"content": "a"}, "finish_reason": None}]}) + b'data: {"choices":[{"del',
        sse({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": "{"}}]}}]}) + b'data: {"choi',
        b'{"id":"r1","choices":[{"message":{"content":"abc',
    ],
)
def test_a_cut_is_never_a_success(body: bytes) -> None:
    with pytest.raises(StreamTruncatedError):
        decode(body)


def test_what_came_before_a_cut_was_delivered() -> None:
    decoder = OpenAIChat().decoder(ChatRequest(messages=[]), HEAD)
    assert text(decoder.feed(sse({"choices": [{"delta": {"content": "a"}}]}))) == "a"
    with pytest.raises(StreamTruncatedError):
        decoder.close()


def test_broken_events_are_skipped_three_times_and_never_inside_a_tool_call() -> None:
    events = decode(sse("{", "{", "{", {"choices": [{"delta": {"content": "a"}}]}, STOP))
    assert [event.incomplete for event in of_kind(events, WarningRaised)] == [True] * 3
    assert text(events) == "a"
    with pytest.raises(ProtocolError):
        decode(sse("{", "{", "{", "{", STOP))
    with pytest.raises(ProtocolError, match="tool call"):
        decode(sse({"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]}}]}, "{", STOP))


@pytest.mark.parametrize(
    ("event", "expected", "code"),
    [
        ({"error": {"message": "slow down", "code": 429}}, RateLimitError, "429"),
        (
            {"error": {"message": "bad", "type": "invalid_request_error", "code": "tool_use_failed"}},
            RequestRejectedError,
            "tool_use_failed",
        ),
        ({"error": "boom"}, ServerError, None),
        ({"object": "error", "message": "blocked", "type": "content_filter", "code": None}, ContentFilterError, "content_filter"),
        ({"detail": "internal error"}, ServerError, None),
        (
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"code": 502, "message": "upstream"}}]},
            ServerError,
            "502",
        ),
    ],
)
def test_an_error_inside_a_stream_is_raised_as_its_own_class(
    event: dict[str, Any], expected: type[ProviderError], code: str | None
) -> None:
    decoder = OpenAIChat().decoder(ChatRequest(messages=[]), HEAD)
    assert text(decoder.feed(sse({"choices": [{"delta": {"content": "a"}}]}, event))) == "a"
    with pytest.raises(expected) as raised:
        decoder.close()
    assert type(raised.value) is expected
    assert (raised.value.provider_code, raised.value.request_id, raised.value.provider) == (code, "req_1", "acme")


def test_error_lines_and_error_events_are_errors() -> None:
    for body in (
        b'error: {"error":{"message":"boom"}}\n\n',
        b'event: error\ndata: {"message":"boom"}\n\n',
        b"error: boom\n\n",
        b'{"error":"boom"}',
    ):
        with pytest.raises(ServerError, match="boom"):
            decode(body)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><title>Sign in</title></html>", "Sign in"),
        (b'{"object":"list","data":[]}', "no choices"),
        (b"[]", "no choices"),
        (b"[1,2]", "no choices"),
        (b"all is well\n", "all is well"),
    ],
)
def test_a_200_that_is_no_reply_is_said_in_plain_words(body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words) as raised:
        decode(body)
    assert not isinstance(raised.value, StreamTruncatedError)


def test_a_200_with_an_error_inside_is_that_error() -> None:
    with pytest.raises(RateLimitError, match="slow"):
        decode(b'\n\n{"error":{"message":"slow","type":"rate_limit_error"}}')


DELTAS = st.fixed_dictionaries(
    {},
    optional={
        "content": st.one_of(
            st.none(),
            st.text(max_size=5),
            st.integers(),
            st.lists(st.one_of(st.text(max_size=3), st.dictionaries(st.text(max_size=3), st.text(max_size=3)))),
        ),
        "reasoning": st.one_of(st.none(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
        "reasoning_details": st.lists(
            st.one_of(st.integers(), st.dictionaries(st.sampled_from(["type", "text", "index"]), st.text(max_size=2)))
        ),
        "tool_calls": st.one_of(
            st.text(max_size=2),
            st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "index": st.one_of(st.none(), st.integers(-1, 3)),
                        "id": st.one_of(st.none(), st.text(max_size=2)),
                        "function": st.one_of(st.none(), st.dictionaries(st.sampled_from(["name", "arguments"]), st.text(max_size=3))),
                    },
                ),
                max_size=3,
            ),
        ),
        "function_call": st.one_of(st.text(max_size=2), st.dictionaries(st.sampled_from(["name", "arguments"]), st.text(max_size=3))),
        "images": st.lists(st.one_of(st.integers(), st.dictionaries(st.text(max_size=2), st.text(max_size=2))), max_size=2),
        "annotations": st.lists(st.one_of(st.none(), st.dictionaries(st.sampled_from(["url_citation"]), st.integers())), max_size=2),
        "refusal": st.one_of(st.none(), st.integers(), st.text(max_size=3)),
    },
)


@given(st.lists(DELTAS, max_size=6), st.integers(min_value=1, max_value=40))
def test_odd_shapes_raise_typed_errors_or_nothing_and_splits_do_not_matter(deltas: list[dict[str, Any]], size: int) -> None:
    body = sse(*({"choices": [{"index": 0, "delta": delta}]} for delta in deltas), STOP)
    assert outcome(body, len(body)) == outcome(body, size)


@given(st.binary(max_size=300), st.integers(min_value=1, max_value=40))
def test_hostile_bytes_raise_typed_errors_or_nothing(body: bytes, size: int) -> None:
    assert outcome(body, max(len(body), 1)) == outcome(body, size)


def outcome(body: bytes, size: int) -> tuple[list[Event], str]:
    decoder = OpenAIChat().decoder(ChatRequest(messages=[]), HEAD)
    events: list[Event] = []
    try:
        for start in range(0, len(body), size):
            events += decoder.feed(body[start : start + size])
        events += decoder.close()
    except ParleyError as error:
        return events, repr(error)
    return events, ""


def test_the_end_mark_ends_the_reply_at_once_since_a_server_may_keep_the_connection_open() -> None:
    decoder = OpenAIChat().decoder(ChatRequest(messages=[Message(role="user", content="Hi")]), ResponseHead(status=200))
    events = decoder.feed(b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert isinstance(events[-1], ResponseFinished)
    assert decoder.feed(b"data: [DONE]\n\n") == []
    assert decoder.close() == []
