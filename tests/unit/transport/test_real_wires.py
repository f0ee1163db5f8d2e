"""The transport under the real wires: hostile replies stay bounded and typed, and recordings arrive as they were decoded directly."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import parley
from parley.contract.codec import Codec
from parley.contract.config import Config
from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError
from parley.contract.events import Event, ResponseFinished, TextDelta, WarningRaised
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import sample_of
from parley.transport.http_provider import Dialect, HttpProvider
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.openai_chat import OpenAIChat

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")], options=Options(max_tokens=100))
EVENTS = {"content-type": "text/event-stream"}
DELTA = b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n'
END = b'data: {"id":"c1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class WireConfig(Config):
    model: str = "m"


@pytest.fixture
async def provider_on() -> AsyncIterator[Callable[[Codec, str], HttpProvider]]:
    made: list[HttpProvider] = []

    def make(wire: Codec, endpoint: str) -> HttpProvider:
        provider = Dialect(name="acme", config=WireConfig, wire=wire).create(WireConfig(api_key="sk-test-123456", endpoint=endpoint))
        made.append(provider)
        return provider

    yield make
    for provider in made:
        await provider.aclose()


async def collect(provider: HttpProvider, request: ChatRequest = REQUEST) -> list[Event]:
    return [event async for event in provider.stream(request)]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("wire", [OpenAIChat(), AnthropicMessages(), GeminiGenerate()], ids=lambda wire: wire.name)
@pytest.mark.parametrize("beginning", [b"data: {", b"", b'{"a":"', b"event: "])
async def test_a_hundred_megabytes_in_one_event(provider_on: Callable[[Codec, str], HttpProvider], wire: Codec, beginning: bytes) -> None:
    answer = Answer(headers=EVENTS, body=beginning + b"x" * 100_000, streamed=True, repeat=1000)
    async with ReplayServer(answer) as server:
        gc.collect()
        before = resident_bytes()
        with pytest.raises(ProtocolError):
            await collect(provider_on(wire, server.url))
        assert resident_bytes() - before < 160_000_000
        await server.disconnected()


async def test_invalid_utf8_is_skipped_with_a_warning(provider_on: Callable[[Codec, str], HttpProvider]) -> None:
    async with ReplayServer(Answer(headers=EVENTS, body=DELTA % b"a" + DELTA % b"\xff\xfe" + DELTA % b"b" + END, streamed=True)) as server:
        events = await collect(provider_on(OpenAIChat(), server.url))
    assert text_of(events) == "ab"
    assert [event.incomplete for event in events if isinstance(event, WarningRaised)] == [True]
    assert isinstance(events[-1], ResponseFinished)


async def test_a_web_page_with_status_200(provider_on: Callable[[Codec, str], HttpProvider]) -> None:
    page = Answer(headers={"content-type": "text/html"}, body=b"<!doctype html><title>Welcome</title>")
    async with ReplayServer(page) as server:
        provider = provider_on(OpenAIChat(), server.url)
        for ask in (lambda: collect(provider), lambda: provider.complete_events(REQUEST)):
            with pytest.raises(ProtocolError, match="web page") as raised:
                await ask()
            assert raised.value.provider == "acme"
        status = await provider.test_connection()
    assert status.error is not None
    assert "ACME_ENDPOINT" in status.error


async def test_a_stream_cut_between_events(provider_on: Callable[[Codec, str], HttpProvider]) -> None:
    async with ReplayServer(Answer(headers=EVENTS, body=DELTA % b"a", streamed=True, ending="reset")) as server:
        with pytest.raises(StreamTruncatedError):
            await collect(provider_on(OpenAIChat(), server.url))


WIRES: dict[str, Codec] = {"openai-chat": OpenAIChat(), "anthropic-messages": AnthropicMessages(), "gemini-generate": GeminiGenerate()}


@pytest.mark.parametrize("vendor", sorted(WIRES))
async def test_a_recording_arrives_as_it_is_decoded_directly(vendor: str, provider_on: Callable[[Codec, str], HttpProvider]) -> None:
    if recordings_directory() is None:
        pytest.skip("the recordings are not here (PARLEY_RECORDINGS)")
    wire = WIRES[vendor]
    chosen = [recording for recording in map(load_recording, find_recordings(vendor)) if recording.body and recording.status == 200][:12]
    assert chosen
    for recording in chosen:
        async with ReplayServer(recording, pieces=lambda body: [body[i : i + 97] for i in range(0, len(body), 97)]) as server:
            provider = provider_on(wire, server.url)
            arrived = await outcome(provider, recording)
        assert arrived == directly(wire, recording), recording.file


async def outcome(provider: HttpProvider, recording: Recording) -> list[Event] | str:
    try:
        return await collect(provider) if recording.streaming else await provider.complete_events(REQUEST)
    except ParleyError as error:
        return type(error).__name__


def directly(wire: Codec, recording: Recording) -> list[Event] | str:
    decoder = wire.decoder(REQUEST, ResponseHead(status=200, headers=recording.headers, provider="acme", model="m"))
    try:
        return decoder.feed(recording.body) + decoder.close()
    except ParleyError as error:
        return type(error).__name__


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


NO_MORE = {"openai": "openai_chat", "anthropic": "anthropic_messages", "gemini": "gemini_generate"}


@pytest.mark.parametrize("name", NO_MORE)
async def test_a_whole_answer_whose_server_keeps_the_line_open_ends_all_the_same(name: str) -> None:
    sample = sample_of(NO_MORE[name])
    assert sample is not None
    events = [event for event in sample.text_events if b"[DONE]" not in event and b"message_stop" not in event]
    async with (
        ReplayServer(sample.stream_of(events, ending="stall")) as server,
        parley.load_provider(name, api_key="k", endpoint=server.url, model="model-1") as provider,
    ):
        async with asyncio.timeout(15):
            reply = await provider.stream_response(messages=[{"role": "user", "content": "Hi"}])
        await server.disconnected()
    assert (reply.text, reply.finish_reason, reply.complete) == (sample.text, "stop", True)
    assert (reply.usage.prompt_tokens, reply.usage.source) == (sample.prompt_tokens, "reported")
