from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import InvalidRequestError, ModelNotFoundError, ParleyError, ProtocolError, ServerError, StreamTruncatedError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import FilePart, ImagePart, Message, ReasoningPart, TextPart, ToolCall, ToolResult
from parley.contract.options import Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.wire.ollama_chat import OllamaChat, url_of

CODEC = OllamaChat()
TARGET = Target(provider="ollama", model="qwen3", endpoint="http://127.0.0.1:11434")
HEAD = ResponseHead(status=200, provider="ollama", model="qwen3")
QUESTION = Message(role="user", content="Hi")
REPLIES = [path for path in find_recordings("ollama-chat") if path.parent.name != "error"]
ERRORS = [path for path in find_recordings("ollama-chat") if path.parent.name == "error"]
every_reply = pytest.mark.parametrize("path", REPLIES, ids=lambda path: "/".join(path.parts[-2:]))
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")


def head_of(recording: Recording) -> ResponseHead:
    return ResponseHead(status=recording.status, headers=recording.headers, provider="ollama", model=recording.model)


def encoded(*messages: Message, model: str = "qwen3", system_prompt: str | None = None, **options: Any) -> dict[str, Any]:
    target = Target(provider="ollama", model=model, endpoint="http://127.0.0.1:11434")
    request = ChatRequest(messages=list(messages) or [QUESTION], options=Options(**options), system_prompt=system_prompt)
    return json.loads(CODEC.encode(request, target=target, stream=True).body)


def lines(*documents: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


@needs_recordings
@every_reply
def test_any_split_of_a_reply_gives_the_same_events(path: Path, decode: Any, splits: Any) -> None:
    recording = load_recording(path)
    whole = decode(CODEC, head_of(recording), [recording.body])
    assert whole[1] is None
    for pieces in splits(recording.body, recording.file):
        assert decode(CODEC, head_of(recording), pieces) == whole


@needs_recordings
@every_reply
def test_a_reply_is_read_as_a_naive_reader_reads_it(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    said = [json.loads(line) for line in recording.body.decode().splitlines() if line]
    folded = fold(decode(CODEC, head_of(recording), [recording.body])[0])
    messages = [line["message"] for line in said]
    assert folded.reply.text == "".join(message["content"] for message in messages)
    assert folded.reply.reasoning == "".join(message.get("thinking", "") for message in messages)
    calls = [call for message in messages for call in message.get("tool_calls", [])]
    assert [(call.id, call.name, json.loads(call.arguments)) for call in folded.reply.tool_calls] == [
        (call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls
    ]
    assert (folded.usage.prompt_tokens, folded.usage.completion_tokens) == (said[-1]["prompt_eval_count"], said[-1]["eval_count"])
    assert folded.started.model == said[0]["model"]
    assert folded.finished is not None
    assert folded.finished.raw_finish_reason == said[-1]["done_reason"]
    assert folded.finished.finish_reason == ("tool_calls" if calls else "stop")


@needs_recordings
@every_reply
def test_a_reply_can_be_sent_back(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    reply = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply
    results = [Message(role="tool", content=[ToolResult(tool_call_id=call.id, content="42")]) for call in reply.tool_calls]
    _, assistant, *answers = encoded(QUESTION, reply.to_message(), *results)["messages"]
    assert (assistant["content"], assistant.get("thinking", "")) == (reply.text, reply.reasoning)
    assert [call["function"]["name"] for call in assistant.get("tool_calls", [])] == [answer["tool_name"] for answer in answers]


@needs_recordings
@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.name)
def test_a_recorded_error_is_what_it_says(path: Path) -> None:
    recording = load_recording(path)
    error = CODEC.decode_error(head_of(recording), recording.body)
    assert type(error) is ModelNotFoundError
    assert json.loads(recording.body)["error"] in error.message


def test_options_stand_where_the_server_looks_for_them() -> None:
    body = encoded(
        temperature=0, top_k=3, max_tokens=9, stop=["x"], seed=1, tools=[Tool(name="weather", description="Tells it")],
        reasoning_effort="low", extra={"num_ctx": 8192, "keep_alive": "5m"}, system_prompt="Be brief",
    )  # fmt: skip
    assert body["options"] == {"temperature": 0, "top_k": 3, "num_predict": 9, "stop": ["x"], "seed": 1, "num_ctx": 8192}
    assert (body["keep_alive"], body["think"], body["stream"]) == ("5m", True, True)
    assert body["messages"][0] == {"role": "system", "content": "Be brief"}
    assert body["tools"][0]["function"]["name"] == "weather"


@pytest.mark.parametrize(
    ("model", "effort", "sent"),
    [("qwen3", "none", False), ("qwen3", "high", True), ("gpt-oss:20b", "high", "high"), ("gpt-oss:20b", "none", "low")],
)
def test_degrees_of_thought_go_to_those_that_know_them(model: str, effort: str, sent: object) -> None:
    assert encoded(model=model, reasoning_effort=effort)["think"] == sent


def test_structured_output() -> None:
    schema = {"type": "object", "properties": {}}
    assert encoded(response_format=SchemaFormat(name="n", schema=schema))["format"] == schema
    assert encoded(response_format="json")["format"] == "json"
    assert "format" not in encoded(response_format="text")


def test_images_go_as_data_beside_the_text_and_results_name_their_tool() -> None:
    image = ImagePart(media_type="image/png", data="aaaa")
    asked = Message(role="user", content=[TextPart(text="Look"), image])
    call = Message(role="assistant", content=[TextPart(text="So"), ToolCall(id="c1", name="weather", arguments='{"city":"Oslo"}')])
    answer = Message(role="tool", content=[ToolResult(tool_call_id="c1", content=[TextPart(text="14 °C"), image])])
    first, assistant, result, media = encoded(asked, call, answer)["messages"]
    assert first == {"role": "user", "content": "Look", "images": ["aaaa"]}
    assert assistant["tool_calls"] == [{"id": "c1", "function": {"name": "weather", "arguments": {"city": "Oslo"}}}]
    assert result == {"role": "tool", "content": "14 °C", "tool_name": "weather", "tool_call_id": "c1"}
    assert media["images"] == ["aaaa"]


def test_what_the_server_cannot_take_is_told() -> None:
    with pytest.raises(InvalidRequestError):
        encoded(Message(role="user", content=[FilePart(media_type="application/pdf", data="aaaa")]))
    request = ChatRequest(messages=[Message(role="user", content=[ImagePart(url="https://x.example/i.png")])])
    assert [warning.code for warning in CODEC.encode(request, target=TARGET, stream=False).warnings] == ["media_dropped"]


def test_another_vendors_thought_is_left_out() -> None:
    foreign = Message(role="assistant", content=[ReasoningPart(text="secret"), TextPart(text="x")])
    assert "thinking" not in encoded(QUESTION, foreign)["messages"][1]


@pytest.mark.parametrize("endpoint", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/", "http://h:1/api"])
def test_any_address_of_the_server_will_do(endpoint: str) -> None:
    assert url_of(endpoint, "/api/chat") == "http://h:1/api/chat"


def test_models_are_listed_with_their_size() -> None:
    body = json.dumps({"models": [{"name": "qwen3:0.6b", "details": {"parameter_size": "752M", "quantization_level": "Q4_K_M"}}, {}]})
    (model,) = CODEC.decode_models(HEAD, body.encode())
    assert (model.id, model.description) == ("qwen3:0.6b", "752M, Q4_K_M")
    with pytest.raises(ProtocolError):
        CODEC.decode_models(HEAD, b"<html></html>")


PART = {"model": "m", "message": {"role": "assistant", "content": "Hel"}, "done": False}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (lines(PART), StreamTruncatedError),
        (lines(PART) + b'{"model":"m","mess', StreamTruncatedError),
        (lines(PART, {"error": "an error was encountered while running the model"}), ServerError),
        (b"<html><title>nginx</title></html>", ProtocolError),
        (b"[]", ProtocolError),
        (b"", StreamTruncatedError),
    ],
)
def test_what_goes_wrong_is_the_error_it_stands_for(body: bytes, expected: type[ParleyError], decode: Any) -> None:
    assert type(decode(CODEC, HEAD, [body])[1]) is expected


def test_calls_without_ids_get_some_that_differ(decode: Any, fold: Any) -> None:
    call = {"function": {"name": "f", "arguments": {}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call, call]}
    body = lines({"model": "m", "created_at": "t", "message": message, "done": True, "done_reason": "stop"})
    ids = [call.id for call in fold(decode(CODEC, HEAD, [body])[0]).reply.tool_calls]
    assert len(set(ids)) == 2
    assert all(ids)


FIELDS = ["message", "content", "thinking", "tool_calls", "function", "name", "arguments", "done", "done_reason", "eval_count", "model"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=5), max_size=5))
def test_no_reply_whatever_raises_anything_but_our_errors(documents: list[dict[str, Any]]) -> None:
    decoder = CODEC.decoder(ChatRequest(messages=[QUESTION]), HEAD)
    try:
        found = [*decoder.feed(lines(*documents)), *decoder.close()]
    except ParleyError:
        return
    assert found
