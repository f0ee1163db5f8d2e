from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import ExtraOption
from parley.contract.errors import (
    ConfigurationError,
    ErrorCode,
    FieldProblem,
    InvalidRequestError,
    MissingCredentialError,
    ParleyError,
    UnsupportedFeatureError,
)
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Message, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.openai_chat import OpenAIChat
from parley.wire.openai_chat_server import ChatCall, decode_request, error_param
from parley.wire.openai_chat_server_fields import EXTENSIONS, FIELDS, PASSED, fields_table

MESSAGES = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Of a place", "parameters": SCHEMA, "strict": True}}


def call_of(*, strict: bool = False, **fields: Any) -> ChatCall:
    return decode_request(json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode(), strict=strict)


def messages_of(*messages: dict[str, Any]) -> list[Message]:
    return call_of(messages=list(messages)).request.messages


def refused(**fields: Any) -> ParleyError:
    with pytest.raises((InvalidRequestError, UnsupportedFeatureError)) as raised:
        call_of(**fields)
    return raised.value


def test_the_table_names_every_field_of_the_official_client() -> None:
    create = pytest.importorskip("openai.types.chat.completion_create_params", reason="needs the package openai")
    official = (
        get_type_hints(create.CompletionCreateParamsNonStreaming).keys() | get_type_hints(create.CompletionCreateParamsStreaming).keys()
    )
    assert {field.name for field in FIELDS} == official
    for field in (*FIELDS, *EXTENSIONS):
        assert f"| `{field.name}` |" in fields_table()


def test_every_translated_field_reaches_the_contract() -> None:
    call = call_of(
        temperature=0,
        top_p=0.5,
        top_k=4,
        max_tokens=7,
        stop="END",
        seed=1,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        parallel_tool_calls=False,
        tools=[WEATHER],
        tool_choice="required",
        response_format={"type": "json_object"},
        reasoning_effort="low",
        user="u1",
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    assert call.request.options == Options(
        temperature=0,
        top_p=0.5,
        top_k=4,
        max_tokens=7,
        stop=["END"],
        seed=1,
        frequency_penalty=0.1,
        presence_penalty=-0.1,
        parallel_tool_calls=False,
        tools=[Tool(name="weather", description="Of a place", parameters=SCHEMA, strict=True)],
        tool_choice="required",
        response_format="json",
        reasoning_effort="low",
    )
    assert (call.model, call.stream, call.include_usage, call.request.user_id) == ("m", True, True, "u1")
    assert (call.unknown, call.warnings) == ({}, [])


def test_null_asks_for_nothing() -> None:
    official = [field.name for field in (*FIELDS, *EXTENSIONS) if field.name not in {"model", "messages"}]
    call = call_of(**dict.fromkeys(official), foreign=None)
    assert call == call_of()


def test_a_limit_of_completion_tokens_wins() -> None:
    assert call_of(max_tokens=1, max_completion_tokens=2).request.options.max_tokens == 2


@pytest.mark.parametrize(
    ("given_choice", "choice", "names"),
    [
        ("auto", "auto", ["weather", "time"]),
        ({"type": "function", "function": {"name": "time"}}, NamedToolChoice(name="time"), ["weather", "time"]),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "time"}}]}},
            "required",
            ["time"],
        ),
    ],
)
def test_tool_choices(given_choice: Any, choice: Any, names: list[str]) -> None:
    options = call_of(tools=[WEATHER, {"type": "function", "function": {"name": "time"}}], tool_choice=given_choice).request.options
    assert options.tool_choice == choice
    assert [tool.name for tool in options.tools or ()] == names


def test_a_choice_without_tools_means_nothing() -> None:
    assert call_of(tools=[], tool_choice="auto", parallel_tool_calls=True).request.options == Options()


def test_functions_are_tools_of_an_older_spelling() -> None:
    call = call_of(
        functions=[{"name": "weather", "parameters": SCHEMA}],
        function_call={"name": "weather"},
        messages=[
            *MESSAGES,
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "dry"},
        ],
    )
    made, answered = call.request.messages[1:]
    assert isinstance(made.parts[0], ToolCall)
    assert answered == Message(role="tool", content=[ToolResult(tool_call_id=made.parts[0].id, content="dry")])
    assert call.legacy_functions
    assert call.request.options.tool_choice == NamedToolChoice(name="weather")


@pytest.mark.parametrize(
    ("given_format", "read"),
    [
        ({"type": "text"}, None),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}, SchemaFormat(name="a", schema=SCHEMA, strict=False)),
        ({"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}, SchemaFormat(name="a", schema=SCHEMA)),
    ],
)
def test_response_formats(given_format: Any, read: Any) -> None:
    assert call_of(response_format=given_format).request.options.response_format == read


def test_a_conversation_with_everything_in_it() -> None:
    assert messages_of(
        {"role": "system", "content": ""},
        {"role": "developer", "content": [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ],
        },
        {
            "role": "assistant",
            "content": "Hm",
            "reasoning_content": "thinking",
            "refusal": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Bonn"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "dry"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant", "content": None, "refusal": "No!"},
    ) == [
        Message(role="system", content=[TextPart(text="Be brief", cache="1h")]),
        Message(
            role="user",
            content=[
                TextPart(text="Look"),
                ImagePart(media_type="image/png", data="AAAA", detail="low"),
                ImagePart(url="https://x.example/a.png"),
                FilePart(media_type="audio/mpeg", data="AAAA"),
                FilePart(media_type="application/pdf", name="a.pdf", data="AAAA"),
                FilePart(id="file-1"),
            ],
        ),
        Message(
            role="assistant",
            content=[
                ReasoningPart(text="thinking"),
                TextPart(text="Hm"),
                ToolCall(id="c1", name="weather", arguments='{"city":"Bonn"}'),
            ],
        ),
        Message(role="tool", content=[ToolResult(tool_call_id="c1", content=[TextPart(text="dry")])]),
        Message(role="assistant", content=[TextPart(text="No.")]),
        Message(role="assistant", content="No!"),
    ]


def test_what_our_own_encoder_writes_is_read_back_the_same() -> None:
    request = ChatRequest(
        messages=[
            Message(role="system", content="Be brief"),
            Message(role="user", content=[TextPart(text="See"), ImagePart(media_type="image/png", data="AAAA", detail="high")]),
            Message(role="assistant", content=[TextPart(text="Hm"), ToolCall(id="c1", name="weather", arguments='{"city":"Bonn"}')]),
            Message(role="tool", content=[ToolResult(tool_call_id="c1", content="dry")]),
            Message(role="user", content="And?"),
        ],
        options=Options(
            temperature=0,
            max_tokens=5,
            stop=["a", "b"],
            tools=[Tool(name="weather", parameters=SCHEMA)],
            tool_choice=NamedToolChoice(name="weather"),
            response_format=SchemaFormat(name="answer", schema=SCHEMA),
            reasoning_effort="high",
        ),
    )
    sent = OpenAIChat().encode(request, target=Target(provider="acme", model="m", endpoint="https://acme.example"), stream=True)
    call = decode_request(sent.body)
    assert call.request == request
    assert (call.model, call.stream, call.include_usage) == ("m", True, True)


DECLARED = [ExtraOption(name="service_tier", type=str), ExtraOption(name="verbosity", type=int), ExtraOption(name="thinking", type=dict)]


def test_a_field_goes_where_it_is_declared_and_is_else_named() -> None:
    call = call_of(service_tier="flex", verbosity="low", logit_bias={"1": 2}, thinking={"type": "disabled"}, foreign=1)
    request, warnings = call.fit("gpt", DECLARED)
    assert request.options == Options(model="gpt", extra={"service_tier": "flex", "thinking": {"type": "disabled"}})
    assert sorted(warning.message.split()[0] for warning in warnings) == ["foreign", "logit_bias", "verbosity"]


def test_a_provider_that_takes_anything_gets_it() -> None:
    request, warnings = call_of(logit_bias={"1": 2}, user="u1", foreign=1, reasoning_effort="xhigh").fit("", None)
    assert request.options == Options(extra={"logit_bias": {"1": 2}, "user": "u1", "foreign": 1, "reasoning_effort": "xhigh"})
    assert [warning.code for warning in warnings] == ["field_unknown"]


def test_more_effort_than_the_contract_knows_becomes_its_most() -> None:
    request, warnings = call_of(reasoning_effort="max").fit("m", [])
    assert request.options.reasoning_effort == "high"
    assert warnings[0].message.startswith("reasoning_effort became high")


def test_a_strict_call_refuses_what_would_be_lost() -> None:
    for fields in ({"foreign": 1}, {"logit_bias": {"1": 2}}, {"reasoning_effort": "max"}):
        with pytest.raises(UnsupportedFeatureError) as raised:
            call_of(strict=True, **fields).fit("m", [])
        assert raised.value.fields[0].path == next(iter(fields))
    with pytest.raises(UnsupportedFeatureError, match=r"messages\.name"):
        call_of(strict=True, messages=[{"role": "user", "content": "Hi", "name": "Ann"}])
    assert call_of(strict=True).request.strict_options


def test_lost_fields_of_messages_are_named_once() -> None:
    named = {"role": "user", "content": "Hi", "name": "Ann"}
    assert [warning.message for warning in call_of(messages=[named, named]).warnings] == ["messages.name was left out"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "custom", "custom": {"name": "x"}}}, "tool_choice.type"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages[0].audio"),
    ],
)
def test_what_would_change_the_answers_form_is_refused(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.code == ErrorCode.UNSUPPORTED_FEATURE
    assert error_param(error, None) == (param, error.message)


@pytest.mark.parametrize("fields", [{"n": 1}, {"logprobs": False}, {"top_logprobs": 0}, {"modalities": ["text"]}])
def test_the_harmless_form_of_a_refused_field_is_taken(fields: dict[str, Any]) -> None:
    assert call_of(**fields) == call_of()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": 3}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["Hi"]}, "messages[0]"),
        ({"messages": [{"role": "robot", "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": ["user"], "content": "Hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": []}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].image_url"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]}]},
            "messages[0].content[0].image_url.url",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, "messages[0].tool_calls[0].function"),
        ({"messages": [{"role": "assistant", "tool_calls": {"id": "c"}}]}, "messages[0].tool_calls"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": {}, "tool_choice": 4}, "tool_choice"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [WEATHER], "tool_choice": "some"}, "tool_choice"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": [], "tools": []}}},
            "tool_choice.allowed_tools.mode",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"user": 3}, "user"),
    ],
)
def test_what_is_malformed_is_named_in_the_clients_words(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.code == ErrorCode.INVALID_REQUEST
    assert error.fields[0].path == param
    assert error.message.startswith(param)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b"[" * 100_000])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        decode_request(body)
    assert raised.value.code == ErrorCode.MALFORMED_JSON


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("messages[0].content[1]", "messages[1].content[1]"),
        ("messages[9].content", "messages[9].content"),
        ("options.max_tokens", "max_tokens"),
        ("options.tools[2].parameters.type", "tools[2].function.parameters.type"),
        ("options.tool_choice.name", "tool_choice.function.name"),
        ("options.response_format.schema.a", "response_format.json_schema.schema.a"),
        ("options.extra.service_tier", "service_tier"),
        ("user_id", "user"),
        ("model", "model"),
    ],
)
def test_the_guards_places_become_the_clients(ours: str, theirs: str) -> None:
    call = call_of(messages=[{"role": "system", "content": ""}, *MESSAGES])
    error = InvalidRequestError(f"{ours}: is wrong", fields=[FieldProblem(path=ours, message="is wrong")])
    assert error_param(error, call) == (theirs, f"{theirs}: is wrong")


def test_an_operators_variable_is_no_param() -> None:
    fields = [FieldProblem(path="ACME_API_KEY", message="is not set")]
    for error in (MissingCredentialError("set ACME_API_KEY", fields=fields), ConfigurationError("set ACME_API_KEY", fields=fields)):
        assert error_param(error, call_of()) == (None, "set ACME_API_KEY")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([field.name for field in FIELDS]), JSON, max_size=6), st.booleans())
def test_odd_values_are_read_or_refused_in_words(fields: dict[str, Any], valid: bool) -> None:
    body = {"model": "m", "messages": MESSAGES, **fields} if not valid else {**fields, "model": "m", "messages": MESSAGES}
    with suppress(InvalidRequestError, UnsupportedFeatureError):
        decode_request(json.dumps(body).encode()).fit("m", DECLARED)


MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["system", "user", "assistant", "tool", "function"])},
    optional={
        "content": JSON | st.lists(st.fixed_dictionaries({"type": st.sampled_from(["text", "image_url", "file", "input_audio"])}, optional={
            "text": JSON, "image_url": JSON, "file": JSON, "input_audio": JSON, "cache_control": JSON})),
        "tool_calls": JSON | st.lists(st.fixed_dictionaries({"id": JSON}, optional={"function": JSON, "extra_content": JSON}), max_size=2),
        "tool_call_id": JSON,
        "function_call": JSON,
        "refusal": JSON,
        "reasoning_content": JSON,
    },
)  # fmt: skip


@given(st.lists(MESSAGE, max_size=3))
def test_odd_messages_are_read_or_refused_in_words(messages: list[Any]) -> None:
    with suppress(InvalidRequestError, UnsupportedFeatureError):
        decode_request(json.dumps({"model": "m", "messages": messages}).encode())


def test_passed_fields_have_no_place_in_the_contract() -> None:
    assert not {name for name in PASSED if name in Options.__struct_fields__}
