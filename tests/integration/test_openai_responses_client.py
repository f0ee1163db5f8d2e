"""OpenAI's official Python client, by its Responses, against a real server, behind which recordings of every wire are replayed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from parley.testing.recordings import Recording
from parley.testing.replay import Answer, cut

from . import oracle
from .serving import Served
from .wires import expected_of, model_of, needs_recordings, provider_of, recorded, serving_all_wires

openai = pytest.importorskip("openai", reason="needs the package openai")
pydantic = pytest.importorskip("pydantic", reason="needs the package openai")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

TOOLS: list[Any] = [{"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}, "strict": False}]
CHUNK = b'data: {"id":"r1","model":"m1","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_all_wires(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
async def client(server: Served) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0, timeout=30) as made:
        yield made


async def collect(stream: Any, events: list[Any]) -> None:
    async for event in stream:
        events.append(event)  # noqa: PERF401 - what came before an error is wanted too


def check(recording: Recording, response: Any) -> None:
    """What the client holds, against a plain reading of the recording."""
    document = response.model_dump(by_alias=True, warnings=False)
    if "xai" in recording.provider:  # its hosted tools' items, which pass as they are, are not of the client's types
        document["output"] = [item for item in document["output"] if item["type"] in {"message", "reasoning", "function_call"}]
    openai.types.responses.Response.model_validate(document)
    expected = expected_of(recording)
    assert response.output_text == expected.text
    calls = [(item.name, oracle.parsed(item.arguments)) for item in response.output if item.type == "function_call"]
    calls += [(item.name, item.input) for item in response.output if item.type == "custom_tool_call"]
    assert calls == list(expected.tool_calls)
    if expected.prompt_tokens is not None:
        assert response.usage.input_tokens == expected.prompt_tokens
    if expected.completion_tokens is not None:
        assert response.usage.output_tokens == expected.completion_tokens


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("generate", "tools", "reasoning", "vision")))
async def test_a_whole_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    async with server.replaying(provider_of(recording), recording):
        raw = await client.responses.with_raw_response.create(model=model_of(recording), input="Hello", tools=TOOLS)
    check(recording, raw.parse())
    assert raw.headers["x-parley-provider"] == provider_of(recording)


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("stream", "tools-stream", "reasoning-stream")))
async def test_a_streamed_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    events: list[Any] = []
    async with server.replaying(provider_of(recording), recording):
        await collect(await client.responses.create(model=model_of(recording), input="Hello", tools=TOOLS, stream=True), events)
    check(recording, events[-1].response)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type in {"response.completed", "response.incomplete"}
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == events[-1].response.output_text
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert sorted(item.model_dump_json() for item in done) == sorted(item.model_dump_json() for item in events[-1].response.output)


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("tools-stream")))
async def test_the_clients_own_accumulator(recording: Recording, server: Served, client: Any) -> None:
    manager = client.responses.stream(model=model_of(recording), input="Hello", tools=TOOLS)
    async with server.replaying(provider_of(recording), recording), manager as stream:
        response = await stream.get_final_response()
    check(recording, response)


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("reasoning-stream", "tools-stream")))
async def test_a_whole_turn_can_be_sent_back(recording: Recording, server: Served, client: Any) -> None:
    """Whatever came is history that its own vendor is given again as it was: encrypted and signed thought above all."""
    async with server.replaying(provider_of(recording), recording, recording) as vendor:
        events: list[Any] = []
        await collect(await client.responses.create(model=model_of(recording), input="Hello", tools=TOOLS, stream=True), events)
        output = events[-1].response.output
        results = [
            {"type": item.type + "_output", "call_id": item.call_id, "output": "dry"}
            for item in output
            if item.type in {"function_call", "custom_tool_call"}
        ]
        history = [{"role": "user", "content": "Hello"}, *output, *results, {"role": "user", "content": "Go on"}]
        await collect(await client.responses.create(model=model_of(recording), input=history, tools=TOOLS, stream=True), [])
    sent = json.dumps(vendor.requests[1].json(), ensure_ascii=False)
    assert all(secret in sent for secret in secrets_of(recording))


def secrets_of(recording: Recording) -> Iterator[str]:
    for document in oracle.documents(recording):
        delta, item = document.get("delta"), document.get("item") or {}
        if isinstance(delta, dict) and delta.get("signature"):
            yield delta["signature"]
        if document.get("type") == "response.output_item.done" and item.get("encrypted_content"):
            yield item["encrypted_content"]


@needs_recordings
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("recording", list(recorded("error")))
async def test_a_vendors_error_is_typed(recording: Recording, streams: bool, server: Served, client: Any) -> None:
    async with server.replaying(provider_of(recording), recording):
        with pytest.raises(openai.APIStatusError) as raised:
            await client.responses.create(model=model_of(recording), input="Hello", stream=streams)
    assert raised.value.status_code not in {401, 403, 500}
    assert raised.value.body["message"]
    assert raised.value.code.startswith(("provider_", "context_length", "content_filter", "model_not_found", "stream_truncated"))


class Place(pydantic.BaseModel):
    city: str
    inhabitants: int


async def test_structured_output_is_parsed(server: Served, client: Any) -> None:
    said = {"candidates": [{"content": {"parts": [{"text": '{"city": "Bonn", "inhabitants": 330000}'}]}, "finishReason": "STOP"}]}
    async with server.replaying("gemini", Answer(headers=JSON, body=json.dumps(said).encode())) as vendor:
        response = await client.responses.parse(model="gemini/gemini-x", input="Bonn", text_format=Place)
    assert response.output_parsed == Place(city="Bonn", inhabitants=330_000)
    assert "inhabitants" in json.dumps(vendor.requests[0].json())


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"store": True}, openai.BadRequestError, "store"),
        ({"previous_response_id": "resp_1"}, openai.BadRequestError, "previous_response_id"),
        ({"background": True}, openai.BadRequestError, "background"),
        ({"conversation": "conv_1"}, openai.BadRequestError, "conversation"),
        ({"max_output_tokens": 0}, openai.BadRequestError, "max_output_tokens"),
        ({"input": [{"type": "function_call_output", "call_id": "c9", "output": "x"}]}, openai.BadRequestError, "input[0].call_id"),
        ({"tools": [{"type": "web_search"}]}, openai.BadRequestError, "tools[0].type"),
        ({"extra_headers": {"x-parley-strict": "1"}, "truncation": "auto"}, openai.BadRequestError, "truncation"),
        ({"model": "no-such-model"}, openai.NotFoundError, "model"),
    ],
)
async def test_a_refusal_names_its_param(fields: dict[str, Any], kind: Any, param: str, client: Any) -> None:
    with pytest.raises(kind) as raised:
        await client.responses.create(**{"model": "demo", "input": "Hello", **fields})
    assert raised.value.param == param


async def test_nothing_is_kept(client: Any) -> None:
    response = await client.responses.create(model="demo", input="Hello")
    assert response.store is False
    for call in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError, match="Parley does not serve /v1/responses/"):
            await call(response.id)


async def test_an_error_in_mid_stream_is_raised_by_the_client(server: Served, client: Any) -> None:
    head = {"content-type": "text/event-stream"}
    error = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'
    for body in (CHUNK + error, CHUNK):
        answer = Answer(headers=head, body=body, streamed=True, pieces=lambda data: cut(data, [len(CHUNK)]))
        events: list[Any] = []
        async with server.replaying("openai-compatible", answer):
            stream = await client.responses.create(model="openai-compatible/m1", input="Hello", stream=True)
            with pytest.raises(openai.APIError) as raised:
                await collect(stream, events)
        assert events[-1].delta == "Hel"
        assert raised.value.code in {"provider_error", "provider_overloaded", "stream_truncated"}


async def test_a_client_that_leaves_ends_the_request_to_the_vendor(server: Served, client: Any) -> None:
    stalled = Answer(headers={"content-type": "text/event-stream"}, body=CHUNK, streamed=True, ending="stall")
    async with server.replaying("openai-compatible", stalled) as vendor:
        stream = await client.responses.create(model="openai-compatible/m1", input="Hello", stream=True)
        await anext(stream.__aiter__())
        await stream.close()
        await vendor.disconnected()
