"""A real inference server is recorded through `openai-compatible`, and what was saved answers in its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import parley
from parley.contract.response import ChatResponse
from parley.registry.loading import Registry
from parley.testing.leaks import secrets_in
from parley.testing.record import prepare, record
from parley.testing.recordings import Recording, find_recordings, load_recording
from parley.testing.replay import ReplayServer

from .test_llama_cpp import address

__all__ = ["address"]

NAME = "openai-compatible"


async def replayed(recording: Recording) -> ChatResponse:
    messages = [{"role": "user", "content": "Say it again."}]
    async with ReplayServer(recording) as server, parley.load_provider(NAME, endpoint=server.url, model="tiny") as provider:
        if recording.streaming:
            return await provider.stream_response(messages=messages)
        return await provider.generate_response(messages=messages)


def written(recording: Recording) -> str:
    """The text of the reply, read without Parley."""
    text = recording.body.decode()
    if not recording.streaming:
        return json.loads(text)["choices"][0]["message"]["content"]
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]
    return "".join(event["choices"][0]["delta"].get("content") or "" for event in events if event["choices"])


async def test_a_real_server_is_recorded_and_replayed(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"OPENAI_COMPATIBLE_ENDPOINT": f"{address}/v1", "OPENAI_COMPATIBLE_MODEL": "tiny"}
    session = prepare(
        Registry.from_environment(environ=environ, directory=tmp_path), NAME, folder=tmp_path, only=["text", "stream", "image", "error"]
    )
    assert session.left_out == {"wrong-key": "it needs no key"}
    outcomes = {outcome.name: outcome async for outcome in record(session)}
    # The model speaks noise for ever, sees no images, and its server cares for no model's name: all of it is told.
    assert {outcome.reason for name, outcome in outcomes.items() if name in {"text", "stream"}} <= {"it was cut at 128 tokens", ""}
    assert (outcomes["image"].verdict, outcomes["image"].status) == ("failed", 500)
    assert outcomes["unknown-model"].verdict == "failed"
    monkeypatch.setenv("PARLEY_RECORDINGS", str(tmp_path))
    recordings = {recording.kind: recording for recording in map(load_recording, find_recordings(NAME))}
    assert set(recordings) == {"generate", "stream"}
    for recording in recordings.values():
        reply = await replayed(recording)
        assert reply.text == written(recording)
        assert len(reply.text) > 10
        assert (reply.model, reply.usage.source) == ("tiny", "reported")
        assert recording.exact
        assert secrets_in(recording) == []
        assert recording.request is not None
        assert (recording.request.host, recording.request.path) == ("", "/v1/chat/completions")
        assert recording.request.body["max_tokens"] == 128
