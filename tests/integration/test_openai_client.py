"""OpenAI's official Python client against a real server, behind which recordings of all three wires are replayed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.replay import Answer, cut

from . import oracle
from .serving import Served, served

openai = pytest.importorskip("openai", reason="needs the package openai")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

PROVIDERS = {"openai-chat": "openai", "anthropic-messages": "anthropic", "gemini-generate": "gemini"}
READERS = {"openai": oracle.openai_chat, "anthropic": oracle.anthropic_messages, "gemini": oracle.gemini_generate}
MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
TOOLS: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
REPLY = {
    "id": "r1",
    "model": "m1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
WHOLE = Answer(headers={"content-type": "application/json"}, body=json.dumps(REPLY).encode())
CHUNK = b'data: {"id":"r1","model":"m1","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")


def recorded(*kinds: str) -> Iterator[Any]:
    """Of each wire the first three recordings of each kind."""
    counted: dict[tuple[str, str], int] = {}
    for path in find_recordings(*PROVIDERS):
        recording = load_recording(path)
        key = (recording.provider, recording.kind)
        if recording.kind in kinds and counted.setdefault(key, 0) < 3:
            counted[key] += 1
            yield pytest.param(recording, id=recording.file)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("server"), *PROVIDERS.values(), "openai-compatible") as running:
        yield running


@pytest.fixture
async def client(server: Served) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0, timeout=30) as made:
        yield made


def model_of(recording: Recording) -> str:
    return f"{PROVIDERS[recording.provider]}/{recording.model or 'model-1'}"


async def collect(stream: Any, chunks: list[Any]) -> None:
    async for chunk in stream:
        chunks.append(chunk)  # noqa: PERF401 - what came before an error is wanted too


def check(recording: Recording, *, text: str, calls: list[tuple[str, Any]], usage: Any) -> None:
    expected = READERS[PROVIDERS[recording.provider]](recording)
    assert text == expected.text
    assert calls == [(name, arguments) for name, arguments in expected.tool_calls]
    if expected.prompt_tokens is not None:
        assert usage.prompt_tokens == expected.prompt_tokens
    if expected.completion_tokens is not None:
        assert usage.completion_tokens == expected.completion_tokens


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("generate", "tools")))
async def test_a_whole_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    async with server.replaying(PROVIDERS[recording.provider], recording):
        raw = await client.chat.completions.with_raw_response.create(model=model_of(recording), messages=MESSAGES, tools=TOOLS)
    # The client itself checks nothing of what it reads; its types do.
    completion = openai.types.chat.ChatCompletion.model_validate_json(raw.text)
    choice = completion.choices[0]
    calls = [(call.function.name, oracle.parsed(call.function.arguments)) for call in choice.message.tool_calls or []]
    check(recording, text=choice.message.content or "", calls=calls, usage=completion.usage)
    assert (choice.finish_reason == "tool_calls") == bool(calls)
    assert raw.headers["x-parley-provider"] == PROVIDERS[recording.provider]
    assert raw.headers["x-parley-attempts"] == "1"
    assert raw.headers["x-request-id"]


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("stream", "tools-stream")))
async def test_a_streamed_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    text, usage, finish_reason = "", None, None
    calls: dict[int, list[str]] = {}
    async with server.replaying(PROVIDERS[recording.provider], recording):
        stream = await client.chat.completions.create(
            model=model_of(recording), messages=MESSAGES, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in stream:
            openai.types.chat.ChatCompletionChunk.model_validate(chunk.model_dump())
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                finish_reason = choice.finish_reason or finish_reason
                for call in choice.delta.tool_calls or []:
                    name_and_arguments = calls.setdefault(call.index, ["", ""])
                    if call.function:
                        name_and_arguments[0] += call.function.name or ""
                        name_and_arguments[1] += call.function.arguments or ""
    check(recording, text=text, calls=[(name, oracle.parsed(arguments)) for name, arguments in calls.values()], usage=usage)
    assert finish_reason in {"stop", "length", "tool_calls", "content_filter"}


@needs_recordings
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("recording", list(recorded("error")))
async def test_a_vendors_error_is_typed(recording: Recording, streams: bool, server: Served, client: Any) -> None:
    async with server.replaying(PROVIDERS[recording.provider], recording):
        with pytest.raises(openai.APIStatusError) as raised:
            await client.chat.completions.create(model=model_of(recording), messages=MESSAGES, stream=streams)
    error = raised.value
    # The vendor's refusal of its own key is not the caller's: 401 would say that the caller's key is bad.
    assert error.status_code not in {401, 403, 500}
    assert error.body["message"]
    assert error.code.startswith(("provider_", "context_length", "content_filter", "model_not_found", "stream_truncated"))
    if recording.status == 429 and error.code != "provider_quota":
        assert isinstance(error, openai.RateLimitError)
        assert int(error.response.headers["retry-after"]) > 0


async def test_a_wrong_key_is_an_authentication_error(server: Served, client: Any) -> None:
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="pk-wrong").chat.completions.create(model="openai/m1", messages=MESSAGES)


async def test_a_key_may_come_as_x_api_key(server: Served, client: Any) -> None:
    headers = {"Authorization": openai.Omit(), "x-api-key": server.key}
    assert (await client.models.list(extra_headers=headers)).data


async def test_models_are_listed_with_their_provider(client: Any) -> None:
    listed = [model.id async for model in client.models.list()]
    assert "anthropic/claude-haiku-4-5" in listed
    assert "demo/demo" in listed
    assert (await client.models.retrieve("anthropic/claude-haiku-4-5")).owned_by == "anthropic"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("no-such-model")


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"n": 2}, openai.BadRequestError, "n"),
        ({"logprobs": True}, openai.BadRequestError, "logprobs"),
        ({"temperature": -1}, openai.BadRequestError, "temperature"),
        ({"max_tokens": 0}, openai.BadRequestError, "max_tokens"),
        (
            {"messages": [{"role": "tool", "tool_call_id": "c1", "content": "x"}]},
            openai.BadRequestError,
            "messages[0].content[0].tool_call_id",
        ),
        ({"extra_headers": {"x-parley-strict": "1"}, "logit_bias": {"1": 1}}, openai.BadRequestError, "logit_bias"),
        ({"model": "openia/m1"}, openai.NotFoundError, "model"),
        ({"model": "no-such-model"}, openai.NotFoundError, "model"),
    ],
)
async def test_a_refusal_names_its_param(fields: dict[str, Any], kind: Any, param: str, client: Any) -> None:
    with pytest.raises(kind) as raised:
        await client.chat.completions.create(**{"model": "anthropic/m1", "messages": MESSAGES, **fields})
    assert raised.value.param == param
    assert raised.value.type == "invalid_request_error"


async def test_what_does_not_exist_is_not_found(client: Any) -> None:
    with pytest.raises(openai.NotFoundError, match="/v1/images/generations"):
        await client.images.generate(prompt="a cat")
    with pytest.raises(openai.NotFoundError, match="/v1/audio/speech"):
        await client.audio.speech.create(input="x", model="tts-1", voice="alloy")
    with pytest.raises(openai.NotFoundError, match="/v1/batches"):
        await client.batches.list()


async def test_malformed_and_too_large_bodies(server: Served, client: Any) -> None:
    malformed = await client._client.post(f"{server.url}/chat/completions", content=b"{", headers={"Authorization": f"Bearer {server.key}"})
    assert (malformed.status_code, malformed.json()["error"]["code"]) == (400, "malformed_json")
    with pytest.raises(openai.APIStatusError) as raised:
        await client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "x" * (33 * 1024 * 1024)}])
    assert (raised.value.status_code, raised.value.code) == (413, "body_too_large")


async def test_large_bodies_within_the_limit_are_taken(server: Served, client: Any) -> None:
    async with server.replaying("openai-compatible", WHOLE) as vendor:
        image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (10 * 1024 * 1024)}}
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": "See"}, image]}]
        reply = await client.chat.completions.create(model="openai-compatible/m1", messages=messages)
    assert reply.choices[0].message.content == "Hello"
    assert len(vendor.requests[0].body) > 10 * 1024 * 1024


async def test_fields_of_the_wire_pass_and_others_are_named(server: Served, client: Any) -> None:
    fields: dict[str, Any] = {"logit_bias": {"1": 1}, "service_tier": "flex", "extra_body": {"foreign": 1}}
    async with server.replaying("openai", WHOLE) as vendor:
        raw = await client.chat.completions.with_raw_response.create(model="openai/gpt-4.1", messages=MESSAGES, **fields)
    sent: Any = vendor.requests[0].json()
    assert (sent["logit_bias"], sent["service_tier"]) == ({"1": 1}, "flex")
    assert "foreign" not in sent
    assert "foreign" in raw.headers["x-parley-warnings"]
    assert "service_tier" not in raw.headers["x-parley-warnings"]


async def test_a_second_attempt_is_counted(server: Served, client: Any) -> None:
    async with server.replaying("openai-compatible", Answer(status=503, body=b"busy"), WHOLE):
        raw = await client.chat.completions.with_raw_response.create(model="openai-compatible/m1", messages=MESSAGES)
    assert raw.headers["x-parley-attempts"] == "2"


async def test_an_error_in_mid_stream_is_raised_by_the_client(server: Served, client: Any) -> None:
    head = {"content-type": "text/event-stream"}
    error = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'
    for body, ending in ((CHUNK + error, "end"), (CHUNK, "end"), (CHUNK, "reset")):
        answer = Answer(headers=head, body=body, streamed=True, ending=ending, pieces=lambda data: cut(data, [len(CHUNK)]))  # type: ignore[arg-type]
        async with server.replaying("openai-compatible", answer):
            stream = await client.chat.completions.create(model="openai-compatible/m1", messages=MESSAGES, stream=True)
            chunks: list[Any] = []
            with pytest.raises(openai.APIError) as raised:
                await collect(stream, chunks)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hel"
        assert raised.value.code in {"provider_error", "provider_overloaded", "stream_truncated"}


@pytest.mark.parametrize("streams", [False, True])
async def test_a_client_that_leaves_ends_the_request_to_the_vendor(streams: bool, server: Served) -> None:
    stalled = Answer(headers={"content-type": "text/event-stream"}, body=CHUNK if streams else b"", streamed=True, ending="stall")
    async with server.replaying("openai-compatible", stalled) as vendor:
        async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0, timeout=1 if not streams else 30) as client:
            if streams:
                stream = await client.chat.completions.create(model="openai-compatible/m1", messages=MESSAGES, stream=True)
                await anext(stream.__aiter__())
                await stream.close()
            else:
                with pytest.raises(openai.APITimeoutError):
                    await client.chat.completions.create(model="openai-compatible/m1", messages=MESSAGES)
        await vendor.disconnected()


THOUGHT = [
    {"type": "message_start", "message": {"id": "a1", "model": "claude", "usage": {"input_tokens": 1, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "signed-by-vendor"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city":"Bonn"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
    {"type": "message_stop"},
]
THOUGHT_STREAM = Answer(
    headers={"content-type": "text/event-stream"},
    body="".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in THOUGHT).encode(),
    streamed=True,
)


@pytest.mark.parametrize("keeps_extra_content", [True, False])
async def test_signed_thought_comes_back_to_its_vendor(keeps_extra_content: bool, server: Served, client: Any) -> None:
    async with server.replaying("anthropic", THOUGHT_STREAM) as vendor:
        async with client.chat.completions.stream(model="anthropic/claude", messages=MESSAGES, tools=TOOLS) as stream:
            message = (await stream.get_final_completion()).choices[0].message.model_dump(exclude_none=True)
        assert message["reasoning_content"] == "Hm."
        call = message["tool_calls"][0]
        assert call["function"]["arguments"] == '{"city":"Bonn"}'
        if not keeps_extra_content:
            del message["reasoning_content"], call["extra_content"]
        call["function"].pop("parsed_arguments", None)
        result = {"role": "tool", "tool_call_id": call["id"], "content": "dry"}
        async with client.chat.completions.stream(model="anthropic/claude", messages=[*MESSAGES, message, result], tools=TOOLS) as stream:
            await stream.get_final_completion()
    sent: Any = vendor.requests[1].json()
    assert sent["messages"][1]["content"][0] == {"type": "thinking", "thinking": "Hm.", "signature": "signed-by-vendor"}


def test_the_blocking_client_works_too(server: Served) -> None:
    with openai.OpenAI(base_url=server.url, api_key=server.key, max_retries=0) as client:
        streamed = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "code"}], stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    assert "```" in text


def test_the_log_holds_no_key(server: Served, tmp_path_factory: pytest.TempPathFactory) -> None:
    for log in Path(tmp_path_factory.getbasetemp()).rglob("server.log"):
        assert server.key not in log.read_text()
        assert "vendor-key" not in log.read_text()
