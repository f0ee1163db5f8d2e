from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ParleyError, ProtocolError, RateLimitError, ServerError, StreamTruncatedError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import ImagePart, Message, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.wire.cohere_v2 import CohereV2

CODEC = CohereV2()
TARGET = Target(provider="cohere", model="command-a", endpoint="https://api.cohere.com/v2/")
HEAD = ResponseHead(status=200, provider="cohere", model="command-a")
QUESTION = Message(role="user", content="Hi")
TOOLS = [Tool(name="weather"), Tool(name="time", strict=True)]


def encoded(*messages: Message, system_prompt: str | None = None, **options: Any) -> dict[str, Any]:
    request = ChatRequest(messages=list(messages) or [QUESTION], options=Options(**options), system_prompt=system_prompt)
    return json.loads(CODEC.encode(request, target=TARGET, stream=True).body)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: x\ndata: %b\n\n" % json.dumps(event).encode() for event in events)


def test_options_have_the_wires_names() -> None:
    body = encoded(
        temperature=0, top_p=0.5, top_k=3, max_tokens=9, stop=["x"], seed=1, extra={"safety_mode": "OFF"}, system_prompt="Be brief"
    )
    assert body == {
        "model": "command-a", "messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Hi"}], "stream": True,
        "temperature": 0, "p": 0.5, "k": 3, "max_tokens": 9, "stop_sequences": ["x"], "seed": 1, "safety_mode": "OFF",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "sent", "offered"),
    [
        (None, None, ["weather", "time"]), ("auto", None, ["weather", "time"]), ("none", "NONE", ["weather", "time"]),
        ("required", "REQUIRED", ["weather", "time"]), (NamedToolChoice(name="time"), "REQUIRED", ["time"]),
    ],
)  # fmt: skip
def test_tools_are_offered_as_they_are_wanted(choice: Any, sent: str | None, offered: list[str]) -> None:
    body = encoded(tools=TOOLS, tool_choice=choice)
    assert (body.get("tool_choice"), [tool["function"]["name"] for tool in body["tools"]]) == (sent, offered)
    assert body["strict_tools"] is True


def test_thinking_and_structured_output() -> None:
    assert encoded(reasoning_effort="none")["thinking"] == {"type": "disabled"}
    assert encoded(reasoning_effort="low")["thinking"] == {"type": "enabled", "token_budget": 2048}
    schema = {"type": "object", "properties": {}}
    assert encoded(response_format=SchemaFormat(name="n", schema=schema))["response_format"] == {
        "type": "json_object",
        "json_schema": schema,
    }
    assert encoded(response_format="json")["response_format"] == {"type": "json_object"}


def test_a_conversation_with_tools_and_images() -> None:
    asked = Message(role="user", content=[TextPart(text="Look"), ImagePart(media_type="image/png", data="aaaa", detail="low")])
    call = Message(role="assistant", content=[ToolCall(id="no good id!", name="weather", arguments="no JSON")])
    answer = Message(role="tool", content=[ToolResult(tool_call_id="no good id!", content="14 °C", is_error=True)])
    first, assistant, result = encoded(asked, call, answer)["messages"]
    assert first["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,aaaa", "detail": "low"}}
    assert assistant["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"input":"no JSON"}'}
    assert "content" not in assistant
    assert result == {"role": "tool", "tool_call_id": assistant["tool_calls"][0]["id"], "content": "Error: 14 °C"}


def test_models_are_listed_by_the_first_version() -> None:
    assert CODEC.encode_list_models(target=TARGET).url == "https://api.cohere.com/v1/models?endpoint=chat&page_size=1000"
    (model,) = CODEC.decode_models(HEAD, b'{"models":[{"name":"command-a","context_length":256000.0},{}]}')
    assert (model.id, model.context_tokens) == ("command-a", 256_000)
    with pytest.raises(ProtocolError):
        CODEC.decode_models(HEAD, b"[]")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([{"type": "message-end", "delta": {"finish_reason": "ERROR", "error": "internal"}}], ServerError),
        ([{"type": "error", "message": "too many requests", "code": "rate_limited"}], RateLimitError),
        ([{"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hel"}}}}], StreamTruncatedError),
        ([], StreamTruncatedError),
    ],
)
def test_what_goes_wrong_is_the_error_it_stands_for(events: list[dict[str, Any]], expected: type[ParleyError], decode: Any) -> None:
    assert type(decode(CODEC, HEAD, [sse(*events)])[1]) is expected


@pytest.mark.parametrize("body", [b"{}", b"<html></html>", b"[1]", b'{"message": {"content": []}}'])
def test_a_document_that_is_no_reply_is_told_as_such(body: bytes, decode: Any) -> None:
    assert type(decode(CODEC, HEAD, [body])[1]) is ProtocolError


def test_an_error_inside_a_200_is_one(decode: Any) -> None:
    error = decode(CODEC, HEAD, [b'{"message": "invalid api token"}'])[1]
    assert isinstance(error, ParleyError)
    assert "invalid api token" in error.message


KINDS = [
    "message-start",
    "content-start",
    "content-delta",
    "tool-plan-delta",
    "tool-call-start",
    "tool-call-delta",
    "citation-start",
    "message-end",
]
FIELDS = [
    "delta",
    "message",
    "content",
    "tool_calls",
    "citations",
    "function",
    "arguments",
    "name",
    "index",
    "text",
    "sources",
    "usage",
    "error",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5)), max_size=6), st.booleans()
)
def test_no_reply_whatever_raises_anything_but_our_errors(events: list[tuple[str, dict[str, Any]]], streamed: bool) -> None:
    documents = [{"type": kind} | fields for kind, fields in events]
    body = sse(*documents) if streamed else json.dumps(documents[0] if documents else {}).encode()
    decoder = CODEC.decoder(ChatRequest(messages=[QUESTION]), HEAD)
    try:
        found = [*decoder.feed(body), *decoder.close()]
    except ParleyError:
        return
    assert found
