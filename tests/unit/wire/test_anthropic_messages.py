"""The Messages wire: what a request becomes, and what replies of every shape (broken ones too) are read as."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Capabilities
from parley.contract.codec import Codec, ListsModels
from parley.contract.errors import (
    ContextLengthError,
    InvalidRequestError,
    OverloadedError,
    ParleyError,
    ProtocolError,
    QuotaExceededError,
    RateLimitError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.events import RefusalDelta, TextDelta, ToolCallEnded
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.anthropic_messages import AnthropicMessages

CODEC = AnthropicMessages()
HEAD = ResponseHead(status=200, headers={"request-id": "req_1"}, provider="anthropic", model="claude-opus-4-6")
START = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude", "content": [], "usage": {"input_tokens": 3, "output_tokens": 1}},
}
END = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}, {"type": "message_stop"}]
SCHEMA = SchemaFormat(name="dog", schema={"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]})


def encoded(request: ChatRequest, model: str = "claude-opus-4-6", **capabilities: Any) -> tuple[dict[str, Any], set[str]]:
    target = Target(provider="anthropic", model=model, endpoint="https://example.test/v1/", capabilities=Capabilities(**capabilities))
    written = CODEC.encode(request, target=target, stream=False)
    return json.loads(written.body), {warning.code for warning in written.warnings}


def asking(*messages: Message, system: str | None = None, **options: Any) -> ChatRequest:
    return ChatRequest(messages=list(messages) or [Message(role="user", content="Hi")], system_prompt=system, options=Options(**options))


def stream(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def test_it_is_a_codec_that_lists_models() -> None:
    codec: Codec = CODEC
    assert isinstance(codec, ListsModels)
    listing = CODEC.encode_list_models(target=Target(provider="a", model="", endpoint="https://example.test/v1"))
    assert listing.url.startswith("https://example.test/v1/models")
    with pytest.raises(ProtocolError):
        CODEC.decode_models(HEAD, b"<html>")


def test_request_goes_to_messages_with_the_version() -> None:
    target = Target(provider="anthropic", model="claude-opus-4-6", endpoint="https://example.test/v1/")
    written = CODEC.encode(asking(), target=target, stream=True)
    assert (written.method, written.url) == ("POST", "https://example.test/v1/messages")
    assert written.headers["anthropic-version"] == "2023-06-01"
    body = json.loads(written.body)
    assert body["stream"] is True
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert "stream" not in encoded(asking())[0]


def test_system_prompt_comes_before_system_messages_and_sides_alternate() -> None:
    body, _ = encoded(
        asking(
            Message(role="user", content="one"),
            Message(role="system", content="and kind"),
            Message(role="user", content="two"),
            Message(role="assistant", content="yes"),
            system="Be brief",
        )
    )
    assert body["system"] == "Be brief\n\nand kind"
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
    assert [part["text"] for part in body["messages"][0]["content"]] == ["one", "two"]


def test_max_tokens_is_always_sent() -> None:
    assert encoded(asking(max_tokens=9))[0]["max_tokens"] == 9
    assert encoded(asking())[0]["max_tokens"] == 16_384
    assert encoded(asking(), "claude-3-haiku-20240307")[0]["max_tokens"] == 4096


def test_zero_is_a_value_and_the_unknown_is_dropped_aloud() -> None:
    body, warnings = encoded(asking(temperature=0, top_k=3, stop=["x"], seed=1, presence_penalty=0))
    assert (body["temperature"], body["top_k"], body["stop_sequences"]) == (0, 3, ["x"])
    assert warnings == {"seed_dropped", "presence_penalty_dropped"}


@pytest.mark.parametrize(
    ("model", "sent"),
    [
        ("claude-3-5-haiku-latest", {"temperature": 1, "top_p": 0.5}),
        ("claude-sonnet-4-5-20250929", {"temperature": 1}),
        ("claude-opus-4-8", {}),
        ("claude-sonnet-5", {}),
        ("anthropic/claude-fable-5", {}),
    ],
)
def test_sampling_is_what_the_model_takes(model: str, sent: dict[str, float]) -> None:
    body, warnings = encoded(asking(temperature=1.5, top_p=0.5), model)
    assert {name: body[name] for name in ("temperature", "top_p") if name in body} == sent
    assert warnings


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "config"),
    [
        ("claude-sonnet-4-20250514", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 16_384}, None),
        ("claude-opus-4-6", "medium", {"type": "adaptive"}, {"effort": "medium"}),
        ("claude-opus-5", "minimal", {"type": "adaptive", "display": "summarized"}, {"effort": "low"}),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        ("claude-sonnet-4-5", "none", None, None),
        ("claude-3-haiku-20240307", "none", None, None),
    ],
)
def test_reasoning_effort_is_asked_for_as_the_model_knows_it(model: str, effort: Any, thinking: Any, config: Any) -> None:
    body, _ = encoded(asking(reasoning_effort=effort), model)
    assert (body.get("thinking"), body.get("output_config")) == (thinking, config)
    if thinking and "budget_tokens" in thinking:
        assert body["max_tokens"] > thinking["budget_tokens"]


def test_thinking_excludes_sampling_and_forced_tools() -> None:
    body, warnings = encoded(asking(reasoning_effort="low", temperature=0.2, top_k=4, top_p=0.99), "claude-sonnet-4-0")
    assert "temperature" not in body
    assert "top_k" not in body
    assert body["top_p"] == 0.99
    assert warnings == {"temperature_dropped", "top_k_dropped"}
    with pytest.raises(UnsupportedFeatureError, match="tool_choice"):
        encoded(asking(reasoning_effort="low", tools=[Tool(name="t")], tool_choice="required"), "claude-sonnet-4-0")


def test_thinking_needs_room_and_a_model_that_thinks() -> None:
    assert encoded(asking(reasoning_effort="high", max_tokens=4000), "claude-sonnet-4-5")[0]["thinking"]["budget_tokens"] == 3999
    with pytest.raises(InvalidRequestError) as problem:
        encoded(asking(reasoning_effort="high", max_tokens=500), "claude-sonnet-4-5")
    assert problem.value.fields[0].path == "options.max_tokens"
    with pytest.raises(UnsupportedFeatureError, match="reasoning_effort"):
        encoded(asking(reasoning_effort="high"), "claude-3-5-haiku-latest")


def test_tools_and_choices() -> None:
    tools = [Tool(name="look", description="Looks", parameters={"properties": {"at": {"type": "string"}}}), Tool(name="go", strict=True)]
    body, _ = encoded(asking(tools=tools, tool_choice="required", parallel_tool_calls=False))
    assert body["tools"][0] == {
        "name": "look",
        "description": "Looks",
        "input_schema": {"type": "object", "properties": {"at": {"type": "string"}}},
    }
    assert body["tools"][1]["strict"] is True
    assert body["tools"][1]["input_schema"]["additionalProperties"] is False
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert encoded(asking(tools=tools, tool_choice=NamedToolChoice(name="go")))[0]["tool_choice"] == {"type": "tool", "name": "go"}
    assert encoded(asking(tools=tools, tool_choice="none"))[0]["tool_choice"] == {"type": "none"}
    assert "tool_choice" not in encoded(asking(tools=tools))[0]


def test_tool_results_stand_first_with_foreign_ids_rewritten_alike() -> None:
    body, _ = encoded(
        asking(
            Message(role="user", content="Hi"),
            Message(
                role="assistant", content=[ToolCall(id="call|1:ü", name="look", arguments='{"at": "x"}'), ToolCall(id="ok_1", name="go")]
            ),
            Message(role="user", content="quick"),
            Message(
                role="tool",
                content=[
                    ToolResult(tool_call_id="call|1:ü", content=[TextPart(text="seen"), ImagePart(media_type="image/png", data="aGk=")]),
                    ToolResult(tool_call_id="ok_1", content="no", is_error=True),
                ],
            ),
        )
    )
    calls, answers = body["messages"][1]["content"], body["messages"][2]["content"]
    assert [answer["type"] for answer in answers] == ["tool_result", "tool_result", "text"]
    assert calls[0]["id"] == answers[0]["tool_use_id"] != "call|1:ü"
    assert calls[1]["id"] == answers[1]["tool_use_id"] == "ok_1"
    assert calls[0]["input"] == {"at": "x"}
    assert answers[0]["content"][1]["source"] == {"type": "base64", "media_type": "image/png", "data": "aGk="}
    assert answers[1]["is_error"] is True
    assert {tool["name"] for tool in body["tools"]} == {"look", "go"}
    assert body["tool_choice"] == {"type": "none"}


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="lost"):
        encoded(asking(Message(role="tool", content=[ToolResult(tool_call_id="lost")])))


def test_arguments_that_are_no_object_are_wrapped_aloud() -> None:
    body, warnings = encoded(asking(Message(role="assistant", content=[ToolCall(id="a", name="t", arguments='{"cut')])))
    assert body["messages"][0]["content"][0]["input"] == {"arguments": '{"cut'}
    assert "tool_arguments_wrapped" in warnings


def test_files_and_images_in_every_form() -> None:
    text = base64.b64encode(b"plain").decode()
    body, _ = encoded(
        asking(
            Message(
                role="user",
                content=[
                    ImagePart(url="https://example.test/a.png"),
                    FilePart(media_type="application/pdf", name="a.pdf", data="JVBERg=="),
                    FilePart(url="https://example.test/b.pdf"),
                    FilePart(media_type="text/markdown; charset=utf-8", name="n.md", data=text),
                    FilePart(media_type="image/png", data="aGk="),
                ],
            )
        )
    )
    blocks = body["messages"][0]["content"]
    assert [(entry["type"], entry["source"]["type"]) for entry in blocks] == [
        ("image", "url"),
        ("document", "base64"),
        ("document", "url"),
        ("document", "text"),
        ("image", "base64"),
    ]
    assert (blocks[3]["source"]["data"], blocks[3]["title"]) == ("plain", "n.md")


def test_an_uploaded_file_needs_the_beta_header() -> None:
    target = Target(provider="anthropic", model="claude", endpoint="https://example.test")
    written = CODEC.encode(asking(Message(role="user", content=[FilePart(id="file_1")])), target=target, stream=False)
    assert "files-api" in written.headers["anthropic-beta"]
    assert json.loads(written.body)["messages"][0]["content"][0]["source"] == {"type": "file", "file_id": "file_1"}


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (ImagePart(), InvalidRequestError),
        (FilePart(media_type="text/plain", data="not base64!"), InvalidRequestError),
        (FilePart(media_type="audio/mpeg", data="aGk="), UnsupportedFeatureError),
    ],
)
def test_what_cannot_be_sent_is_refused(part: Any, error: type[ParleyError]) -> None:
    with pytest.raises(error):
        encoded(asking(Message(role="user", content=[part])))


def test_cache_markers_on_system_and_messages_at_most_four() -> None:
    marked = [TextPart(text=str(number), cache="1h") for number in range(4)]
    body, warnings = encoded(
        asking(
            Message(role="system", content=[TextPart(text="rules", cache="5m")]), Message(role="user", content=list(marked)), system="You"
        )
    )
    assert [entry["text"] for entry in body["system"]] == ["You", "rules"]
    assert "cache_control" not in body["system"][1]
    assert all(entry["cache_control"] == {"type": "ephemeral", "ttl": "1h"} for entry in body["messages"][0]["content"])
    assert warnings == {"cache_marker_dropped"}


def test_structured_output_by_the_vendor() -> None:
    body, warnings = encoded(asking(response_format=SCHEMA))
    schema = body["output_config"]["format"]["schema"]
    assert schema == {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"], "additionalProperties": False}
    assert warnings == {"schema_reduced"}
    both, _ = encoded(asking(response_format=SCHEMA, reasoning_effort="low"))
    assert (both["output_config"]["effort"], both["output_config"]["format"]["type"]) == ("low", "json_schema")


def test_a_property_may_be_called_like_a_keyword() -> None:
    schema = {"type": "object", "properties": {"format": {"type": "string"}, "default": {"type": "object", "properties": {}}}}
    body, warnings = encoded(asking(response_format=SchemaFormat(name="n", schema=schema)))
    written = body["output_config"]["format"]["schema"]["properties"]
    assert written == {"format": {"type": "string"}, "default": {"type": "object", "properties": {}, "additionalProperties": False}}
    assert not warnings


def test_structured_output_by_tool_comes_back_as_text(decode: Any, fold: Any) -> None:
    request = asking(response_format=SCHEMA, tools=[Tool(name="structured_output")])
    body, _ = encoded(request, structured_output="tool")
    name = body["tools"][-1]["name"]
    assert name != "structured_output"
    assert body["tool_choice"] == {"type": "any"}
    use = {"type": "tool_use", "id": "t", "name": name, "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ('{"age"', ": 3}")]
    stop = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    reply = fold(decode(CODEC, HEAD, [stream(START, *block(0, use, *pieces), stop)], request)[0])
    assert json.loads(reply.reply.text) == {"age": 3}
    assert (reply.reply.tool_calls, reply.finished.finish_reason) == ([], "stop")
    whole = {"type": "message", "id": "m", "content": [{**use, "input": {"age": 3}}], "stop_reason": "tool_use"}
    assert json.loads(fold(decode(CODEC, HEAD, [json.dumps(whole).encode()], request)[0]).reply.text) == {"age": 3}


def test_old_models_and_plain_json_have_their_own_ways() -> None:
    assert encoded(asking(response_format=SCHEMA), "claude-3-haiku-20240307")[0]["tool_choice"]["type"] == "tool"
    assert "JSON" in encoded(asking(response_format="json", system="Be brief"))[0]["system"]
    assert '"age"' in encoded(asking(response_format=SCHEMA), structured_output="prompt")[0]["system"]
    assert encoded(asking(response_format="text"))[0].keys() == encoded(asking())[0].keys()


def test_user_and_extra_options_travel() -> None:
    request = ChatRequest(messages=[Message(role="user", content="Hi")], user_id="u1", options=Options(extra={"service_tier": "auto"}))
    body, _ = encoded(request)
    assert (body["metadata"], body["service_tier"]) == ({"user_id": "u1"}, "auto")


def test_thought_goes_back_only_to_its_author() -> None:
    def said(provider: str) -> Message:
        own = ProviderData(wire="anthropic_messages", provider=provider, data={"kind": "thinking"})
        return Message(
            role="assistant",
            content=[
                ReasoningPart(text="hm", signature="s", provider_data=own),
                ReasoningPart(redacted="r", provider_data=own),
                TextPart(text="A"),
            ],
        )

    body, warnings = encoded(asking(said("anthropic")))
    assert body["messages"][0]["content"][:2] == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "r"},
    ]
    assert not warnings
    body, warnings = encoded(asking(said("bedrock")))
    assert body["messages"][0]["content"] == [{"type": "text", "text": "A"}]
    assert warnings == {"provider_data_dropped"}
    assert encoded(asking(Message(role="assistant", content=[ReasoningPart(text="hm")])))[1] == {"reasoning_dropped"}


def test_empty_input_reads_as_an_empty_object(decode: Any) -> None:
    events, _ = decode(CODEC, HEAD, [stream(START, *block(0, {"type": "tool_use", "id": "t", "name": "now", "input": {}}), *END)])
    assert [event.call.arguments for event in events if isinstance(event, ToolCallEnded)] == ["{}"]


def test_unknown_blocks_keep_their_deltas_and_go_back(decode: Any, fold: Any) -> None:
    deltas = [{"type": "compaction_delta", "content": "sum"}, {"type": "compaction_delta", "content": "mary"}]
    events, error = decode(CODEC, HEAD, [stream(START, *block(0, {"type": "compaction", "content": None}, *deltas), *END)])
    assert error is None
    body, _ = encoded(asking(fold(events).reply.to_message()))
    assert body["messages"][0]["content"] == [{"type": "compaction", "content": "summary"}]


def test_refusal_is_a_filter_with_its_words(decode: Any, fold: Any) -> None:
    stop = {"type": "message_delta", "delta": {"stop_reason": "refusal", "stop_details": {"explanation": "No."}}}
    events, _ = decode(CODEC, HEAD, [stream(START, stop)])
    assert RefusalDelta("No.") in events
    assert fold(events).finished.finish_reason == "content_filter"


@pytest.mark.parametrize(
    ("word", "reason"), [("pause_turn", "stop"), ("compaction", "stop"), ("model_context_window_exceeded", "length"), ("new", "unknown")]
)
def test_stop_reasons(word: str, reason: str, decode: Any, fold: Any) -> None:
    end = {"type": "message_delta", "delta": {"stop_reason": word}, "usage": {"output_tokens": 1}}
    finished = fold(decode(CODEC, HEAD, [stream(START, end)])[0]).finished
    assert (finished.finish_reason, finished.raw_finish_reason) == (reason, word)


def test_unfinished_output_count_is_not_passed_on(decode: Any, fold: Any) -> None:
    events, error = decode(CODEC, HEAD, [stream(START, *block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "A"}))])
    assert isinstance(error, StreamTruncatedError)
    assert (fold(events).usage.prompt_tokens, fold(events).usage.completion_tokens) == (3, None)


@pytest.mark.parametrize(
    ("start", "end", "prompt"),
    [({"input_tokens": 0}, {"input_tokens": 11}, 11), ({"input_tokens": 11}, {"input_tokens": 0}, 11), ({"input_tokens": 0}, {}, None)],
)
def test_an_input_count_of_zero_is_none(start: dict[str, int], end: dict[str, int], prompt: int | None, decode: Any, fold: Any) -> None:
    beginning = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {**start, "output_tokens": 0}}}
    ending = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {**end, "output_tokens": 5}}
    usage = fold(decode(CODEC, HEAD, [stream(beginning, ending)])[0]).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (prompt, 5)


def test_a_message_that_closes_a_stream_repeats_nothing(decode: Any, fold: Any) -> None:
    again = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hello"}], "usage": {"output_tokens": 8}}
    events, error = decode(CODEC, HEAD, [stream(START, *block(0, {"type": "text", "text": "Hello"}), *END, again)])
    assert (error, fold(events).reply.text, fold(events).usage.completion_tokens) == (None, "Hello", 8)
    alone = {**again, "stop_reason": "end_turn"}
    assert fold(decode(CODEC, HEAD, [stream(alone)])[0]).reply.text == "Hello"


@pytest.mark.parametrize("content", ["Hello", [{"type": "text", "text": "Hello"}]])
def test_a_document_needs_no_type(content: Any, decode: Any, fold: Any) -> None:
    body = {"id": "m", "role": "assistant", "content": content, "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2}}
    folded = fold(decode(CODEC, HEAD, [json.dumps(body).encode()])[0])
    assert (folded.reply.text, folded.finished.finish_reason) == ("Hello", "stop")


@pytest.mark.parametrize("deltas", [[], [""], ['{"a"', ":1}"], [{"a": 1}]])
def test_a_tools_input_comes_in_every_shape(deltas: list[Any], decode: Any, fold: Any) -> None:
    fragments = [{"type": "input_json_delta", "partial_json": piece} for piece in deltas]
    inputs: list[Any] = [{}, None, ""] if any(deltas) else [{"a": 1}, '{"a":1}']
    for whole in inputs:
        events, _ = decode(
            CODEC, HEAD, [stream(START, *block(0, {"type": "tool_use", "id": "t", "name": "f", "input": whole}, *fragments), *END)]
        )
        (call,) = fold(events).reply.tool_calls
        assert (call.id, call.name, call.arguments) == ("t", "f", '{"a":1}')
        assert fold(events).finished.finish_reason == "tool_calls"


@pytest.mark.parametrize(
    "error",
    [
        b'event: error\ndata: {"type":"overloaded_error","message":"busy"}\n\n',
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"},"request_id":"r"}\n\n',
        b'data: {"error":{"type":"overloaded_error","message":"busy"}}\n\n',
        b'data: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n',
    ],
)
def test_an_error_event_needs_no_type_of_its_own(error: bytes, decode: Any, fold: Any) -> None:
    events, raised = decode(CODEC, HEAD, [stream(START, *block(0, {"type": "text", "text": "Hel"})) + error])
    assert fold(events).reply.text == "Hel"
    assert (type(raised), raised.message) == (OverloadedError, "busy")


@pytest.mark.parametrize("body", [b'{"message":"no such route","code":404}', b'{"detail":"no such route"}'])
def test_a_flat_error_inside_a_200_is_said(body: bytes, decode: Any) -> None:
    assert "no such route" in decode(CODEC, HEAD, [body])[1].message


def test_stop_reason_is_the_end_even_without_message_stop(decode: Any, fold: Any) -> None:
    events, error = decode(CODEC, HEAD, [stream(START, END[0])])
    assert error is None
    assert fold(events).finished.finish_reason == "stop"
    assert fold(events).started.request_id == "req_1"


def test_an_event_without_a_name_or_a_type_is_no_message(decode: Any, fold: Any) -> None:
    started = fold(decode(CODEC, HEAD, [b"data: {}\n\n" + stream(START, *END)])[0]).started
    assert (started.id, started.model) == (START["message"]["id"], START["message"]["model"])


def test_a_stream_cut_inside_a_call_is_truncated_and_a_cut_after_its_end_hurts_nobody(decode: Any) -> None:
    call = block(0, {"type": "tool_use", "id": "t", "name": "a", "input": {}}, {"type": "input_json_delta", "partial_json": '{"a":'})
    assert isinstance(decode(CODEC, HEAD, [stream(START, *call[:-1]) + b'data: {"type":"content_bl'])[1], StreamTruncatedError)
    whole, error = decode(CODEC, HEAD, [stream(START, *END[:-1])])
    assert decode(CODEC, HEAD, [stream(START, *END[:-1]) + b'event: message_stop\ndata: {"type":"mess']) == (whole, error)
    assert error is None


def test_repeated_start_is_ignored_and_another_one_is_a_cut(decode: Any) -> None:
    assert decode(CODEC, HEAD, [stream(START, START, *END)])[1] is None
    other = {"type": "message_start", "message": {"id": "msg_2"}}
    assert isinstance(decode(CODEC, HEAD, [stream(START, other, *END)])[1], StreamTruncatedError)


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("overloaded_error", "Overloaded", OverloadedError),
        ("rate_limit_error", "Slow down", RateLimitError),
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum", ContextLengthError),
        ("billing_error", "Your credit balance is too low", QuotaExceededError),
    ],
)
def test_error_event_is_typed_and_what_came_before_is_kept(kind: str, message: str, expected: Any, decode: Any, fold: Any) -> None:
    text = block(0, {"type": "text", "text": "so "}, {"type": "text_delta", "text": "far"})
    failure = {"type": "error", "error": {"type": kind, "message": message}}
    events, error = decode(CODEC, HEAD, [stream(START, *text, failure)])
    assert (type(error), error.message, error.provider_code) == (expected, message, kind)
    assert fold(events).reply.text == "so far"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><title>Sign in</title></html>",
        b"null",
        b"{}",
        b"[]",
        b'{"type": "message"',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"data: \xff\n\n",
    ],
)
def test_what_is_no_reply_is_a_typed_error(body: bytes, decode: Any) -> None:
    assert isinstance(decode(CODEC, HEAD, [body])[1], ProtocolError)


def test_too_much_of_anything_is_refused(decode: Any) -> None:
    chunk = b"x" * 1_000_000
    assert isinstance(decode(CODEC, HEAD, [b"data: ", *[chunk] * 20])[1], ProtocolError)
    assert isinstance(decode(CODEC, HEAD, [b"{", *[chunk] * 70])[1], ProtocolError)
    for kind in ("tool_use", "text"):
        starts = [
            {"type": "content_block_start", "index": n, "content_block": {"type": kind, "id": str(n), "name": "t"}} for n in range(2000)
        ]
        assert isinstance(decode(CODEC, HEAD, [stream(START, *starts)])[1], ProtocolError)


def test_a_broken_event_is_skipped_but_not_inside_a_call(decode: Any, fold: Any) -> None:
    text = block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": "A"})
    events, error = decode(CODEC, HEAD, [stream(START), b"data: {broken\n\n", stream(*text, *END)])
    assert error is None
    assert (fold(events).reply.text, fold(events).warnings) == ("A", ["invalid_event"])
    opening = block(0, {"type": "tool_use", "id": "t", "name": "n", "input": {}})[0]
    assert isinstance(decode(CODEC, HEAD, [stream(START, opening), b"data: {broken\n\n"])[1], ProtocolError)


def test_error_bodies_of_every_shape() -> None:
    def read(status: int, body: bytes) -> ParleyError:
        return CODEC.decode_error(ResponseHead(status=status, headers={"retry-after": "3"}, provider="anthropic"), body)

    assert (read(429, b"").retry_after, type(read(429, b""))) == (3, RateLimitError)
    assert "web page" in read(502, b"<html><title>Bad gateway</title></html>").message
    assert read(400, b'{"error": "plain words"}').message == "plain words"
    assert read(529, b"[1]").status == 529


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "index", "input", "content", "usage", "id"]), inner, max_size=4)
    ),
    max_leaves=8,
)
BLOCKS = st.sampled_from(["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "odd"])
DELTAS = st.sampled_from(["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta", "odd_delta"])
FIELDS = st.fixed_dictionaries(
    {}, optional={"text": JSON, "thinking": JSON, "partial_json": JSON, "citation": JSON, "signature": JSON, "name": JSON, "input": JSON}
)
EVENTS = st.one_of(
    st.builds(
        lambda kind, fields, index: {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}},
        BLOCKS,
        FIELDS,
        JSON,
    ),
    st.builds(
        lambda kind, fields, index: {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}},
        DELTAS,
        FIELDS,
        st.integers(0, 2),
    ),
    st.builds(lambda index: {"type": "content_block_stop", "index": index}, JSON),
    st.builds(
        lambda kind, value: {"type": kind, "message": value, "delta": value, "usage": value, "error": value},
        st.sampled_from(["message_start", "message_delta", "message_stop", "ping", "message", "odd"]),
        JSON,
    ),
)


@given(events=st.lists(EVENTS, max_size=12), cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_odd_shapes_are_events_or_typed_errors_in_any_split(events: list[dict[str, Any]], cuts: list[int], decode: Any) -> None:
    body = stream(START, *events, *END)
    whole = decode(CODEC, HEAD, [body])
    points = sorted({min(cut, len(body)) for cut in cuts})
    split = decode(CODEC, HEAD, [body[start:end] for start, end in zip([0, *points], [*points, len(body)], strict=True)])
    assert (split[0], repr(split[1])) == (whole[0], repr(whole[1]))


@given(body=st.binary(max_size=300))
def test_any_bytes_are_events_or_typed_errors(body: bytes, decode: Any) -> None:
    decode(CODEC, HEAD, [body])
    assert isinstance(CODEC.decode_error(HEAD, body), ParleyError)


PARTS = st.one_of(
    st.builds(TextPart, text=st.text(max_size=5)),
    st.builds(ReasoningPart, text=st.text(max_size=5), signature=st.none() | st.text(max_size=3)),
    st.builds(ToolCall, id=st.text(min_size=1, max_size=5), name=st.just("t"), arguments=st.sampled_from(["{}", "[1]", "{", '{"a": 1}'])),
)


@given(turns=st.lists(st.tuples(st.sampled_from(["user", "assistant", "system"]), st.lists(PARTS, max_size=3)), min_size=1, max_size=6))
def test_any_conversation_alternates_and_its_ids_match(turns: list[tuple[Any, list[Any]]]) -> None:
    messages: list[Message] = []
    for role, parts in turns:
        kept = parts if role == "assistant" else [part for part in parts if isinstance(part, TextPart)]
        messages.append(Message(role=role, content=kept))
        calls = [part for part in kept if isinstance(part, ToolCall)]
        if calls:
            messages.append(Message(role="tool", content=[ToolResult(tool_call_id=call.id, content="r") for call in calls]))
    body, _ = encoded(asking(*messages))
    roles = [message["role"] for message in body["messages"]]
    assert all(first != second for first, second in itertools.pairwise(roles))
    blocks = [entry for message in body["messages"] for entry in message["content"]]
    asked = [entry["id"] for entry in blocks if entry["type"] == "tool_use"]
    answered = [entry["tool_use_id"] for entry in blocks if entry["type"] == "tool_result"]
    assert len(set(asked)) == len(asked)
    assert sorted(asked) == sorted(answered)
    assert all(character.isascii() and (character.isalnum() or character in "_-") for name in asked for character in name)
    assert all(entry["text"] for entry in blocks if entry["type"] == "text")


def test_text_deltas_join_to_the_text(decode: Any, fold: Any) -> None:
    cited = {"type": "citations_delta", "citation": {"cited_text": "q", "url": "u"}}
    texts = [
        *block(0, {"type": "text", "text": "a"}, cited),
        *block(1, {"type": "text", "text": "b"}),
        *block(2, {"type": "text", "text": "c"}),
    ]
    events, _ = decode(CODEC, HEAD, [stream(START, *texts, *END)])
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == fold(events).reply.text == "abc"
    assert [part.text for part in fold(events).parts] == ["a", "b", "c"]


def test_thought_that_is_bound_to_the_words_before_it_is_passed_over_when_they_change() -> None:
    target = Target(provider="anthropic", model="claude-fable-5-1", endpoint="https://example.test")
    written = CODEC.encode(asking(reasoning_effort="none"), target=target, stream=False)
    body = json.loads(written.body)
    assert body["thinking"]["block_binding"] == {"prefix_mismatch_behavior": "drop_block"}
    assert "thinking-binding" in written.headers["anthropic-beta"]
    assert body["output_config"] == {"effort": "low"}
    assert [warning.code for warning in written.warnings] == ["reasoning_not_off"]
    assert encoded(asking(), "claude-fable-5-1")[0]["thinking"]["type"] == "adaptive"
    with pytest.raises(UnsupportedFeatureError, match="tool_choice"):
        encoded(asking(tools=[Tool(name="t")], tool_choice="required"), "claude-fable-5-1")


def test_what_an_assistant_drew_or_spoke_elsewhere_is_left_out_with_a_warning() -> None:
    spoken = Message(
        role="assistant", content=[TextPart(text="Listen."), FilePart(media_type="audio/wav", data="aGk="), ImagePart(data="aGk=")]
    )
    request = ChatRequest(messages=[Message(role="user", content="Say it"), spoken, Message(role="user", content="Again")])
    encoded = AnthropicMessages().encode(request, target=Target(provider="anthropic", model="m", endpoint="http://x"), stream=False)
    turn = json.loads(encoded.body)["messages"][1]
    assert turn == {"role": "assistant", "content": [{"type": "text", "text": "Listen."}]}
    assert [warning.code for warning in encoded.warnings] == ["assistant_media_dropped"]


def test_the_detail_of_an_image_is_left_out_with_a_warning() -> None:
    for detail, codes in (("low", {"image_detail_dropped"}), ("auto", set()), (None, set())):
        image = ImagePart(media_type="image/png", data="AAAA", detail=detail)
        assert encoded(asking(Message(role="user", content=[image])))[1] == codes
