"""Gemini's own count of a prompt's tokens: what is asked, and what a reply says."""

from __future__ import annotations

import json

import pytest

from parley.contract.codec import CountsTokens
from parley.contract.errors import ModelNotFoundError, ParleyError, ProtocolError
from parley.contract.http import ResponseHead, Target
from parley.contract.messages import Message
from parley.contract.options import Options, Tool
from parley.contract.request import ChatRequest
from parley.guard.guarded import guard
from parley.providers.gemini import GeminiConfig, provider
from parley.providers.vertex import VertexWire
from parley.testing.recordings import find_recordings, load_recording, recordings_directory
from parley.testing.replay import ReplayServer
from parley.wire.gemini_generate import GeminiGenerate

CODEC = GeminiGenerate()
TARGET = Target(provider="gemini", model="gemini-3.5-flash", endpoint="https://example.test/v1beta")
HEAD = ResponseHead(status=200, provider="gemini", model="gemini-3.5-flash")
REQUEST = ChatRequest(
    messages=[Message(role="user", content="What is the capital of France?")],
    system_prompt="Be brief",
    options=Options(tools=[Tool(name="weather")], max_tokens=7),
)
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")


def test_what_would_be_sent_is_what_is_counted() -> None:
    assert isinstance(CODEC, CountsTokens)
    asked = CODEC.encode_count_tokens(REQUEST, target=TARGET)
    assert asked.url == "https://example.test/v1beta/models/gemini-3.5-flash:countTokens"
    answered = json.loads(CODEC.encode(REQUEST, target=TARGET, stream=False).body)
    assert json.loads(asked.body) == {"generateContentRequest": {**answered, "model": "models/gemini-3.5-flash"}}


def test_vertex_counts_the_fields_as_they_are() -> None:
    asked = VertexWire().encode_count_tokens(REQUEST, target=TARGET)
    assert asked.url == "https://example.test/v1beta/publishers/google/models/gemini-3.5-flash:countTokens"
    assert json.loads(asked.body).keys() == {"contents", "systemInstruction", "tools"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"totalTokens": "8"}', b'{"totalTokens": -1}', b"<html>", b'{"totalTokens": null}'])
def test_a_reply_without_a_count_is_a_typed_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        CODEC.decode_token_count(HEAD, body)


def test_an_error_inside_a_200() -> None:
    with pytest.raises(ParleyError, match="gone"):
        CODEC.decode_token_count(HEAD, b'{"error": {"code": 404, "message": "gone", "status": "NOT_FOUND"}}')


@needs_recordings
async def test_the_recorded_count_and_the_recorded_refusal_over_a_connection() -> None:
    counted, refused = (load_recording(path) for path in find_recordings("gemini-count-tokens"))
    async with ReplayServer(counted, refused) as server:
        config = GeminiConfig(api_key="AIza-test-123456", endpoint=f"{server.url}beta", model="gemini-3.5-flash")
        async with guard(provider.create(config)) as gemini:
            assert await gemini.count_tokens(REQUEST) == 8
            with pytest.raises(ModelNotFoundError) as caught:
                await gemini.count_tokens(REQUEST)
    assert caught.value.provider_code == "NOT_FOUND"
    assert counted.request is not None
    body = json.loads(CODEC.encode_count_tokens(ChatRequest(messages=REQUEST.messages), target=TARGET).body)
    assert body == counted.request.body
