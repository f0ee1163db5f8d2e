from __future__ import annotations

import json
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.errors import InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import FilePart, ImagePart, Message, Part, ProviderData, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import NamedToolChoice, Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.testing.recordings import find_recordings, load_recording
from parley.wire.history import ToolIds, short_id
from parley.wire.openai_chat import OpenAIChat

USER = Message(role="user", content="Hi")
SCHEMA = SchemaFormat(name="answer", schema={"type": "object", "properties": {"a": {"type": "integer"}}})
ADD = Tool(name="add", description="Adds", parameters={"type": "object"}, strict=True)
ADD_ON_WIRE = {"type": "function", "function": {"name": "add", "description": "Adds", "parameters": {"type": "object"}, "strict": True}}


def target(model: str = "m", capabilities: Capabilities | None = None) -> Target:
    return Target(provider="acme", model=model, endpoint="https://acme.example/v1/", capabilities=capabilities or Capabilities())


def encode(
    *messages: Message,
    options: Options | None = None,
    wire: OpenAIChat | None = None,
    to: Target | None = None,
    stream: bool = False,
    **more: Any,
) -> tuple[dict[str, Any], list[str]]:
    request = ChatRequest(messages=list(messages) or [USER], options=options or Options(), **more)
    sent = (wire or OpenAIChat()).encode(request, target=to or target(), stream=stream)
    return json.loads(sent.body), [warning.code for warning in sent.warnings]


def messages_of(*messages: Message, **more: Any) -> list[dict[str, Any]]:
    return encode(*messages, **more)[0]["messages"]


def own(data: Any, provider: str = "acme") -> ProviderData:
    return ProviderData(wire="openai_chat", provider=provider, data=data)


def user(*parts: Part) -> Message:
    return Message(role="user", content=list(parts))


def assistant(*parts: Part) -> Message:
    return Message(role="assistant", content=list(parts))


def test_the_plainest_request_is_model_and_messages() -> None:
    sent = OpenAIChat().encode(ChatRequest(messages=[USER]), target=target(), stream=False)
    assert (sent.method, sent.url) == ("POST", "https://acme.example/v1/chat/completions")
    assert json.loads(sent.body) == {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    assert sent.headers == {"Content-Type": "application/json", "Accept": "application/json"}


def test_a_query_of_the_endpoint_stays_at_its_end() -> None:
    place = Target(provider="acme", model="m", endpoint="https://acme.example/openai/?api-version=1")
    assert OpenAIChat().encode(ChatRequest(messages=[USER]), target=place, stream=False).url == (
        "https://acme.example/openai/chat/completions?api-version=1"
    )


def test_every_option_has_its_field_and_zero_is_a_value() -> None:
    options = Options(
        temperature=0,
        top_p=0.5,
        top_k=0,
        max_tokens=7,
        stop=["a"],
        seed=0,
        frequency_penalty=0.1,
        presence_penalty=0,
        parallel_tool_calls=False,
        tools=[ADD],
        tool_choice="required",
        reasoning_effort="low",
        extra={"safe_prompt": True},
    )
    body, warnings = encode(options=options, wire=OpenAIChat(max_tokens_field="max_tokens"), stream=True)
    del body["model"], body["messages"]
    assert warnings == []
    assert body == {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 0,
        "max_tokens": 7,
        "stop": ["a"],
        "seed": 0,
        "frequency_penalty": 0.1,
        "presence_penalty": 0,
        "parallel_tool_calls": False,
        "tools": [ADD_ON_WIRE],
        "tool_choice": "required",
        "reasoning_effort": "low",
        "safe_prompt": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_dialects_options_move_fields() -> None:
    options = Options(max_tokens=7, reasoning_effort="high")
    assert encode(options=options)[0]["max_completion_tokens"] == 7
    other = encode(options=options, wire=OpenAIChat(effort_field="reasoning", stream_usage=False), stream=True)[0]
    assert other["reasoning"] == {"effort": "high"}
    assert "stream_options" not in other


def test_tool_choices_are_written_and_left_out_without_tools() -> None:
    named = encode(options=Options(tools=[ADD], tool_choice=NamedToolChoice(name="add")))[0]
    assert named["tool_choice"] == {"type": "function", "function": {"name": "add"}}
    assert "tool_choice" not in encode(options=Options(tool_choice="auto"))[0]


def test_the_system_prompt_comes_first_and_system_messages_stay_in_place() -> None:
    written = messages_of(Message(role="system", content="B"), USER, Message(role="system", content="C"), system_prompt="A")
    assert [(message["role"], message["content"]) for message in written] == [
        ("system", "A"),
        ("system", "B"),
        ("user", "Hi"),
        ("system", "C"),
    ]


def test_a_users_parts_are_written_in_order() -> None:
    parts: list[Part] = [
        TextPart(text="Look"),
        ImagePart(url="https://x.example/a.png", detail="low"),
        ImagePart(media_type="image/png", data="QUJD"),
        FilePart(media_type="application/pdf", name="a.pdf", data="QUJD"),
        FilePart(id="file-1"),
        FilePart(media_type="audio/mpeg", data="QUJD"),
        FilePart(media_type="video/mp4", url="https://x.example/a.mp4"),
        FilePart(media_type="application/pdf", name="b.pdf", url="https://x.example/b.pdf"),
    ]
    assert messages_of(user(*parts))[0]["content"] == [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,QUJD"}},
        {"type": "file", "file": {"file_id": "file-1"}},
        {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "mp3"}},
        {"type": "video_url", "video_url": {"url": "https://x.example/a.mp4"}},
        {"type": "file", "file": {"filename": "b.pdf", "file_data": "https://x.example/b.pdf"}},
    ]


def test_tool_results_follow_their_calls_and_their_media_follow_as_a_user() -> None:
    image = ImagePart(media_type="image/png", data="QUJD")
    written = messages_of(
        USER,
        assistant(
            TextPart(text="Let me "), TextPart(text="see"), ToolCall(id="a", name="f", arguments='{"x":1}'), ToolCall(id="b", name="g")
        ),
        Message(role="tool", content=[ToolResult(tool_call_id="b", content=[TextPart(text="2"), image])]),
        user(ToolResult(tool_call_id="a", content="no", is_error=True), TextPart(text="and?")),
    )
    assert written[1:] == [
        {
            "role": "assistant",
            "content": "Let me see",
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}},
                {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": "Error: no"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Attached to the tool results:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
            ],
        },
        {"role": "user", "content": "and?"},
    ]


def test_an_assistant_without_text_has_null_beside_calls_and_empty_text_else() -> None:
    assert messages_of(assistant(ToolCall(id="a", name="f")))[0]["content"] is None
    assert messages_of(assistant(ReasoningPart(text="hm")))[0] == {"role": "assistant", "content": ""}


def test_foreign_tool_ids_are_rewritten_for_calls_and_results_alike() -> None:
    class ShortIds(OpenAIChat):
        def tool_ids(self) -> ToolIds:
            return ToolIds(r"[A-Za-z0-9]{9}", short_id)

    long_id = "toolu_" + "x" * 60
    conversation = [USER, assistant(ToolCall(id=long_id, name="f")), Message(role="tool", content=[ToolResult(tool_call_id=long_id)])]
    for wire, length in ((OpenAIChat(), 29), (ShortIds(), 9)):
        call, result = messages_of(*conversation, wire=wire)[1:]
        assert call["tool_calls"][0]["id"] == result["tool_call_id"]
        assert len(result["tool_call_id"]) == length


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_goes_back_where_the_dialect_takes_it_and_only_to_its_writer(field: Any) -> None:
    mine = assistant(ReasoningPart(text="hm", provider_data=own({"field": field})), TextPart(text="ok"))
    theirs = assistant(ReasoningPart(text="hm", provider_data=own({"field": field}, "other")), TextPart(text="ok"))
    assert messages_of(mine, wire=OpenAIChat(reasoning_field=field)) == [{"role": "assistant", field: "hm", "content": "ok"}]
    assert messages_of(mine) == [{"role": "assistant", "content": "ok"}]
    assert encode(theirs, wire=OpenAIChat(reasoning_field=field)) == (
        {"model": "m", "messages": [{"role": "assistant", "content": "ok"}]},
        ["provider_data_dropped"],
    )


def test_thinking_chunks_details_and_signatures_go_back_unchanged() -> None:
    thinking = assistant(ReasoningPart(text="hm", provider_data=own({"field": "thinking"})), TextPart(text="ok"))
    assert messages_of(thinking, wire=OpenAIChat(reasoning_field="thinking"))[0]["content"] == [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "ok"},
    ]
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s"}]
    extra = {"google": {"thought_signature": "s"}}
    (written,) = messages_of(
        assistant(
            ReasoningPart(text="hm", provider_data=own({"details": details})),
            ReasoningPart(provider_data=own({"message": {"extra_content": extra}})),
            ToolCall(id="a", name="f", provider_data=own({"extra_content": extra})),
            ToolCall(id="b", name="g", arguments="4 + 4", provider_data=own({"custom": True})),
        )
    )
    assert written["reasoning_details"] == details
    assert written["extra_content"] == extra
    assert written["tool_calls"][0]["extra_content"] == extra
    assert written["tool_calls"][1] == {"id": "b", "type": "custom", "custom": {"name": "g", "input": "4 + 4"}}


def test_arguments_that_are_no_object_are_wrapped_so_that_history_stays_valid() -> None:
    call = messages_of(assistant(ToolCall(id="a", name="f", arguments="4 + 4")))[0]["tool_calls"][0]
    assert json.loads(call["function"]["arguments"]) == {"input": "4 + 4"}


def test_generated_media_go_back_to_their_vendor_and_are_dropped_elsewhere() -> None:
    audio = FilePart(media_type="audio/wav", data="QUJD", provider_data=own({"audio": {"id": "au_1", "transcript": "x"}}))
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    (written,) = messages_of(assistant(audio, ImagePart(data="QUJD", provider_data=own({"image": image}))))
    assert written == {"role": "assistant", "audio": {"id": "au_1"}, "images": [image], "content": ""}
    assert encode(assistant(ImagePart(data="QUJD"), TextPart(text="x")))[1] == ["assistant_media_dropped"]


def test_cache_markers_are_written_where_the_provider_takes_them() -> None:
    conversation = [
        Message(role="system", content=[TextPart(text="S", cache="1h")]),
        user(TextPart(text="a", cache="5m"), ImagePart(url="https://x.example/a.png", cache="5m")),
    ]
    marked = messages_of(*conversation, to=target(capabilities=Capabilities(cache_markers=True)))
    assert marked[0]["content"] == [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    assert [part["cache_control"] for part in marked[1]["content"]] == [{"type": "ephemeral"}] * 2
    assert "cache_control" not in json.dumps(messages_of(*conversation))


def test_structured_output_native_by_tool_and_by_prompt() -> None:
    options = Options(response_format=SCHEMA)
    native = encode(options=options)[0]
    assert native["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA.schema, "strict": True}}
    by_tool = encode(options=options, to=target(capabilities=Capabilities(structured_output="tool")))[0]
    assert "response_format" not in by_tool
    without_schema = encode(options=Options(response_format="json"), to=target(capabilities=Capabilities(structured_output="tool")))[0]
    assert without_schema["response_format"] == {"type": "json_object"}
    assert by_tool["tools"][0]["function"]["parameters"] == SCHEMA.schema
    assert by_tool["tool_choice"] == {"type": "function", "function": {"name": by_tool["tools"][0]["function"]["name"]}}
    by_prompt = encode(options=options, to=target(capabilities=Capabilities(structured_output="prompt")), system_prompt="S")[0]
    assert "response_format" not in by_prompt
    assert by_prompt["messages"][0]["role"] == "system"
    assert by_prompt["messages"][0]["content"].startswith("S\n\n")
    assert '"integer"' in by_prompt["messages"][0]["content"]
    both = encode(options=options, to=target(capabilities=Capabilities(structured_output="prompt", response_format=True)))[0]
    assert both["response_format"] == {"type": "json_object"}
    assert encode(options=Options(response_format="json"))[0]["response_format"] == {"type": "json_object"}
    assert "response_format" not in encode(options=Options(response_format="text"))[0]


def test_a_forced_answer_beside_other_tools_leaves_the_choice_of_tool() -> None:
    options = Options(response_format=SCHEMA, tools=[ADD])
    body = encode(options=options, to=target(capabilities=Capabilities(structured_output="tool")))[0]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["add", "structured_output"]
    assert body["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("model", "sent", "dropped"),
    [
        ("gpt-5-mini", {"max_completion_tokens": 5}, ["temperature_dropped", "top_p_dropped"]),
        ("openai/o3-mini", {"max_completion_tokens": 5}, ["temperature_dropped", "top_p_dropped"]),
        ("gpt-5.2", {"max_completion_tokens": 5, "temperature": 0, "top_p": 1}, []),
        ("gpt-5-chat-latest", {"max_tokens": 5, "temperature": 0, "top_p": 1}, []),
        ("gpt-4o", {"max_tokens": 5, "temperature": 0, "top_p": 1}, []),
    ],
)
def test_reasoning_models_get_the_fields_they_take(model: str, sent: dict[str, Any], dropped: list[str]) -> None:
    options = Options(temperature=0, top_p=1, max_tokens=5)
    body, warnings = encode(options=options, wire=OpenAIChat(max_tokens_field="max_tokens"), to=target(model))
    assert {name: body[name] for name in body if name not in {"model", "messages"}} == sent
    assert warnings == dropped


def test_newer_models_refuse_sampling_only_while_they_reason() -> None:
    body, warnings = encode(options=Options(temperature=0, reasoning_effort="low"), to=target("gpt-5.2"))
    assert ("temperature" in body, warnings) == (False, ["temperature_dropped"])
    with pytest.raises(UnsupportedFeatureError, match="temperature"):
        encode(options=Options(temperature=0), to=target("gpt-5"), strict_options=True)


@pytest.mark.parametrize(
    "message",
    [
        Message(role="tool", content="42"),
        user(ToolCall(id="a", name="f")),
        user(ReasoningPart(text="x")),
        assistant(ToolResult(tool_call_id="a")),
        Message(role="system", content=[ImagePart(url="https://x.example/a.png")]),
    ],
)
def test_a_part_in_the_wrong_message_names_the_message(message: Message) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        encode(USER, message)
    assert raised.value.fields[0].path == "messages[1].content"


def test_a_result_without_its_call_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no assistant message"):
        encode(USER, Message(role="tool", content=[ToolResult(tool_call_id="nope")]))


def test_a_provider_may_have_the_last_word() -> None:
    class Quirk(OpenAIChat):
        def finish_body(self, body: dict[str, Any], request: ChatRequest, *, target: Target) -> dict[str, Any]:
            return {**body, "model": f"{target.provider}:{request.messages[0].text}"}

    assert encode(wire=Quirk())[0]["model"] == "acme:Hi"


def _recorded_bodies() -> list[Any]:
    """Every recorded conversation that holds no vendor's own form (reasoning sent back, cache markers, prefixes, names)."""
    found: list[Any] = []
    for path in find_recordings():
        recording = load_recording(path)
        body = recording.request.body if recording.request is not None else None
        if recording.wire_family == "openai-chat" and recording.status == 200 and isinstance(body, dict):
            conversation = body["messages"]
            identified = all(call.get("id") for message in conversation for call in message.get("tool_calls") or [])
            if identified and all(_as_message(message) is not None for message in conversation):
                found.append(pytest.param(conversation, id=recording.file))
    return found or [pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))]


def _as_message(message: dict[str, Any]) -> Message | None:
    """A recorded message in the contract's terms, None where it holds what this test does not translate."""
    content = message.get("content")
    if message["role"] == "tool":
        known = message.keys() == {"role", "content", "tool_call_id"} and isinstance(content, str)
        return Message(role="tool", content=[ToolResult(tool_call_id=message["tool_call_id"], content=content)]) if known else None
    if not message.keys() <= {"role", "content", "tool_calls"} or message["role"] not in {"user", "assistant", "system"}:
        return None
    parts: list[Part] = [TextPart(text=content)] if isinstance(content, str) and content else []
    for part in content if isinstance(content, list) else []:
        if part.get("type") == "text" and len(part) == 2 and message["role"] == "user":
            parts.append(TextPart(text=part["text"]))
        elif part.get("type") == "image_url" and isinstance(part["image_url"], dict) and len(part) == 2:
            parts.append(ImagePart(url=part["image_url"]["url"], detail=part["image_url"].get("detail")))
        else:
            return None
    parts += [
        ToolCall(id=call.get("id", ""), name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in message.get("tool_calls") or []
    ]
    return Message(role=message["role"], content=parts)


def _normal(message: dict[str, Any]) -> dict[str, Any]:
    """Clients differ in how they write what means the same: one text part or a string, null, empty or no content, an index in a call."""
    content = message.get("content") or ""
    if isinstance(content, list) and len(content) == 1 and content[0].get("type") == "text":
        content = content[0]["text"]
    calls = [
        {"id": call["id"], "type": "function", "function": {name: call["function"][name] for name in ("name", "arguments")}}
        for call in message.get("tool_calls") or []
    ]
    return {**{name: message[name] for name in message if name in {"role", "tool_call_id"}}, "content": content, "tool_calls": calls}


@pytest.mark.parametrize("conversation", _recorded_bodies())
def test_messages_are_written_as_real_clients_write_them(conversation: list[dict[str, Any]]) -> None:
    translated = [_as_message(message) for message in conversation]
    written = messages_of(*(message for message in translated if message is not None))
    expected = [_normal(message) for message in conversation]
    ours = [_normal(message) for message in written]
    renamed = {
        theirs["id"]: mine["id"]
        for before, after in zip(expected, ours, strict=True)
        for theirs, mine in zip(before["tool_calls"], after["tool_calls"], strict=True)
    }
    for message in expected:
        for call in message["tool_calls"]:
            call["id"] = renamed[call["id"]]
        if "tool_call_id" in message:
            message["tool_call_id"] = renamed[message["tool_call_id"]]
    assert ours == expected
