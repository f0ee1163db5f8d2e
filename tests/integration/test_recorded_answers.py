"""Real answers over a real connection: each recording is served by a local server and read through the whole library, or the CLI."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import parley
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.replay import ReplayServer

from . import oracle

# The provider through which a folder of recordings is read; small dialects by the one for any server of that wire.
PROVIDERS = {
    "anthropic-messages": "anthropic",
    "deepseek": "deepseek",
    "gemini-generate": "gemini",
    "groq": "groq",
    "mistral-chat": "mistral",
    "ollama-openai": "ollama",
    "openai-chat": "openai",
    "openrouter": "openrouter",
    "vertex-gemini": "gemini",
}
FAMILIES = {"openai-chat": oracle.openai_chat, "anthropic": oracle.anthropic_messages, "gemini": oracle.gemini_generate}
# Two generations in one stream, the first one cut: an intermediary had lost its connection and tried again.
CUT = {"anthropic-messages/tools-stream/vercel-spliced-message-start.json"}
NO_ANSWERS = {"anthropic-models", "anthropic-count-tokens", "gemini-models", "gemini-count-tokens", "gemini-embeddings"}
MESSAGES = [{"role": "user", "content": "Hello"}]


def answers() -> Iterator[Any]:
    for path in find_recordings():
        if path.parts[-3] in NO_ANSWERS:
            continue
        recording = load_recording(path)
        if recording.wire_family in FAMILIES:
            yield pytest.param(recording, id=recording.file)


RECORDINGS = list(answers())
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")


def load(recording: Recording, server: ReplayServer) -> Any:
    name = PROVIDERS.get(recording.provider, "openai-compatible")
    return parley.load_provider(name, api_key="test", endpoint=server.url, model=recording.model or "model-1")


async def ask(provider: Any, recording: Recording) -> parley.ChatResponse:
    # One attempt: an error is the answer that was recorded, and waiting for it three times shows nothing more.
    request = parley.ChatRequest(messages=[parley.Message(role="user", content="Hello")])
    if not recording.streaming:
        return await provider.generate(request, attempts=1)
    async for event in provider.stream(request, attempts=1):
        if isinstance(event, parley.ResponseFinished):
            return event.response
    raise AssertionError("the stream ended without its last event")


@needs_recordings
@pytest.mark.parametrize("recording", RECORDINGS)
async def test_a_recorded_exchange_is_read_right(recording: Recording) -> None:
    async with ReplayServer(recording) as server, load(recording, server) as provider:
        if recording.kind.startswith("error") or recording.file in CUT:
            with pytest.raises(parley.ProviderError) as raised:
                await ask(provider, recording)
            assert raised.value.message
            assert raised.value.status in {recording.status, None}
            return
        reply = await ask(provider, recording)
    expected = FAMILIES[recording.wire_family](recording)
    assert reply.text == expected.text
    calls = [(call.name, oracle.parsed(call.arguments)) for call in reply.tool_calls]
    assert [name for name, _ in calls] == [name for name, _ in expected.tool_calls]
    for (_, arguments), (_, wanted) in zip(calls, expected.tool_calls, strict=True):
        assert wanted is ... or arguments == wanted
    for count in ("prompt_tokens", "completion_tokens"):
        if getattr(expected, count) is not None:
            assert getattr(reply.usage, count) == getattr(expected, count)
    reported = expected.prompt_tokens is not None and expected.completion_tokens is not None
    assert reply.usage.source == "reported" if reported else reply.usage.source != "reported"
    assert reply.raw_finish_reason == expected.finish


def one_of_each_kind() -> Iterator[Any]:
    """For each wire: an answer and a tool call, streamed and whole, and an error."""
    seen = set()
    for parameter in RECORDINGS:
        recording: Recording = parameter.values[0]
        key = (recording.wire_family, recording.kind)
        usual = recording.provider in {"openai-chat", "anthropic-messages", "gemini-generate"}
        wanted = recording.kind in {"generate", "stream", "tools", "tools-stream", "error"}
        if usual and wanted and key not in seen:
            seen.add(key)
            yield parameter


@needs_recordings
@pytest.mark.parametrize("recording", list(one_of_each_kind()))
async def test_the_command_line_gives_the_recorded_answer(recording: Recording, tmp_path: Path) -> None:
    name = PROVIDERS[recording.provider]
    async with ReplayServer(recording) as server:
        variables = {f"{name.upper()}_ENDPOINT": server.url, f"{name.upper()}_API_KEY": "test"}
        mode = "--stream" if recording.streaming else "--no-stream"
        command = [
            str(Path(sys.executable).with_name("parley")),
            "chat",
            "-p",
            f"{name}/{recording.model or 'model-1'}",
            "--json",
            mode,
            "Hello",
        ]
        done = await asyncio.to_thread(
            subprocess.run, command, check=False, capture_output=True, text=True, timeout=60, cwd=tmp_path, env=os.environ | variables
        )
    assert "Traceback" not in done.stderr
    last = json.loads(done.stdout.strip().splitlines()[-1] if recording.streaming else done.stdout or done.stderr)
    if recording.kind == "error":
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stderr
    reply = last.get("response", last)
    expected = FAMILIES[recording.wire_family](recording)
    assert "".join(part["text"] for part in reply["parts"] if part["type"] == "text") == expected.text
    assert [part["name"] for part in reply["parts"] if part["type"] == "tool_call"] == [name for name, _ in expected.tool_calls]
    assert reply["usage"]["prompt_tokens"] == expected.prompt_tokens
    assert reply["usage"]["completion_tokens"] == expected.completion_tokens
    assert reply["raw_finish_reason"] == expected.finish
