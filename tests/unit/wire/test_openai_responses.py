from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Capabilities
from parley.contract.errors import (
    InvalidRequestError,
    ParleyError,
    ProtocolError,
    RateLimitError,
    ServerError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.fold import Fold
from parley.wire.openai_responses import OpenAIResponses

WIRE = OpenAIResponses()
QUESTION = Message(role="user", content="Hi")
CITY = Tool(name="weather", description="Tells it", parameters={"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"name": {"type": "string"}}}


def encoded(
    *messages: Message, model: str = "gpt-5-mini", stream: bool = False, wire: OpenAIResponses = WIRE, **options: Any
) -> dict[str, Any]:
    capabilities = options.pop("capabilities", Capabilities())
    more = {name: options.pop(name) for name in ("system_prompt", "user_id", "strict_options") if name in options}
    request = ChatRequest(messages=list(messages) or [QUESTION], options=Options(**options), **more)
    target = Target(provider="acme", model=model, endpoint="https://acme.example/v1", capabilities=capabilities)
    return json.loads(wire.encode(request, target=target, stream=stream).body)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events)


def read(*events: dict[str, Any], request: ChatRequest | None = None) -> tuple[ChatResponse, Fold]:
    decoder = WIRE.decoder(request or ChatRequest(messages=[QUESTION]), ResponseHead(status=200, provider="acme", model="m"))
    fold = Fold()
    fold.add([*decoder.feed(sse(*events)), *decoder.close()])
    return ChatResponse(parts=fold.parts(), refusal=fold.refusal or None), fold


def ended(*output: dict[str, Any], status: str = "completed", **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{status}", "response": {"id": "resp_1", "model": "m", "status": status, "output": list(output), **fields}}


class TestRequest:
    def test_everything_that_is_asked_for_is_sent_where_it_belongs(self) -> None:
        body = encoded(
            model="gpt-4.1",
            system_prompt="Be brief",
            temperature=0,
            top_p=0.5,
            max_tokens=9,
            user_id="u1",
            stream=True,
            tools=[CITY],
            tool_choice="required",
            parallel_tool_calls=False,
        )
        tool = {"type": "function", "name": "weather", "description": "Tells it", "parameters": CITY.parameters, "strict": False}
        assert body == {
            "model": "gpt-4.1",
            "instructions": "Be brief",
            "input": [{"role": "user", "content": "Hi"}],
            "temperature": 0,
            "top_p": 0.5,
            "max_output_tokens": 9,
            "tools": [tool],
            "parallel_tool_calls": False,
            "tool_choice": "required",
            "safety_identifier": "u1",
            "store": False,
            "stream": True,
        }

    def test_a_named_tool_is_demanded(self) -> None:
        assert encoded(tools=[CITY], tool_choice=NamedToolChoice(name="weather"))["tool_choice"] == {"type": "function", "name": "weather"}

    def test_only_reasoning_models_are_asked_for_their_thought(self) -> None:
        assert encoded(model="gpt-5-mini")["include"] == ["reasoning.encrypted_content"]
        assert encoded(model="openai/o3")["include"] == ["reasoning.encrypted_content"]
        for model in ("gpt-4.1", "gpt-5-chat-latest"):
            assert "include" not in encoded(model=model)

    def test_sampling_is_left_out_with_a_warning_where_a_model_refuses_it(self) -> None:
        target = Target(provider="acme", model="gpt-5-mini", endpoint="https://acme.example/v1")
        request = ChatRequest(messages=[QUESTION], options=Options(temperature=0.5))
        sent = WIRE.encode(request, target=target, stream=False)
        assert "temperature" not in json.loads(sent.body)
        assert [warning.code for warning in sent.warnings] == ["temperature_dropped"]
        assert encoded(model="gpt-5.4", temperature=0.5)["temperature"] == 0.5
        assert "temperature" not in encoded(model="gpt-5.4", temperature=0.5, reasoning_effort="high")
        with pytest.raises(UnsupportedFeatureError):
            encoded(model="o3", temperature=0.5, strict_options=True)

    @pytest.mark.parametrize(
        ("wanted", "mode", "expected"),
        [
            ("json", "native", {"format": {"type": "json_object"}}),
            (
                SchemaFormat(name="n", schema=SCHEMA),
                "native",
                {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
            ),
            ("text", "native", None),
            ("json", "prompt", None),
        ],
    )
    def test_structured_output(self, wanted: Any, mode: Any, expected: Any) -> None:
        body = encoded(response_format=wanted, capabilities=Capabilities(structured_output=mode))
        assert body.get("text") == expected
        assert ("JSON" in body.get("instructions", "")) == (mode == "prompt")

    def test_structured_output_by_a_tool_comes_back_as_text(self) -> None:
        options = Options(response_format=SchemaFormat(name="n", schema=SCHEMA), tools=[CITY])
        body = encoded(response_format=options.response_format, tools=[CITY], capabilities=Capabilities(structured_output="tool"))
        name = body["tools"][1]["name"]
        assert body["tool_choice"] == "required"
        item = {"type": "function_call", "id": "fc", "call_id": "c", "name": name, "arguments": ""}
        events = (
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"name":'},
            {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '"Ada"}'},
            ended(item | {"arguments": '{"name":"Ada"}'}),
        )
        reply, _ = read(*events, request=ChatRequest(messages=[QUESTION], options=options))
        assert (reply.text, reply.tool_calls) == ('{"name":"Ada"}', [])

    def test_own_options_find_their_places(self) -> None:
        extra = {
            "reasoning_summary": "auto",
            "verbosity": "low",
            "hosted_tools": [{"type": "web_search"}],
            "include": ["x"],
            "store": True,
            "service_tier": "flex",
        }
        body = encoded(reasoning_effort="low", tools=[CITY], response_format="json", extra=extra)
        assert body["reasoning"] == {"effort": "low", "summary": "auto"}
        assert body["text"] == {"format": {"type": "json_object"}, "verbosity": "low"}
        assert [tool["type"] for tool in body["tools"]] == ["function", "web_search"]
        assert body["include"] == ["reasoning.encrypted_content", "x"]
        assert (body["store"], body["service_tier"]) == (True, "flex")
        assert encoded(reasoning_effort="low", extra={"reasoning_effort": "xhigh"})["reasoning"] == {"effort": "xhigh"}

    def test_media_go_as_input_parts(self) -> None:
        parts = [
            TextPart(text="Look"),
            ImagePart(media_type="image/png", data="aaaa", detail="low"),
            ImagePart(url="https://x.example/i.png"),
            FilePart(media_type="application/pdf", name="a.pdf", data="bbbb"),
            FilePart(id="file-1"),
            FilePart(url="https://x.example/a.pdf"),
        ]
        (item,) = encoded(Message(role="user", content=parts))["input"]
        assert item["content"] == [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": "data:image/png;base64,aaaa", "detail": "low"},
            {"type": "input_image", "image_url": "https://x.example/i.png", "detail": "auto"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,bbbb"},
            {"type": "input_file", "file_id": "file-1"},
            {"type": "input_file", "file_url": "https://x.example/a.pdf"},
        ]

    def test_tool_results_keep_their_media_and_say_their_errors(self) -> None:
        call = Message(role="assistant", content=[ToolCall(id="a", name="f"), ToolCall(id="b", name="f", arguments="no JSON")])
        image = ImagePart(media_type="image/png", data="aaaa")
        results = [
            ToolResult(tool_call_id="a", content="no", is_error=True),
            ToolResult(tool_call_id="b", content=[TextPart(text="see"), image]),
        ]
        items = encoded(QUESTION, call, Message(role="tool", content=results))["input"]
        assert [item["arguments"] for item in items if item.get("type") == "function_call"] == ["{}", '{"input":"no JSON"}']
        assert items[-2] == {"type": "function_call_output", "call_id": "a", "output": "Error: no"}
        assert items[-1]["output"][1] == {"type": "input_image", "image_url": "data:image/png;base64,aaaa", "detail": "auto"}

    def test_a_part_in_the_wrong_message_is_named(self) -> None:
        with pytest.raises(InvalidRequestError) as raised:
            encoded(Message(role="user", content=[ToolCall(id="a", name="f")]))
        assert "messages[0]" in raised.value.message

    def test_thought_goes_back_only_where_it_can_be_read_and_something_follows_it(self) -> None:
        def thought(**item: Any) -> ReasoningPart:
            data = {"item": {"type": "reasoning", "id": "rs_1", "summary": [], **item}}
            return ReasoningPart(text="", provider_data=ProviderData(wire="openai_responses", provider="acme", data=data))

        text = TextPart(text="x", provider_data=ProviderData(wire="openai_responses", provider="acme", data={"id": "msg_1"}))
        kinds = [
            [item.get("type") for item in encoded(QUESTION, Message(role="assistant", content=list(parts)), QUESTION)["input"]][1:-1]
            for parts in ((thought(encrypted_content="e"), text), (thought(), text), (text, thought(encrypted_content="e")))
        ]
        assert kinds == [["reasoning", "message"], ["message"], ["message"]]


class TestReply:
    def test_what_the_stream_left_out_is_read_from_the_end(self) -> None:
        message = {"type": "message", "id": "msg_1", "content": [{"type": "output_text", "text": "Hello"}]}
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "weather", "arguments": '{"city":"Oslo"}'}
        thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]}
        usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "output_tokens_details": {"reasoning_tokens": 0}}
        reply, fold = read(ended(thought, message, call, usage=usage))
        assert (reply.reasoning, reply.text) == ("Hm", "Hello")
        assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [("call_1", "weather", '{"city":"Oslo"}')]
        assert (fold.report.prompt_tokens, fold.report.completion_tokens, fold.report.reasoning_tokens) == (3, 4, 0)
        assert fold.finished is not None
        assert fold.finished.finish_reason == "tool_calls"

    def test_deltas_of_an_item_that_was_not_announced_count(self) -> None:
        reply, _ = read(
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "m", "delta": "Hel"},
            {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "item_id": "another", "delta": "lo"},
            ended(),
        )
        assert reply.text == "Hello"

    def test_texts_of_one_message_stay_parts_of_their_own(self) -> None:
        content = [{"type": "output_text", "text": "One."}, {"type": "output_text", "text": "Two."}]
        reply, _ = read(ended({"type": "message", "id": "msg_1", "content": content}))
        assert [part.text for part in reply.parts if isinstance(part, TextPart)] == ["One.", "Two."]
        items = encoded(QUESTION, reply.to_message())["input"]
        assert [part["text"] for part in items[1]["content"]] == ["One.", "Two."]

    def test_a_refusal_is_no_text(self) -> None:
        reply, _ = read(
            {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "I can"},
            {"type": "response.refusal.delta", "output_index": 0, "content_index": 0, "delta": "not"},
            ended({"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "I cannot"}]}),
        )
        assert (reply.text, reply.refusal) == ("", "I cannot")

    def test_a_generated_image_is_a_part_and_goes_back(self) -> None:
        reply, _ = read(ended({"type": "image_generation_call", "id": "ig_1", "result": "aaaa", "output_format": "webp"}))
        (image,) = reply.parts
        assert isinstance(image, ImagePart)
        assert (image.media_type, image.data) == ("image/webp", "aaaa")
        assert encoded(QUESTION, reply.to_message())["input"][1]["result"] == "aaaa"

    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down"}, RateLimitError),
            ({"type": "error", "error": {"type": "server_error", "message": "Sorry"}}, ServerError),
            (ended(status="failed", error={"code": "server_error", "message": "It broke"}), ServerError),
            (ended(status="failed"), ServerError),
            ({"type": "response.function_call_arguments.delta", "output_index": 4, "delta": "{"}, ProtocolError),
            ({"type": "response.output_text.delta", "output_index": 0, "delta": "Hel"}, StreamTruncatedError),
        ],
    )
    def test_what_goes_wrong_is_the_error_it_stands_for(self, event: dict[str, Any], expected: type[ParleyError]) -> None:
        with pytest.raises(expected):
            read(event)

    @pytest.mark.parametrize(
        ("reason", "expected"), [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("odd", "unknown")]
    )
    def test_an_incomplete_reply_says_why(self, reason: str, expected: str) -> None:
        _, fold = read(ended(status="incomplete", incomplete_details={"reason": reason}))
        assert fold.finished is not None
        assert (fold.finished.finish_reason, fold.finished.raw_finish_reason) == (expected, reason)

    def test_what_comes_after_the_end_is_not_read(self) -> None:
        reply, _ = read(ended(), {"type": "response.output_text.delta", "output_index": 0, "delta": "more"})
        assert reply.text == ""

    def test_a_document_that_is_no_response_is_told_as_such(self) -> None:
        for body in (b"{}", b'{"hello": 1}', b"<html><title>nginx</title></html>", b"[]", b"nonsense"):
            decoder = WIRE.decoder(ChatRequest(messages=[QUESTION]), ResponseHead(status=200, provider="acme", model="m"))
            assert decoder.feed(body) == []
            with pytest.raises((ProtocolError, StreamTruncatedError)):
                decoder.close()


KINDS = [
    "response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta", "response.completed",
    "response.function_call_arguments.delta", "response.output_text.annotation.added", "response.reasoning_summary_text.delta",
    "response.refusal.delta", "response.failed", "error", "response.unheard_of",
]  # fmt: skip
FIELDS = [
    "item",
    "delta",
    "output_index",
    "content_index",
    "summary_index",
    "annotation",
    "response",
    "type",
    "output",
    "content",
    "usage",
    "error",
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from([*KINDS, "message", "reasoning"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5)), max_size=6))
def test_no_stream_whatever_raises_anything_but_our_errors(events: list[tuple[str, dict[str, Any]]]) -> None:
    body = b"".join(b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps({"type": kind} | fields).encode()) for kind, fields in events)
    decoder = WIRE.decoder(ChatRequest(messages=[QUESTION]), ResponseHead(status=200, provider="acme", model="m"))
    try:
        found = [*decoder.feed(body), *decoder.close()]
    except ParleyError:
        return
    assert found
