"""Every recorded exchange of the Messages wire, in every split, against a naive reader of what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from parley.contract.errors import (
    AuthenticationError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    RequestRejectedError,
    ServerError,
    StreamTruncatedError,
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

CODEC = AnthropicMessages()
TARGET = Target(provider="anthropic", model="claude-opus-4-6", endpoint="https://example.test/v1")
REPLIES = [path for path in find_recordings("anthropic-messages") if path.parent.name != "error"]
ERRORS = [path for path in find_recordings("anthropic-messages", "anthropic-count-tokens") if path.parent.name == "error"]
FINISH = {"end_turn": "stop", "stop_sequence": "stop", "pause_turn": "stop", "max_tokens": "length", "tool_use": "tool_calls"}
FINISH["refusal"] = "content_filter"
ERROR_TYPES: dict[str, type[ParleyError]] = {
    "overloaded_error": OverloadedError,
    "api_error": ServerError,
    "authentication_error": AuthenticationError,
    "not_found_error": ModelNotFoundError,
    "invalid_request_error": RequestRejectedError,
}


class Oracle:
    """What a person would read out of the recorded JSON."""

    def __init__(self, recording: Recording) -> None:
        text = recording.body.decode()
        self.events = [json.loads(line[5:]) for line in text.splitlines() if line.startswith("data:")] or [json.loads(text)]
        self.blocks: list[dict[str, Any]] = []
        self.usage: dict[str, Any] = {}
        self.stop_reason: str | None = None
        self.refusal = ""
        self.id = self.model = ""
        self.error = ""
        self.spliced = False
        open_id = ""
        current: dict[int, dict[str, Any]] = {}
        for event in self.events:
            kind = event["type"]
            message = event if kind == "message" else event.get("message", {})
            if kind in {"message", "message_start"}:
                self.spliced = self.spliced or (open_id not in {"", message["id"]})
                open_id = message["id"] if kind == "message_start" else ""
                self.id, self.model = self.id or message["id"], self.model or message["model"]
                self.blocks += [dict(block) for block in message["content"]]
            elif kind == "message_stop":
                open_id = ""
            elif kind == "content_block_start":
                current[event["index"]] = dict(event["content_block"])
            elif kind == "content_block_delta":
                self._add(current[event["index"]], event["delta"])
            elif kind == "content_block_stop":
                self.blocks.append(self._whole(current[event["index"]]))
            elif kind == "error":
                self.error = event["error"]["type"]
            for carrier in (message, event.get("delta", {})):
                self.stop_reason = carrier.get("stop_reason") or self.stop_reason
                self.refusal += (carrier.get("stop_details") or {}).get("explanation") or ""
            for usage in (message.get("usage"), event.get("usage") if kind != "message" else None):
                self.usage.update({name: value for name, value in (usage or {}).items() if value is not None})

    @staticmethod
    def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
        if "citation" in delta:
            block["citations"] = [*(block.get("citations") or []), delta["citation"]]
        for name in ("text", "thinking", "signature", "partial_json"):
            if name in delta:
                block[name] = block.get(name, "") + delta[name]

    @staticmethod
    def _whole(block: dict[str, Any]) -> dict[str, Any]:
        text = block.pop("partial_json", "")
        return {**block, "input": json.loads(text)} if text else block

    def joined(self, kind: str) -> str:
        return "".join(block[kind] for block in self.blocks if block["type"] == kind)

    def sent_back(self) -> list[dict[str, Any]]:
        """The blocks as they must go back: all, unchanged, but for text and citations that are empty and thought that nothing proves."""
        kept: list[dict[str, Any]] = []
        for block in self.blocks:
            if (block["type"] == "text" and not block["text"]) or (block["type"] == "thinking" and not block["signature"]):
                continue
            kept.append({name: value for name, value in block.items() if not (name == "citations" and not value)})
        return kept


def head_of(recording: Recording) -> ResponseHead:
    return ResponseHead(status=recording.status, headers=recording.headers, provider="anthropic", model=recording.model)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_reply_is_read_as_recorded(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    events, error = decode(CODEC, head_of(recording), [recording.body])
    if oracle.spliced:
        assert isinstance(error, StreamTruncatedError)
        return
    if oracle.error:
        assert type(error) is ERROR_TYPES[oracle.error]
        return
    assert error is None
    reply = fold(events)
    assert reply.reply.text == oracle.joined("text")
    assert reply.reply.reasoning == oracle.joined("thinking")
    calls = [(call.id, call.name, json.loads(call.arguments)) for call in reply.reply.tool_calls]
    assert calls == [(block["id"], block["name"], block["input"]) for block in oracle.blocks if block["type"] == "tool_use"]
    cited = [citation for block in oracle.blocks for citation in (block.get("citations") or ())]
    assert [(citation.text, citation.url) for citation in reply.citations] == [(cite["cited_text"], cite.get("url")) for cite in cited]
    assert (reply.started.id, reply.started.model) == (oracle.id, oracle.model)
    assert reply.started.request_id == recording.headers.get("request-id", recording.headers.get("cf-ray"))
    assert reply.refusal == oracle.refusal
    assert reply.finished.raw_finish_reason == oracle.stop_reason
    assert reply.finished.finish_reason == FINISH[oracle.stop_reason or ""]
    assert not reply.warnings


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_usage_is_counted_as_recorded(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    if oracle.spliced or oracle.error:
        pytest.skip("a reply that ends in an error has no final usage")
    raw, usage = oracle.usage, fold(decode(CODEC, head_of(recording), [recording.body])[0]).usage
    cached, written = raw.get("cache_read_input_tokens"), raw.get("cache_creation_input_tokens")
    assert usage.prompt_tokens == raw["input_tokens"] + (cached or 0) + (written or 0)
    assert usage.completion_tokens == raw["output_tokens"]
    assert (usage.cached_tokens, usage.cache_write_tokens) == (cached, written)
    assert usage.reasoning_tokens == raw.get("output_tokens_details", {}).get("thinking_tokens")


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_every_split_gives_the_same_events(path: Path, decode: Any, splits: Any) -> None:
    recording = load_recording(path)
    whole, error = decode(CODEC, head_of(recording), [recording.body])
    for pieces in splits(recording.body, path.name):
        events, other = decode(CODEC, head_of(recording), pieces)
        assert events == whole
        assert repr(other) == repr(error)


@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_reply_goes_back_unchanged(path: Path, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    oracle = Oracle(recording)
    if oracle.spliced or oracle.error or not oracle.sent_back():
        pytest.skip("nothing to send back")
    message = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply.to_message()
    request = CODEC.encode(conversation(message), target=TARGET, stream=False)
    assert json.loads(request.body)["messages"][1] == {"role": "assistant", "content": oracle.sent_back()}
    assert not request.warnings


@pytest.mark.parametrize("codec", [GeminiGenerate(), OpenAIChat(), AnthropicMessages()], ids=lambda codec: codec.name)
@pytest.mark.parametrize("path", REPLIES, ids=lambda path: path.stem)
def test_conversation_goes_on_with_another_provider(path: Path, codec: Any, decode: Any, fold: Any) -> None:
    recording = load_recording(path)
    reply = fold(decode(CODEC, head_of(recording), [recording.body])[0]).reply
    target = Target(provider="another", model="m", endpoint="https://example.test")
    request = codec.encode(conversation(reply.to_message()), target=target, stream=True)
    body = request.body.decode()
    json.loads(body)
    assert all(part.signature not in body for part in reply.parts if hasattr(part, "signature") and part.signature)
    if any(getattr(part, "provider_data", None) and part.provider_data.data for part in reply.parts):
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
    recorded = json.loads(recording.body)
    error = CODEC.decode_error(head_of(recording), recording.body)
    expected = ContextLengthError if "too long" in recorded["error"]["message"] else ERROR_TYPES[recorded["error"]["type"]]
    assert type(error) is expected
    assert error.message == recorded["error"]["message"]
    assert (error.status, error.provider_code) == (recording.status, recorded["error"]["type"])
    assert error.request_id == recording.headers.get("request-id", recorded["request_id"])


def test_models_are_listed_as_recorded() -> None:
    for path in find_recordings("anthropic-models"):
        recording = load_recording(path)
        models = CODEC.decode_models(head_of(recording), recording.body)
        recorded = json.loads(recording.body)["data"]
        assert [(model.id, model.label) for model in models] == [(entry["id"], entry["display_name"]) for entry in recorded]
