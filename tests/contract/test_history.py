"""A conversation may change its provider in the middle: every recorded reply, answered, is encodable for every other provider."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

import parley
from parley.contract.http import ResponseHead, Target
from parley.guard.fold import Fold
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory

# Whose recordings are read by which provider's wire.
ORIGINS = {
    "anthropic-messages": "anthropic",
    "deepseek": "deepseek",
    "gemini-generate": "gemini",
    "groq": "groq",
    "mistral-chat": "mistral",
    "ollama-openai": "ollama:openai",
    "openai-chat": "openai:chat",
    "openrouter": "openrouter",
    "vertex-gemini": "gemini",
}
ORIGINS |= {path.parts[-3]: "openai_compatible" for path in find_recordings() if path.parts[-3] not in ORIGINS}
WIRES = {"openai-chat", "anthropic", "gemini"}
TARGETS = ["anthropic", "cohere", "deepseek", "gemini", "groq", "mistral", "ollama", "openai", "openai:chat", "openrouter"]
QUESTION = parley.Message(role="user", content="What now?")


def dialect(name: str) -> Any:
    return importlib.import_module(f"parley.providers.{name.partition(':')[0]}").provider


def wire_of(name: str) -> Any:
    """The wire of a provider, or of one of its APIs ("openai:chat")."""
    provider, _, api = name.partition(":")
    return dialect(provider).apis.get(api, dialect(provider).wire)


def replies() -> Iterator[Any]:
    for path in find_recordings(*ORIGINS):
        recording = load_recording(path)
        is_reply = recording.kind not in {"models", "count_tokens", "embeddings"} and not recording.kind.startswith("error")
        if recording.wire_family in WIRES and is_reply and "spliced" not in recording.file:
            yield pytest.param(recording, id=recording.file)


def reply_of(recording: Recording) -> parley.ChatResponse:
    name = ORIGINS[recording.provider]
    head = ResponseHead(status=recording.status, headers=recording.headers, provider=name.partition(":")[0], model=recording.model)
    decoder = wire_of(name).decoder(parley.ChatRequest(messages=[QUESTION]), head)
    fold = Fold()
    fold.add([*decoder.feed(recording.body), *decoder.close()])
    return parley.ChatResponse(parts=fold.parts())


def conversation(reply: parley.ChatResponse) -> list[parley.Message]:
    """The reply in its place: asked for, its calls answered, and a next question."""
    results = [parley.ToolResult(tool_call_id=call.id, content=f"result of {call.name}") for call in reply.tool_calls]
    answered = [parley.Message(role="tool", content=list(results))] if results else []
    return [QUESTION, reply.to_message(), *answered, QUESTION]


def calls_and_results(wire: str, body: dict[str, Any]) -> tuple[list[str], list[str]]:
    """How the calls are named in the body, and how the results name them, in order."""
    calls, results = [], []
    if wire == "openai_responses":
        calls = [item["call_id"] for item in body["input"] if item.get("type") in {"function_call", "custom_tool_call"}]
        results = [item["call_id"] for item in body["input"] if "output" in item]
    elif wire == "bedrock_converse":
        blocks = [block for message in body["messages"] for block in message["content"]]
        calls = [block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block]
        results = [block["toolResult"]["toolUseId"] for block in blocks if "toolResult" in block]
    elif wire in {"openai_chat", "cohere_v2", "ollama_chat"}:
        for message in body["messages"]:
            calls += [call["id"] for call in message.get("tool_calls") or []]
            results += [message["tool_call_id"]] if message["role"] == "tool" else []
    elif wire == "anthropic_messages":
        blocks = [block for message in body["messages"] if isinstance(message["content"], list) for block in message["content"]]
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    else:
        parts = [part for content in body["contents"] for part in content["parts"]]
        calls = [part["functionCall"]["name"] for part in parts if "functionCall" in part]
        results = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
    return calls, results


ID_RULES = {"mistral": r"[a-zA-Z0-9]{9}", "anthropic": r"[a-zA-Z0-9_-]+"}


@pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")
@pytest.mark.parametrize("recording", list(replies()))
def test_a_recorded_reply_is_encodable_for_every_provider(recording: Recording) -> None:
    reply = reply_of(recording)
    request = parley.ChatRequest(messages=conversation(reply), system_prompt="Go on.")
    for name in TARGETS:
        wire, provider = wire_of(name), name.partition(":")[0]
        capabilities = dialect(name).capabilities.over(wire.capabilities)
        target = Target(provider=provider, model="model-1", endpoint="http://127.0.0.1/v1", capabilities=capabilities)
        encoded = wire.encode(request, target=target, stream=True)
        body = json.loads(encoded.body)
        calls, results = calls_and_results(wire.name, body)
        assert len(calls) == len(reply.tool_calls)
        assert sorted(calls) == sorted(results), "each call has its result, under the same id"
        if rule := ID_RULES.get(name):
            assert all(re.fullmatch(rule, call) for call in calls)
        for call in reply.tool_calls:
            assert f"result of {call.name}" in encoded.body.decode()
        foreign = [part for part in reply.parts if part.provider_data is not None and part.provider_data.provider != provider]
        if foreign:
            dropped = "provider_data_dropped" in {warning.code for warning in encoded.warnings}
            assert dropped or not any(leaks(part, body) for part in foreign)


def leaks(part: Any, body: dict[str, Any]) -> bool:
    """Whether a foreign vendor's opaque data is in what is sent."""
    text = json.dumps(part.provider_data.data, separators=(",", ":"))
    return len(text) > 40 and text in json.dumps(body, separators=(",", ":"))
