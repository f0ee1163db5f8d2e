from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import ExtraOption
from parley.contract.errors import CallerError, RateLimitError
from parley.contract.events import (
    CitationAdded,
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
    WarningRaised,
)
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation, ResponseWarning
from parley.contract.usage import Usage
from parley.wire.openai_chat_server_state import CallState
from parley.wire.openai_responses import OpenAIResponses
from parley.wire.openai_responses_server import ResponsesCall, read_responses_request
from parley.wire.openai_responses_server_fields import FIELDS, KNOWN, fields_table
from parley.wire.openai_responses_server_reply import Frame, encode_error_event, encode_response
from parley.wire.openai_responses_server_stream import ResponseWriter
from parley.wire.server_fields import Behind

DECLARED = [
    ExtraOption(name=name)
    for name in ("hosted_tools", "include", "reasoning_summary", "reasoning_effort", "verbosity", "service_tier", "tool_choice")
]
SAME = Behind(provider="acme", wire="openai_responses", options=DECLARED)
OTHER = Behind(provider="other", wire="anthropic_messages", options=())
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "name": "weather", "description": "Of a place", "parameters": SCHEMA, "strict": True}
SEARCH = {"type": "web_search"}
FRAME = Frame(echo={"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, created=7, seed="s")
STATE = ProviderData(wire="gemini_generate", provider="g", data={"k": 1})


def call_of(behind: Behind = OTHER, *, strict: bool = False, recall: Any = None, **fields: Any) -> ResponsesCall:
    return read_responses_request({"input": "Hi", **fields}, model="m", behind=behind, strict=strict, recall=recall)


def messages_of(*items: dict[str, Any], behind: Behind = OTHER, recall: Any = None) -> list[Message]:
    return call_of(behind, input=list(items), recall=recall).request.messages


def refused(behind: Behind = OTHER, **fields: Any) -> str:
    with pytest.raises(CallerError) as raised:
        call_of(behind, **fields)
    return raised.value.fields[0].path


def sent(behind: Behind, **fields: Any) -> dict[str, Any]:
    """What the vendor on the same wire gets of a call."""
    target = Target(provider="acme", model="gpt-x", endpoint="http://a/v1")
    return json.loads(OpenAIResponses().encode(call_of(behind, **fields).request, target=target, stream=False).body)


def own(data: Any) -> ProviderData:
    return ProviderData(wire="openai_responses", provider="acme", data=data)


def test_the_table_names_every_field_of_the_official_client() -> None:
    create = pytest.importorskip("openai.types.responses.response_create_params", reason="needs the package openai")
    official = get_type_hints(create.ResponseCreateParamsStreaming).keys() | get_type_hints(create.ResponseCreateParamsNonStreaming).keys()
    assert {field.name for field in FIELDS} == official
    for field in FIELDS:
        assert f"| `{field.name}` |" in fields_table()


def test_every_translated_field_reaches_the_contract() -> None:
    call = call_of(
        instructions="Be brief",
        temperature=0,
        top_p=0.5,
        max_output_tokens=7,
        tools=[WEATHER],
        tool_choice="required",
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        text={"format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}},
        safety_identifier="u1",
        stream=True,
        stream_options={"include_obfuscation": False},
        include=["reasoning.encrypted_content"],
        store=False,
        background=False,
        top_logprobs=0,
    )
    assert call.request == ChatRequest(
        messages=[Message(role="user", content="Hi")],
        system_prompt="Be brief",
        options=Options(
            model="m",
            temperature=0,
            top_p=0.5,
            max_tokens=7,
            parallel_tool_calls=False,
            tools=[Tool(name="weather", description="Of a place", parameters=SCHEMA, strict=True)],
            tool_choice="required",
            reasoning_effort="low",
            response_format=SchemaFormat(name="place", schema=SCHEMA, strict=True),
        ),
        user_id="u1",
    )
    assert call.stream
    assert call.warnings == []
    assert call.echo["instructions"] == "Be brief"
    assert call.echo["store"] is False


def test_null_asks_for_nothing() -> None:
    assert call_of(**dict.fromkeys(KNOWN - {"model", "input"}), foreign=None) == call_of()


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True},
        {"previous_response_id": "resp_1"},
        {"background": True},
        {"conversation": "conv_1"},
        {"top_logprobs": 2},
    ],
)
def test_what_needs_a_memory_is_refused_in_words(fields: dict[str, Any]) -> None:
    (name,) = fields
    assert refused(SAME, **fields) == name
    with pytest.raises(CallerError, match="is not supported: "):
        call_of(**fields)
    assert refused(input=[{"type": "item_reference", "id": "rs_1"}]) == "input[0].type"
    assert refused(input=[{"id": "rs_1"}]) == "input[0].type"
    assert refused(include=["message.output_text.logprobs"]) == "include[0]"


@pytest.mark.parametrize(
    ("choice", "expected", "names"),
    [
        ("auto", "auto", ["weather", "time"]),
        ({"type": "function", "name": "time"}, NamedToolChoice(name="time"), ["weather", "time"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "time"}]}, "required", ["time"]),
    ],
)
def test_tool_choices(choice: Any, expected: Any, names: list[str]) -> None:
    options = call_of(tools=[WEATHER, {"type": "function", "name": "time"}], tool_choice=choice).request.options
    assert options.tool_choice == expected
    assert [tool.name for tool in options.tools or []] == names


def test_the_vendors_own_words_reach_who_speaks_its_wire() -> None:
    items = [
        {"role": "user", "content": "Hi"},
        {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "secret"},
        {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "phase": "commentary",
         "content": [{"type": "output_text", "text": "See", "annotations": []}]},
        {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "dry"},
    ]  # fmt: skip
    body = sent(
        SAME,
        input=items,
        tools=[WEATHER, SEARCH],
        tool_choice={"type": "web_search"},
        reasoning={"effort": "xhigh", "summary": "auto"},
        text={"verbosity": "low"},
        service_tier="flex",
        include=["web_search_call.action.sources"],
    )
    assert body["input"] == items
    assert body["tools"] == [WEATHER, SEARCH]
    assert body["tool_choice"] == {"type": "web_search"}
    assert body["reasoning"] == {"effort": "xhigh", "summary": "auto"}
    assert body["text"] == {"verbosity": "low"}
    assert (body["service_tier"], body["include"]) == ("flex", ["web_search_call.action.sources"])


def test_what_means_nothing_elsewhere_is_left_out_and_named() -> None:
    call = call_of(
        truncation="auto",
        text={"verbosity": "low"},
        reasoning={"effort": "max", "summary": "auto"},
        foreign=1,
        input=[{"role": "user", "content": "Hi"}, {"type": "web_search_call", "id": "ws_1"}],
    )
    assert call.request.options.extra == {}
    assert call.request.options.reasoning_effort == "high"
    named = [warning.message.split()[0] for warning in call.warnings]
    assert sorted(named) == ["foreign", "input.web_search_call", "reasoning.effort", "text.verbosity", "truncation"]
    with pytest.raises(CallerError, match="truncation"):
        call_of(truncation="auto", strict=True)
    assert refused(tools=[SEARCH]) == "tools[0].type"
    assert refused(prompt={"id": "pmpt_1"}) == "prompt"


def test_a_chat_wire_takes_the_fields_that_it_shares() -> None:
    takes_any = Behind(provider="any", wire="openai_chat", options=None)
    call = call_of(takes_any, service_tier="flex", text={"verbosity": "low"})
    assert call.request.options.extra == {"service_tier": "flex", "verbosity": "low"}
    assert call_of(Behind(provider="any", wire="", options=None), service_tier="flex").request.options.extra == {}


def test_a_conversation_with_tools() -> None:
    call = call_of(
        input=[
            {"role": "developer", "content": "Be brief"},
            {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"role": "assistant", "content": "See"},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": '{"city":"Bonn"}'},
            {"type": "function_call", "call_id": "c2", "name": "time", "arguments": ""},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "dry"}]},
            {"type": "function_call_output", "call_id": "c2", "output": "noon"},
            {"type": "message", "role": "user", "content": "And?"},
        ]
    )
    assert call.request.messages == [
        Message(role="system", content="Be brief"),
        Message(role="user", content=[TextPart(text="Weather?")]),
        Message(
            role="assistant",
            content=[
                ReasoningPart(text="hm"),
                TextPart(text="See"),
                ToolCall(id="c1", name="weather", arguments='{"city":"Bonn"}'),
                ToolCall(id="c2", name="time"),
            ],
        ),
        Message(role="tool", content=[ToolResult(tool_call_id="c1", content=[TextPart(text="dry")])]),
        Message(role="tool", content=[ToolResult(tool_call_id="c2", content="noon")]),
        Message(role="user", content="And?"),
    ]
    assert call.param("messages[5].content") == "input[8].content"
    assert call.param("options.max_tokens") == "max_output_tokens"


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, ImagePart(media_type="image/png", data="AAAA")),
        ({"type": "input_image", "image_url": "https://a/i.png", "detail": "low"}, ImagePart(url="https://a/i.png", detail="low")),
        ({"type": "input_image", "image_url": "https://a/i.png", "detail": "original"}, ImagePart(url="https://a/i.png", detail="high")),
        ({"type": "input_image", "file_id": "f1"}, FilePart(media_type="image/*", id="f1")),
        ({"type": "input_file", "file_id": "f1", "filename": "a.pdf"}, FilePart(id="f1", name="a.pdf")),
        ({"type": "input_file", "file_url": "https://a/d.pdf"}, FilePart(url="https://a/d.pdf")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
            FilePart(media_type="application/pdf", name="a.pdf", data="AAAA"),
        ),
    ],
)
def test_media(block: dict[str, Any], part: Any) -> None:
    assert messages_of({"role": "user", "content": [block]})[0].parts == [part]


def test_thought_of_another_wire_comes_back_as_it_went() -> None:
    thought = ReasoningPart(text="hm", signature="sig", provider_data=STATE)
    hidden = ReasoningPart(redacted="secret", provider_data=STATE)
    reply = ChatResponse(parts=[thought, hidden, TextPart(text="Hi")], finish_reason="stop")
    output = json.loads(encode_response(reply, FRAME))["output"]
    assert output[0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert messages_of(*output) == [Message(role="assistant", content=[thought, hidden, TextPart(text="Hi")])]
    output[0]["encrypted_content"] = "parley1.broken"
    assert refused(input=output) == "input[0].encrypted_content"


def test_what_a_client_cannot_bring_back_is_recalled() -> None:
    states = {"c1": CallState(provider_data=STATE)}
    item = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "weather", "arguments": "{}"}
    assert messages_of(item, recall=states.get)[0].parts == [ToolCall(id="c1", name="weather", provider_data=STATE)]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [1]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "input[0].content[0].type"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "data:x"}]}]}, "input[0].content[0].image_url"),
        ({"input": [{"type": "function_call", "call_id": "c1"}]}, "input[0].name"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": "some"}, "tool_choice"),
        ({"max_output_tokens": "many"}, "max_output_tokens"),
    ],
)
def test_a_refusal_names_its_place(fields: dict[str, Any], path: str) -> None:
    assert refused(**fields) == path


names = st.sampled_from(["type", "text", "content", "role", "name", "summary", "call_id", "output"])
json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["message", "reasoning", "function_call"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner),
    max_leaves=8,
)


@pytest.mark.parametrize("behind", [SAME, OTHER])
@given(fields=st.dictionaries(st.sampled_from(sorted(KNOWN)), json_values))
def test_any_body_is_read_or_refused(behind: Behind, fields: dict[str, Any]) -> None:
    with suppress(CallerError):
        read_responses_request(fields, model="m", behind=behind)


USAGE = Usage(prompt_tokens=9, completion_tokens=5, total_tokens=14, cached_tokens=4, reasoning_tokens=1)


def test_a_reply_of_another_wire_is_one_of_the_clients_type() -> None:
    reply = ChatResponse(
        parts=[TextPart(text="See"), ToolCall(id="c1", name="weather"), ImagePart(media_type="image/png", data="AAAA")],
        usage=USAGE,
        id="r1",
        model="m1",
        finish_reason="tool_calls",
        citations=[Citation(url="https://a", title="A", start_index=0, end_index=3)],
        refusal="No.",
        cost=0.5,
    )
    document = json.loads(encode_response(reply, Frame(echo=call_of(tools=[WEATHER]).echo, created=7, seed="s")))
    types = pytest.importorskip("openai.types.responses", reason="needs the package openai")
    types.Response.model_validate(document)
    assert [item["type"] for item in document["output"]] == ["message", "function_call", "image_generation_call", "message"]
    assert document["output"][0]["content"][0]["annotations"] == [
        {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 3}
    ]
    assert document["status"] == "completed"
    assert document["usage"]["input_tokens_details"]["cached_tokens"] == 4
    assert document["usage"]["cost"] == 0.5


@pytest.mark.parametrize(
    ("reason", "raw", "status", "told"),
    [
        ("stop", "end_turn", "completed", None),
        ("length", "max_tokens", "incomplete", {"reason": "max_output_tokens"}),
        ("length", "MAX", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "SAFETY", "incomplete", {"reason": "content_filter"}),
        ("unknown", "max_messages", "incomplete", {"reason": "max_messages"}),
        ("interrupted", None, "incomplete", {"reason": "max_output_tokens"}),
    ],
)
def test_how_a_reply_ended(reason: Any, raw: str | None, status: str, told: Any) -> None:
    document = json.loads(encode_response(ChatResponse(finish_reason=reason, raw_finish_reason=raw), FRAME))
    assert (document["status"], document["incomplete_details"]) == (status, told)


def test_a_stream_of_another_wire_is_complete_in_order_and_of_the_clients_types() -> None:
    writer = ResponseWriter(FRAME, reply_id="made-up", model="asked-for")
    batches: list[list[Any]] = [
        [ResponseStarted(id="r1", model="m1")],
        [ReasoningDelta("hm"), ReasoningEnded(signature="sig", provider_data=STATE)],
        [TextDelta("Hel"), TextDelta("lo"), CitationAdded(citation=Citation(url="https://a"))],
        [
            ToolCallStarted(index=0, id="c1", name="weather"),
            ToolCallDelta(index=0, arguments='{"a":'),
            ToolCallDelta(index=0, arguments="1}"),
        ],
        [
            ToolCallStarted(index=1, id="c2", name="now"),
            ToolCallEnded(index=0, call=ToolCall(id="c1", name="weather", arguments='{"a":1}')),
        ],
        [ToolCallEnded(index=1, call=ToolCall(id="c2", name="now")), RefusalDelta("No."), PartAdded(part=ImagePart(data="AAAA"))],
        [WarningRaised(warning=ResponseWarning(code="late", message="x"))],
        [ResponseFinished(response=ChatResponse(id="r1", model="m1", usage=USAGE, finish_reason="tool_calls"))],
    ]
    body = b"".join(writer.write(batch) for batch in batches).decode()
    blocks = [block.split("\n", 1) for block in body.split("\n\n") if block]
    events = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [name.removeprefix("event: ") for name, _ in blocks] == [event["type"] for event in events]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    types = pytest.importorskip("openai.types.responses", reason="needs the package openai")
    pydantic = pytest.importorskip("pydantic", reason="needs the package openai")
    reader = pydantic.TypeAdapter(types.ResponseStreamEvent)
    for event in events:
        reader.validate_python(event)
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.delta", "output_text.annotation.added",
        "output_text.done", "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.delta",
        "function_call_arguments.done", "output_item.done",
        "output_item.added", "function_call_arguments.done", "output_item.done",
        "output_item.added", "content_part.added", "refusal.delta", "refusal.done", "content_part.done", "output_item.done",
        "output_item.added", "output_item.done",
        "completed",
    ]  # fmt: skip
    response = events[-1]["response"]
    assert [item["type"] for item in response["output"]] == [
        "reasoning", "message", "function_call", "function_call", "message", "image_generation_call"
    ]  # fmt: skip
    assert response["output"][3]["arguments"] == "{}"
    assert response["warnings"] == [{"code": "late", "message": "x"}]
    assert messages_of(response["output"][0])[0].parts == [ReasoningPart(text="hm", signature="sig", provider_data=STATE)]


def test_an_answer_of_nothing_is_a_whole_stream() -> None:
    body = ResponseWriter(FRAME, reply_id="made-up", model="asked-for").write(
        [ResponseFinished(response=ChatResponse(finish_reason="stop"))]
    )
    events = [json.loads(block.partition("data: ")[2]) for block in body.decode().split("\n\n") if block]
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert (events[-1]["response"]["id"], events[-1]["response"]["model"]) == ("made-up", "asked-for")


def test_an_error_in_a_stream_is_numbered_and_says_when_to_come_back() -> None:
    event = encode_error_event(RateLimitError("slow down", retry_after=3), message="slow down", param=None, number=4)
    told = json.loads(event.removeprefix(b"event: error\ndata: "))
    assert (told["type"], told["sequence_number"], told["code"]) == ("error", 4, "provider_rate_limited")
    assert told["error"] == {
        "message": "slow down", "type": "rate_limit_error", "param": None, "code": "provider_rate_limited", "retry_after": 3
    }  # fmt: skip
