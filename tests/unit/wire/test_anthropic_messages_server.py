from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import ExtraOption
from parley.contract.errors import CallerError, ErrorCode, InvalidRequestError, OverloadedError, ParleyError, RateLimitError
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Message, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation
from parley.contract.usage import Usage
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.anthropic_messages_extra import MESSAGES_OPTIONS
from parley.wire.anthropic_messages_server import MessagesCall, read_messages_request
from parley.wire.anthropic_messages_server_fields import EXTENSIONS, FIELDS, KNOWN, fields_table
from parley.wire.anthropic_messages_server_reply import encode_error, encode_error_event, encode_message
from parley.wire.openai_chat_server_state import CallState
from parley.wire.server_fields import Behind

SAME = Behind(provider="acme", wire="anthropic_messages", options=MESSAGES_OPTIONS)
OTHER = Behind(provider="other", wire="openai_chat", options=())
QUESTION = [{"role": "user", "content": "Hi"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WEATHER = {"name": "weather", "description": "Of a place", "input_schema": SCHEMA}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CALL = {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bonn"}}
FOUND = {"type": "search_result", "title": "A", "source": "https://b", "content": [{"type": "text", "text": "c"}]}
MARK = {"type": "ephemeral"}


def call_of(behind: Behind = OTHER, *, strict: bool = False, recall: Any = None, betas: Any = (), **fields: Any) -> MessagesCall:
    body = {"max_tokens": 10, "messages": QUESTION, **fields}
    return read_messages_request(body, model="m", behind=behind, strict=strict, recall=recall, betas=betas)


def parts_of(role: str, *blocks: dict[str, Any], behind: Behind = OTHER) -> list[Any]:
    return call_of(behind, messages=[{"role": role, "content": list(blocks)}]).request.messages[0].parts


def refused(behind: Behind = OTHER, **fields: Any) -> str:
    with pytest.raises(CallerError) as raised:
        call_of(behind, **fields)
    return raised.value.fields[0].path


def sent(behind: Behind, **fields: Any) -> dict[str, Any]:
    """What the vendor on the same wire gets of a call."""
    call = call_of(behind, **fields)
    request = AnthropicMessages().encode(
        call.request, target=Target(provider="acme", model="claude-x", endpoint="http://a/v1"), stream=False
    )
    return {**json.loads(request.body), "headers": request.headers}


def own(data: Any) -> ProviderData:
    return ProviderData(wire="anthropic_messages", provider="acme", data=data)


def test_the_table_names_every_field_of_the_official_client() -> None:
    pytest.importorskip("anthropic", reason="needs the package anthropic")
    from anthropic.types import message_count_tokens_params, message_create_params
    from anthropic.types.beta import message_count_tokens_params as beta_count
    from anthropic.types.beta import message_create_params as beta_create

    official = get_type_hints(message_create_params.MessageCreateParamsStreaming).keys()
    official |= get_type_hints(message_count_tokens_params.MessageCountTokensParams).keys()
    official |= get_type_hints(beta_create.MessageCreateParamsStreaming).keys() - {"betas"}  # a header of theirs
    official |= get_type_hints(beta_count.MessageCountTokensParams).keys() - {"betas"}
    assert {field.name for field in FIELDS} == official
    for field in (*FIELDS, *EXTENSIONS):
        assert f"| `{field.name}` |" in fields_table()


def test_every_translated_field_reaches_the_contract() -> None:
    call = call_of(
        system="Be brief",
        temperature=0,
        top_p=0.5,
        top_k=4,
        stop_sequences=["END"],
        tools=[WEATHER, {**WEATHER, "name": "time", "type": "custom", "strict": True}],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 2048},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        metadata={"user_id": "u1"},
        stream=True,
    )
    assert call.request == ChatRequest(
        messages=[Message(role="user", content="Hi")],
        system_prompt="Be brief",
        options=Options(
            model="m",
            temperature=0,
            top_p=0.5,
            top_k=4,
            max_tokens=10,
            stop=["END"],
            parallel_tool_calls=False,
            tools=[
                Tool(name="weather", description="Of a place", parameters=SCHEMA),
                Tool(name="time", description="Of a place", parameters=SCHEMA, strict=True),
            ],
            tool_choice="required",
            reasoning_effort="low",
            response_format=SchemaFormat(name="response", schema=SCHEMA),
        ),
        user_id="u1",
    )
    assert call.stream
    assert call.warnings == []


def test_null_asks_for_nothing() -> None:
    names = KNOWN - {"model", "messages", "max_tokens"}
    assert call_of(**dict.fromkeys(names), foreign=None) == call_of()


@pytest.mark.parametrize(
    ("fields", "effort"),
    [
        ({"thinking": {"type": "disabled"}}, None),
        ({"thinking": {"type": "adaptive"}}, "high"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low"),
        ({"output_config": {"effort": "max"}}, "high"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "minimal"),
        ({"thinking": {"type": "enabled", "budget_tokens": 10_000}}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 60_000}}, "high"),
    ],
)
def test_thinking_becomes_an_effort_elsewhere(fields: dict[str, Any], effort: str | None) -> None:
    assert call_of(**fields).request.options.reasoning_effort == effort
    assert call_of(SAME, **fields).request.options.reasoning_effort is None


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "tool", "name": "weather"}, NamedToolChoice(name="weather")),
    ],
)
def test_tool_choices(choice: Any, expected: Any) -> None:
    assert call_of(tools=[WEATHER], tool_choice=choice).request.options.tool_choice == expected


def test_the_vendors_own_words_reach_who_speaks_its_wire() -> None:
    body = sent(
        SAME,
        system=[{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        messages=[{"role": "user", "content": [FOUND]}],
        tools=[{**WEATHER, "cache_control": MARK, "defer_loading": True}, SEARCH],
        tool_choice={"type": "tool", "name": "web_search"},
        thinking={"type": "enabled", "budget_tokens": 2000},
        output_config={"effort": "max", "format": {"type": "json_schema", "schema": SCHEMA}},
        context_management={"edits": []},
        service_tier="auto",
        betas=["b-1"],
    )
    assert body["system"] == [{"type": "text", "text": "Be brief", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert body["messages"][0]["content"] == [FOUND]
    assert body["tools"] == [{**WEATHER, "cache_control": MARK, "defer_loading": True}, SEARCH]
    assert body["tool_choice"] == {"type": "tool", "name": "web_search"}
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 2000}
    assert body["output_config"]["effort"] == "max"
    assert body["output_config"]["format"]["schema"]["properties"] == SCHEMA["properties"]
    assert (body["context_management"], body["service_tier"]) == ({"edits": []}, "auto")
    assert body["headers"]["anthropic-beta"] == "b-1"
    assert not {"hosted_tools", "tool_fields", "betas"} & body.keys()


def test_betas_of_the_header_go_to_who_speaks_the_wire_and_are_no_matter_elsewhere() -> None:
    assert call_of(SAME, betas=["b-1", "b-2"]).request.options.extra == {"betas": ["b-1", "b-2"]}
    elsewhere = call_of(betas=["b-1"])
    assert (elsewhere.request.options.extra, elsewhere.warnings) == ({}, [])


def test_what_only_its_vendor_runs_is_refused_elsewhere() -> None:
    assert refused(tools=[SEARCH]) == "tools[0].type"
    assert refused(mcp_servers=[{"type": "url", "url": "https://a", "name": "a"}]) == "mcp_servers"
    assert refused(container="c1") == "container"
    assert refused(SAME, thread={"type": "create"}) == "thread"


def test_what_means_nothing_elsewhere_is_left_out_and_named() -> None:
    call = call_of(speed="fast", cache_control=MARK, tools=[{**WEATHER, "cache_control": MARK}], foreign=1)
    assert call.request.options.extra == {}
    named = " ".join(warning.message for warning in call.warnings)
    assert all(name in named for name in ("speed", "cache_control", "tools.cache_control", "foreign"))
    with pytest.raises(CallerError, match="speed"):
        call_of(speed="fast", strict=True)


def test_a_field_that_a_provider_declares_is_passed() -> None:
    behind = Behind(provider="other", wire="openai_chat", options=[ExtraOption(name="service_tier", type=str)])
    assert call_of(behind, service_tier="auto").request.options.extra == {"service_tier": "auto"}
    takes_any = Behind(provider="any", wire="openai_chat", options=None)
    call = call_of(takes_any, service_tier="auto", thinking={"type": "adaptive"}, foreign=1)
    assert call.request.options.extra == {"foreign": 1}
    assert call.request.options.reasoning_effort == "high"


def test_a_conversation_with_tools() -> None:
    call = call_of(
        messages=[
            {"role": "user", "content": "Weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "See"},
                    {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bonn"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And?", "cache_control": MARK},
                    {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "dry"}], "is_error": True},
                ],
            },
        ]
    )
    assert call.request.messages == [
        Message(role="user", content="Weather?"),
        Message(role="assistant", content=[TextPart(text="See"), ToolCall(id="c1", name="weather", arguments='{"city":"Bonn"}')]),
        Message(role="tool", content=[ToolResult(tool_call_id="c1", content=[TextPart(text="dry")], is_error=True)]),
        Message(role="user", content=[TextPart(text="And?", cache="5m")]),
    ]
    assert call.param("messages[3].content[0].text") == "messages[2].content[0].text"
    assert call.param("options.max_tokens") == "max_tokens"


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ImagePart(media_type="image/png", data="AAAA"),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://a/i.png"}}, ImagePart(url="https://a/i.png")),
        ({"type": "image", "source": {"type": "file", "file_id": "f1"}}, FilePart(media_type="image/*", id="f1")),
        (
            {"type": "document", "title": "T", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
            FilePart(media_type="application/pdf", name="T", data="AAAA"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä"}},
            FilePart(media_type="text/plain", data="w6Q="),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://a/d"}}, FilePart(media_type="application/pdf", url="https://a/d")),
        ({"type": "document", "source": {"type": "file", "file_id": "f1"}}, FilePart(id="f1")),
        (
            FOUND,
            TextPart(text="A\nhttps://b\nc"),
        ),
        ({"type": "document", "source": {"type": "content", "content": "inline"}}, TextPart(text="inline")),
    ],
)
def test_media_and_documents(block: dict[str, Any], part: Any) -> None:
    assert parts_of("user", block) == [part]


def test_a_document_with_more_than_the_contract_holds_goes_to_its_vendor_whole() -> None:
    block = {"type": "document", "source": {"type": "url", "url": "https://a/d"}, "context": "x", "citations": {"enabled": True}}
    assert parts_of("user", {**block, "cache_control": MARK}, behind=SAME)[0].provider_data == own({"block": block})
    assert sent(SAME, messages=[{"role": "user", "content": [block]}])["messages"][0]["content"] == [block]
    call = call_of(messages=[{"role": "user", "content": [block]}])
    assert [warning.message.split()[0] for warning in call.warnings] == [
        "messages.content.document.citations",
        "messages.content.document.context",
    ]


THOUGHT = ReasoningPart(text="hm", signature="sig", provider_data=ProviderData(wire="gemini_generate", provider="g", data={"k": 1}))
HIDDEN = ReasoningPart(redacted="secret", provider_data=ProviderData(wire="openai_responses", provider="o", data={"item": {"id": "rs_1"}}))


def test_signatures_of_its_own_vendor_come_back_to_it() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "sig"}, {"type": "redacted_thinking", "data": "x"}]
    assert parts_of("assistant", *blocks, behind=SAME) == [
        ReasoningPart(text="hm", signature="sig", provider_data=own({"kind": "thinking"})),
        ReasoningPart(redacted="x", provider_data=own({"kind": "redacted_thinking"})),
    ]
    assert sent(SAME, messages=[*QUESTION, {"role": "assistant", "content": blocks}])["messages"][1]["content"] == blocks


def test_thought_of_another_wire_comes_back_as_it_went() -> None:
    content = json.loads(encode_message(ChatResponse(parts=[THOUGHT, HIDDEN, TextPart(text="Hi")], finish_reason="stop")))["content"]
    assert [block["type"] for block in content] == ["thinking", "redacted_thinking", "text"]
    assert content[0]["thinking"] == "hm"
    assert parts_of("assistant", *content) == [THOUGHT, HIDDEN, TextPart(text="Hi")]
    content[0]["signature"] = content[0]["signature"][:-4] + "!!!!"
    assert refused(messages=[{"role": "assistant", "content": content}]) == "messages[0].content[0].signature"


def test_what_a_client_cannot_bring_back_is_recalled() -> None:
    data = ProviderData(wire="gemini_generate", provider="g", data={"signature": "x"})
    states = {"c1": CallState(reasoning=[THOUGHT], provider_data=data)}
    call = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
    messages = [{"role": "assistant", "content": [call]}]
    recalled = call_of(messages=messages, recall=states.get).request.messages[0].parts
    assert recalled == [THOUGHT, ToolCall(id="c1", name="weather", provider_data=data)]
    kept = {"type": "thinking", "thinking": "mine", "signature": ""}
    messages = [{"role": "assistant", "content": [kept, call]}]
    recalled = call_of(messages=messages, recall=states.get).request.messages[0].parts
    assert recalled == [ReasoningPart(text="mine"), ToolCall(id="c1", name="weather", provider_data=data)]


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "x"}}]}]}, "messages[0].content[0].source.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {"ttl": "9h"}}]}]},
         "messages[0].content[0].cache_control.ttl"),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [WEATHER], "tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"metadata": {"user_id": 1}}, "metadata.user_id"),
    ],
)  # fmt: skip
def test_a_refusal_names_its_place(fields: dict[str, Any], path: str) -> None:
    assert refused(**fields) == path


names = st.sampled_from(["type", "text", "source", "content", "role", "name"])
json_values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner),
    max_leaves=8,
)


@pytest.mark.parametrize("behind", [SAME, OTHER])
@given(fields=st.dictionaries(st.sampled_from(sorted(KNOWN)), json_values))
def test_any_body_is_read_or_refused(behind: Behind, fields: dict[str, Any]) -> None:
    with suppress(CallerError):
        read_messages_request(fields, model="m", behind=behind)


def test_a_reply_of_another_wire() -> None:
    usage = Usage(prompt_tokens=9, completion_tokens=5, total_tokens=14, cached_tokens=4, cache_write_tokens=2, reasoning_tokens=1)
    reply = ChatResponse(
        parts=[
            TextPart(text="See"),
            ToolCall(id="c1", name="weather", arguments='{"city": "Bonn"}'),
            ToolCall(id="c2", name="now", arguments="no"),
        ],
        usage=usage,
        id="r1",
        model="m1",
        finish_reason="tool_calls",
        raw_finish_reason="function_call",
        citations=[Citation(url="https://a", title="A", start_index=0, end_index=3)],
        cost=0.5,
    )
    assert json.loads(encode_message(reply)) == {
        "id": "r1",
        "type": "message",
        "role": "assistant",
        "model": "m1",
        "content": [
            {
                "type": "text",
                "text": "See",
                "citations": [
                    {"type": "web_search_result_location", "url": "https://a", "title": "A", "cited_text": "", "encrypted_index": ""}
                ],
            },
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Bonn"}},
            {"type": "tool_use", "id": "c2", "name": "now", "input": {"arguments": "no"}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 3,
            "cache_creation_input_tokens": 2,
            "cache_read_input_tokens": 4,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 1},
            "cost": 0.5,
        },
    }


def test_a_refusal_of_another_wire_is_one_here() -> None:
    message = json.loads(encode_message(ChatResponse(refusal="I will not.", finish_reason="stop")))
    assert message["stop_reason"] == "refusal"
    assert message["stop_details"]["explanation"] == "I will not."


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequestError("bad"), "invalid_request_error"),
        (RateLimitError("slow down"), "rate_limit_error"),
        (OverloadedError("busy"), "overloaded_error"),
        (ParleyError("who?", code=ErrorCode.UNAUTHENTICATED), "authentication_error"),
        (ParleyError("?", code=ErrorCode.NOT_FOUND), "not_found_error"),
        (ParleyError("!", code=ErrorCode.PROVIDER_CREDENTIALS), "api_error"),
    ],
)
def test_errors_have_the_vendors_shape(error: ParleyError, kind: str) -> None:
    told = {"type": "error", "error": {"type": kind, "message": error.message, "code": str(error.code)}}
    assert json.loads(encode_error(error, message=error.message, request_id="req")) == {**told, "request_id": "req"}
    event = encode_error_event(error, message=error.message)
    assert event.startswith(b"event: error\ndata: ")
    assert json.loads(event.removeprefix(b"event: error\ndata: ")) == told
