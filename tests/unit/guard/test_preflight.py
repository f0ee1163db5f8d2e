"""Malformed input: every field is named, nothing is a TypeError."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import InvalidRequestError
from parley.contract.messages import ImagePart, Message, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Timeouts, Tool
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.preflight import check_request, read_request

USER = {"role": "user", "content": "Hi"}
CALL = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": "{}"}
CALLING = {"role": "assistant", "content": [CALL]}
RESULT = {"type": "tool_result", "tool_call_id": "c1", "content": "12 °C"}
ANSWERING = {"role": "tool", "content": [RESULT]}
HALF = "\ud83d"
ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


def refused(**arguments: Any) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_request(arguments.pop("messages", [USER]), **arguments)
    return caught.value


@pytest.mark.parametrize(
    ("messages", "path", "says"),
    [
        (None, "messages", "expected a list, got None"),
        ("Hi", "messages", "expected a list, got str"),
        (5, "messages", "expected a list, got int"),
        (USER, "messages", "expected a list, got a dict"),
        (object(), "messages", "expected a list, got something that JSON does not know"),
        ([], "messages", "at least one message"),
        (["Hi"], "messages[0]", "expected a dict, got str"),
        ([USER, {"role": "bot", "content": "x"}], "messages[1].role", "use one of user, assistant, system, tool"),
        ([{"content": "x"}], "messages[0].role", "is missing"),
        ([{"role": "user"}], "messages[0].content", "is missing"),
        ([{"role": "user", "content": None}], "messages[0].content", "got None"),
        ([{"role": "user", "content": 5}], "messages[0].content", "got int"),
        ([{"role": "user", "content": b"bytes"}], "messages[0].content", "something that JSON does not know"),
        ([{"role": "user", "content": object()}], "messages[0].content", "something that JSON does not know"),
        ([{"role": "user", "content": ""}], "messages[0].content", "is empty"),
        ([{"role": "user", "content": []}], "messages[0].content", "is empty"),
        ([{"role": "user", "content": HALF}], "messages[0].content", "surrogate"),
        (
            [{"role": "assistant", "content": None, "tool_calls": []}],
            "messages[0].content",
            'A tool call is a part: "content": [{"type": "tool_call"',
        ),
        ([{"role": "assistant", "content": "x", "tool_calls": []}], "messages[0].tool_calls", "A tool call is a part"),
        ([{"role": "tool", "content": "x", "tool_call_id": "1"}], "messages[0].tool_call_id", "A tool's result is a part"),
        ([{"role": "user", "content": "x", "contents": "y"}], "messages[0].contents", 'Did you mean "content"?'),
        ([Message(role="bot", content="x")], "messages[0].role", "use one of"),  # pyright: ignore
        ([Message(role="user", content=7)], "messages[0].content", "got int"),  # pyright: ignore
        ([{"role": "user", "content": [{"text": "x"}]}], "messages[0].content[0].type", "is missing"),
        ([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content[0].type", "use one of text, image"),
        ([{"role": "user", "content": [{"type": "text", "txt": "x"}]}], "messages[0].content[0].text", "is missing"),
        ([{"role": "user", "content": [{"type": "text", "text": "x", "cahce": "5m"}]}], "messages[0].content[0].cahce", '"cache"'),
        ([{"role": "user", "content": [{"type": "text", "text": "x", "cache": "9m"}]}], "messages[0].content[0].cache", "5m, 1h"),
        (
            [{"role": "user", "content": [{"type": "image", "mediaType": "x", "url": "u"}]}],
            "messages[0].content[0].mediaType",
            '"media_type"',
        ),
        ([{"role": "user", "content": [{"type": "text", "text": ""}]}], "messages[0].content[0].text", "is empty"),
        ([{"role": "user", "content": [{"type": "image"}]}], "messages[0].content[0]", "neither data nor url"),
        ([{"role": "user", "content": [{"type": "file", "data": "A", "id": "f"}]}], "messages[0].content[0]", "data and id"),
        ([{"role": "user", "content": [{"type": "image", "data": "AAAA"}]}], "messages[0].content[0].media_type", "data needs it"),
        (
            [{"role": "user", "content": [{"type": "image", "media_type": "image/png", "data": "%%% no"}]}],
            "messages[0].content[0].data",
            "is no base64",
        ),
        (
            [{"role": "user", "content": [{"type": "image", "media_type": "image/png", "data": "data:image/png;base64,AAAA"}]}],
            "messages[0].content[0].data",
            "is a data URL",
        ),
        ([{"role": "user", "content": [CALL]}], "messages[0].content[0].type", "role user cannot hold"),
        ([{"role": "system", "content": [{"type": "image", "url": "u"}]}], "messages[0].content[0].type", "role system cannot hold"),
        ([{"role": "assistant", "content": [RESULT]}], "messages[0].content[0].type", "role assistant cannot hold"),
        ([{"role": "tool", "content": "12 °C"}], "messages[0].content", "list of tool_result parts"),
        ([USER, ANSWERING], "messages[1].content[0].tool_call_id", '"c1" is no call of an earlier assistant message'),
        ([ANSWERING, CALLING], "messages[0].content[0].tool_call_id", "is no call"),
        ([CALLING, ANSWERING, ANSWERING], "messages[2].content[0].tool_call_id", "already been answered"),
        ([CALLING, USER], "messages[0].content[0]", "has no result before messages[1]"),
        ([{"role": "assistant", "content": [CALL, CALL]}], "messages[0].content[1].id", "there twice"),
        ([{"role": "assistant", "content": [CALL | {"id": ""}]}], "messages[0].content[0].id", "is empty"),
        ([{"role": "assistant", "content": [CALL | {"name": ""}]}], "messages[0].content[0].name", "is empty"),
        (
            [CALLING, {"role": "tool", "content": [RESULT | {"content": [{"type": "text", "text": "x", "oops": 1}]}]}],
            "messages[1].content[0].content[0].oops",
            "unknown field",
        ),
        ([{"role": "user", "content": [{"type": "text", "text": HALF}]}], "messages[0].content[0].text", "surrogate"),
        (ENDLESS, "request", "nested too deeply"),
    ],
)
def test_a_bad_message_is_named(messages: Any, path: str, says: str) -> None:
    error = refused(messages=messages)
    assert error.fields[0].path == path
    assert says in error.fields[0].message
    assert error.message == f"{path}: {error.fields[0].message}"
    assert (error.domain, error.phase) == ("caller", "validate")


TOOL = {"name": "weather", "parameters": {"type": "object"}}


@pytest.mark.parametrize(
    ("options", "path", "says"),
    [
        ("hot", "options", "expected a dict, got str"),
        ([], "options", "expected a dict, got a list"),
        ({"temprature": 1}, "options.temprature", 'Did you mean "temperature"?'),
        ({"maxTokens": 1}, "options.maxTokens", 'Did you mean "max_tokens"?'),
        ({"zzz": 1}, "options.zzz", "Known are model, temperature"),
        ({1: 2}, "options", "expected str"),
        ({"temperature": -0.1}, "options.temperature", "the least is 0"),
        ({"temperature": math.nan}, "options.temperature", "ordinary number"),
        ({"temperature": math.inf}, "options.temperature", "ordinary number"),
        ({"temperature": True}, "options.temperature", "got bool"),
        ({"temperature": "0"}, "options.temperature", "got str"),
        ({"top_p": 1.1}, "options.top_p", "the greatest is 1"),
        ({"top_k": -1}, "options.top_k", "the least is 0"),
        ({"max_tokens": 0}, "options.max_tokens", "the least is 1"),
        ({"max_tokens": 1.5}, "options.max_tokens", "got float"),
        ({"presence_penalty": math.nan}, "options.presence_penalty", "ordinary number"),
        ({"stop": "END"}, "options.stop", "got str"),
        ({"stop": ["END", ""]}, "options.stop[1]", "is empty"),
        ({"stop": [HALF]}, "options.stop[0]", "surrogate"),
        ({"model": 5}, "options.model", "got int"),
        ({"model": HALF}, "options.model", "surrogate"),
        ({"reasoning_effort": "much"}, "options.reasoning_effort", "use one of none, minimal, low"),
        ({"response_format": "xml"}, "options.response_format", "use one of text, json"),
        ({"response_format": {"name": "n", "shema": {}}}, "options.response_format.shema", '"schema"'),
        ({"response_format": {"name": "", "schema": {}}}, "options.response_format.name", "is empty"),
        ({"response_format": {"name": "n", "schema": {"a": math.nan}}}, "options.response_format.schema.a", "ordinary number"),
        ({"tool_choice": "always"}, "options.tool_choice", "use one of auto, none, required"),
        ({"tool_choice": "required"}, "options.tool_choice", "options.tools is empty"),
        ({"tool_choice": {"name": "wether"}, "tools": [TOOL]}, "options.tool_choice.name", 'Did you mean "weather"?'),
        ({"tools": [{"name": ""}]}, "options.tools[0].name", "is empty"),
        ({"tools": [TOOL, TOOL]}, "options.tools[1].name", 'already a tool "weather"'),
        ({"tools": [{"name": "n", "params": {}}]}, "options.tools[0].params", '"parameters"'),
        ({"tools": [{"name": "n", "parameters": {"a": [b""]}}]}, "options.tools[0].parameters.a[0]", "JSON does not know"),
        ({"tools": [{"name": "n", "parameters": {"a": {1: 2}}}]}, "options.tools[0].parameters.a", "keys are strings"),
        ({"timeout": 0}, "options.timeout", "seconds above 0"),
        ({"timeout": {"idle": -1}}, "options.timeout.idle", "seconds above 0"),
        ({"timeout": {"idel": 1}}, "options.timeout.idel", '"idle"'),
        ({"timeout": math.inf}, "options.timeout", "seconds above 0"),
        ({"extra": {"a": HALF}}, "options.extra.a", "surrogate"),
        ({"extra": {"a": object()}}, "options.extra.a", "JSON does not know"),
    ],
)
def test_a_bad_option_is_named(options: Any, path: str, says: str) -> None:
    error = refused(options=options)
    assert error.fields[0].path == path
    assert says in error.fields[0].message


def test_nesting_is_bounded() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert "nested deeper than 64" in refused(options={"extra": {"a": deep}}).message


@pytest.mark.parametrize(
    ("request_fields", "path"),
    [
        ({"session_id": "s" * 37}, "session_id"),
        ({"session_id": ""}, "session_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": HALF}, "user_id"),
        ({"system_prompt": HALF}, "system_prompt"),
        ({"system_prompt": 5}, "system_prompt"),
        ({"strict_options": "yes"}, "strict_options"),
        ({"options": Options(top_p=7)}, "options.top_p"),
        ({"options": None}, "options"),
    ],
)
def test_a_bad_request_is_named(request_fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_request(ChatRequest(messages=[Message(role="user", content="x")], **request_fields))
    assert caught.value.fields[0].path == path


def test_good_input_is_read_as_it_is() -> None:
    messages = [
        {"role": "system", "content": "Be brief"},
        Message(role="user", content=[TextPart(text="Look", cache="5m"), ImagePart(url="https://example.org/a.png")]),
        {"role": "assistant", "content": [{"type": "reasoning", "text": "hm", "signature": "s"}, CALL]},
        {"role": "tool", "content": [RESULT]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "né 🙂"},
    ]
    options = {
        "temperature": 0,
        "seed": 2**40,
        "tools": [TOOL],
        "tool_choice": {"name": "weather"},
        "response_format": {"name": "n", "schema": {"type": "object"}},
        "timeout": {"idle": 5},
    }
    request = read_request(messages, system_prompt="", options=options)
    assert request.messages[1] == messages[1]
    assert request.messages[2].content == [ReasoningPart(text="hm", signature="s"), ToolCall(id="c1", name="weather")]
    assert request.messages[3].content == [ToolResult(tool_call_id="c1", content="12 °C")]
    assert request.options == Options(
        temperature=0,
        seed=2**40,
        tools=[Tool(name="weather", parameters={"type": "object"})],
        tool_choice=NamedToolChoice(name="weather"),
        response_format=SchemaFormat(name="n", schema={"type": "object"}),
        timeout=Timeouts(idle=5),
    )


def test_a_vendor_that_counts_its_calls_from_the_start_in_each_reply_is_fine() -> None:
    read_request([CALLING, ANSWERING, CALLING, ANSWERING, USER])


@pytest.mark.parametrize("parts", [[], [TextPart(text="a")], [TextPart(text="a"), ReasoningPart(redacted="x")]])
def test_a_reply_goes_into_the_next_request(parts: list[Any]) -> None:
    reply = ChatResponse(parts=parts)
    assert read_request([USER, reply.to_message(), USER]).messages[1] == reply.to_message()


def test_nothing_that_the_caller_holds_is_shared() -> None:
    content: list[Any] = [{"type": "text", "text": "a"}]
    messages = [{"role": "user", "content": content}]
    request = read_request(messages)
    content.append({"type": "text", "text": "b"})
    assert request.messages[0].text == "a"


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "id", "name"]), inner),
    max_leaves=12,
)


@given(_JSON, _JSON)
def test_whatever_comes_is_a_request_or_a_named_problem(messages: Any, options: Any) -> None:
    problem: InvalidRequestError | None = None
    try:
        read_request(messages, options=options)
    except InvalidRequestError as error:
        problem = error
    assert problem is None or problem.fields[0].path


def test_a_tool_in_anothers_shape_is_told_how_it_is_written_here() -> None:
    error = refused(options={"tools": [{"type": "function", "function": {"name": "weather"}}]})
    assert error.message.startswith('options.tools[0].type: unknown field. A tool is {"name": …, "description": …, "parameters": …}')
