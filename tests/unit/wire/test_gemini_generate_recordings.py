"""Every recorded exchange of the generateContent wire, in every split, against a naive reader of what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import (
    AuthenticationError,
    ContextLengthError,
    ModelNotFoundError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
)
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message, ToolCall, ToolResult
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.openai_chat import OpenAIChat

pytestmark = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")

CODEC = GeminiGenerate()
TARGET = Target(provider="gemini", model="gemini-3.5-flash", endpoint="https://example.test/v1beta")
REPLIES = [path for path in find_recordings("gemini-generate", "vertex-gemini") if path.parent.name != "error"]
ERRORS = [path for path in find_recordings("gemini-generate", "vertex-gemini") if path.parent.name == "error"]
FINISH = {"STOP": "stop", 1: "stop", "MAX_TOKENS": "length", "SAFETY": "content_filter", "UNEXPECTED_TOOL_CALL": "error"}


class Oracle:
    """What a person would read out of the recorded JSON."""

    def __init__(self, recording: Recording) -> None:
        text = recording.body.decode()
        whole = json.loads(text) if text[0] in "{[" else [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")]
        self.chunks: list[dict[str, Any]] = whole if isinstance(whole, list) else [whole]
        self.candidates = [chunk["candidates"][0] for chunk in self.chunks if chunk.get("candidates")]
        self.parts = [part for candidate in self.candidates for part in candidate.get("content", {}).get("parts", [])]
        self.usage: dict[str, Any] = {}
        for chunk in self.chunks:
            self.usage.update(chunk.get("usageMetadata", {}))
        self.raw = next((candidate["finishReason"] for candidate in reversed(self.candidates) if "finishReason" in candidate), None)
        self.calls = self._calls()

    def text(self, *, thought: bool) -> str:
        return "".join(part.get("text", "") for part in self.parts if part.get("thought", False) is thought)

    def _calls(self) -> list[tuple[str, dict[str, Any]]]:
        calls: list[tuple[str, dict[str, Any]]] = []
        for call in (part["functionCall"] for part in self.parts if "functionCall" in part):
            if "name" in call:
                calls.append((call["name"], dict(call.get("args", {}))))
            for piece in call.get("partialArgs", []):
                name = piece["jsonPath"].removeprefix("$.")
                calls[-1][1][name] = calls[-1][1].get(name, "") + piece["stringValue"]
        return calls

    def urls(self) -> set[str]:
        found: set[str] = set()
        for candidate in self.candidates:
            found |= {chunk["web"]["uri"] for chunk in candidate.get("groundingMetadata", {}).get("groundingChunks", [])}
            found |= {entry["uri"] for entry in candidate.get("citationMetadata", {}).get("citations", []) if "uri" in entry}
            found |= {entry["retrievedUrl"] for entry in candidate.get("urlContextMetadata", {}).get("urlMetadata", [])}
        return found

    def segments(self) -> set[str]:
        grounded = [candidate.get("groundingMetadata", {}) for candidate in self.candidates]
        supports = [support for metadata in grounded for support in metadata.get("groundingSupports", [])]
        return {support["segment"]["text"] for support in supports if support["groundingChunkIndices"]}

    def sent_back(self) -> list[dict[str, Any]]:
        """The parts as they must go back: neighbours of plain text (and of thought) joined, calls whole, the rest as it came."""
        kept: list[dict[str, Any]] = []
        calls = iter(self.calls)
        for part in self.parts:
            last = kept[-1] if kept else {}
            if "functionCall" in part:
                if "name" not in part["functionCall"]:
                    continue
                name, arguments = next(calls)
                call = {name: value for name, value in part["functionCall"].items() if name == "id"}
                kept.append({**part, "functionCall": {"name": name, "args": arguments, **call}})
            elif part == {"text": ""}:
                continue
            elif "text" in part and set(part) == set(last) and "thoughtSignature" not in part:
                last["text"] += part["text"]
            elif "text" in part and set(part) == {"text", "thought", "thoughtSignature"} and set(last) == {"text", "thought"}:
                kept[-1] = {**part, "text": last["text"] + part["text"]}
            else:
                kept.append(dict(part))
        return kept


def head_of(recording: Recording) -> ResponseHead:
    return ResponseHead(status=recording.status, headers=recording.headers, provider="gemini", model=recording.model)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_reply_is_read_as_recorded(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    events, error = decode(CODEC, head_of(recording), [recording.body])
    assert error is None
    reply = fold(events)
    assert reply.reply.text == oracle.text(thought=False)
    assert reply.reply.reasoning == oracle.text(thought=True)
    assert [(call.name, json.loads(call.arguments)) for call in reply.reply.tool_calls] == oracle.calls
    assert (reply.started.id, reply.started.model) == (oracle.chunks[0].get("responseId"), oracle.chunks[0]["modelVersion"])
    assert reply.finished.raw_finish_reason == str(oracle.raw)
    expected = FINISH[oracle.raw]
    assert reply.finished.finish_reason == ("tool_calls" if expected == "stop" and oracle.calls else expected)
    assert reply.warnings == (["finish_message"] if expected == "error" else [])


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_sources_are_cited_with_their_place(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    reply = fold(decode(CODEC, head_of(recording), [recording.body])[0])
    assert {citation.url for citation in reply.citations} == oracle.urls()
    assert {citation.text for citation in reply.citations if citation.text} == oracle.segments()
    for citation in reply.citations:
        if citation.start_index is not None:
            assert reply.reply.text[citation.start_index : citation.end_index] == citation.text


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_usage_is_counted_as_recorded(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    raw = Oracle(recording).usage
    usage = fold(decode(CODEC, head_of(recording), [recording.body])[0]).usage
    read = raw.get("promptTokenCount")
    assert usage.prompt_tokens == (None if read is None else read + raw.get("toolUsePromptTokenCount", 0))
    written = [raw[name] for name in ("candidatesTokenCount", "thoughtsTokenCount") if name in raw]
    assert usage.completion_tokens == (sum(written) if written else None)
    assert usage.total_tokens == raw.get("totalTokenCount")
    assert (usage.cached_tokens, usage.reasoning_tokens) == (raw.get("cachedContentTokenCount"), raw.get("thoughtsTokenCount"))


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_every_split_gives_the_same_events(path: Path, decode: Any, splits: Any) -> None:
    recording = load_recording(path)
    whole, _ = decode(CODEC, head_of(recording), [recording.body])
    for pieces in splits(recording.body, path.name):
        events, error = decode(CODEC, head_of(recording), pieces)
        assert error is None
        assert events == whole


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_reply_goes_back_unchanged(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    message = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply.to_message()
    older = Target(provider="gemini", model="gemini-2.5-flash", endpoint="https://example.test/v1beta")
    request = CODEC.encode(conversation(message), target=older, stream=False)
    contents = json.loads(request.body)["contents"]
    assert [content["parts"] for content in contents if content["role"] == "model"] == [oracle.sent_back()] * bool(oracle.sent_back())
    assert not request.warnings


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_new_model_gets_a_signature_for_the_first_call(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    message = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply.to_message()
    contents = json.loads(CODEC.encode(conversation(message), target=TARGET, stream=False).body)["contents"]
    calls = [part for content in contents for part in content["parts"] if "functionCall" in part]
    assert all(part["thoughtSignature"] for part in calls[:1])


@pytest.mark.parametrize("codec", [AnthropicMessages(), OpenAIChat(), GeminiGenerate()], ids=lambda codec: codec.name)
@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_conversation_goes_on_with_another_provider(path: Path, codec: Any, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    reply = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply
    target = Target(provider="another", model="m", endpoint="https://example.test")
    request = codec.encode(conversation(reply.to_message()), target=target, stream=True)
    body = request.body.decode()
    json.loads(body)
    signatures = [part["thoughtSignature"] for part in Oracle(recording).parts if "thoughtSignature" in part]
    assert not any(signature in body for signature in signatures)
    if signatures:
        assert "provider_data_dropped" in {warning.code for warning in request.warnings}


def conversation(reply: Message) -> ChatRequest:
    """The reply, its calls answered, and the next question."""
    calls = [part for part in reply.parts if isinstance(part, ToolCall)]
    answers = [Message(role="tool", content=[ToolResult(tool_call_id=call.id, content="42") for call in calls])] if calls else []
    tools = [Tool(name=name) for name in dict.fromkeys(call.name for call in calls)] or None
    return ChatRequest(
        messages=[Message(role="user", content="Hi"), reply, *answers, Message(role="user", content="And?")], options=Options(tools=tools)
    )


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_error_is_typed(path: Path) -> None:
    recording = load_recording(path)
    recorded = json.loads(recording.body)["error"]
    error = CODEC.decode_error(head_of(recording), recording.body)
    expected = {404: ModelNotFoundError, 429: RateLimitError, 500: ServerError, 400: RequestRejectedError}[recorded["code"]]
    if "API key not valid" in recorded["message"]:
        expected = AuthenticationError
    elif "token count" in recorded["message"]:
        expected = ContextLengthError
    assert type(error) is expected
    assert (error.message, error.status) == (recorded["message"], recording.status)
    waits = [float(detail["retryDelay"].rstrip("s")) for detail in recorded.get("details", []) if "retryDelay" in detail]
    assert error.retry_after == (waits[0] if waits else None)


def test_models_are_listed_as_recorded() -> None:
    for path in find_recordings("gemini-models"):
        recording = load_recording(path)
        models = CODEC.decode_models(head_of(recording), recording.body)
        recorded = [entry for entry in json.loads(recording.body)["models"] if "generateContent" in entry["supportedGenerationMethods"]]
        assert [f"models/{model.id}" for model in models] == [entry["name"] for entry in recorded]
        assert [(model.label, model.context_tokens) for model in models] == [
            (entry["displayName"], entry["inputTokenLimit"]) for entry in recorded
        ]
