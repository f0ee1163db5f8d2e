"""Anthropic's official Python client against a real server, behind which recordings of every wire are replayed."""

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

anthropic = pytest.importorskip("anthropic", reason="needs the package anthropic")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

MESSAGES: list[Any] = [{"role": "user", "content": "Hello"}]
TOOLS: list[Any] = [{"name": "weather", "description": "Of a place", "input_schema": {"type": "object", "properties": {}}}]
CHUNK = b'data: {"id":"r1","model":"m1","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
COUNTED = Answer(headers={"content-type": "application/json"}, body=b'{"input_tokens": 41}')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_all_wires(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
async def client(server: Served) -> AsyncIterator[Any]:
    async with anthropic.AsyncAnthropic(base_url=server.url.removesuffix("/v1"), api_key=server.key, max_retries=0, timeout=30) as made:
        yield made


def as_input(arguments: Any) -> Any:
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


async def streamed_to_the_end(manager: Any, kinds: list[str]) -> Any:
    """The client's own message of a stream; `kinds` of its events also where it ends in an error."""
    async with manager as stream:
        async for event in stream:
            kinds.append(event.type)  # noqa: PERF401 - what came before an error is wanted too
        return await stream.get_final_message()


def check(recording: Recording, message: Any) -> None:
    """What the client holds, against a plain reading of the recording."""
    expected = expected_of(recording)
    assert "".join(block.text for block in message.content if block.type == "text") == expected.text
    calls = [(block.name, block.input) for block in message.content if block.type == "tool_use"]
    assert calls == [
        (name, arguments if isinstance(arguments, dict) else {"arguments": arguments}) for name, arguments in expected.tool_calls
    ]
    usage = message.usage
    if expected.prompt_tokens is not None:
        assert (
            usage.input_tokens + (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0) == expected.prompt_tokens
        )
    if expected.completion_tokens is not None:
        assert usage.output_tokens == expected.completion_tokens
    if calls:
        assert message.stop_reason in {"tool_use", "max_tokens", "pause_turn"}


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("generate", "tools", "reasoning", "vision")))
async def test_a_whole_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    async with server.replaying(provider_of(recording), recording):
        raw = await client.messages.with_raw_response.create(model=model_of(recording), max_tokens=2000, messages=MESSAGES, tools=TOOLS)
    check(recording, await raw.parse())
    assert raw.headers["x-parley-provider"] == provider_of(recording)
    assert raw.headers["x-request-id"]


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("stream", "tools-stream", "reasoning-stream")))
async def test_a_streamed_answer_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    kinds: list[str] = []
    async with server.replaying(provider_of(recording), recording):
        manager = client.messages.stream(model=model_of(recording), max_tokens=2000, messages=MESSAGES, tools=TOOLS)
        message = await streamed_to_the_end(manager, kinds)
    check(recording, message)
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    assert kinds.count("content_block_start") == kinds.count("content_block_stop") == len(message.content)


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("error")))
async def test_a_vendors_error_is_typed(recording: Recording, server: Served, client: Any) -> None:
    async with server.replaying(provider_of(recording), recording):
        with pytest.raises(anthropic.APIStatusError) as raised:
            await client.messages.create(model=model_of(recording), max_tokens=10, messages=MESSAGES)
    error = raised.value
    assert error.status_code not in {401, 403, 500}
    assert error.body["type"] == "error"
    assert error.body["error"]["message"]
    assert error.body["request_id"] == error.request_id
    if recording.status == 429 and error.body["error"]["code"] != "provider_quota":
        assert isinstance(error, anthropic.RateLimitError)


async def test_keys_by_either_header(server: Served, client: Any) -> None:
    assert (await client.messages.create(model="demo", max_tokens=50, messages=MESSAGES)).content
    async with anthropic.AsyncAnthropic(base_url=server.url.removesuffix("/v1"), auth_token=server.key, api_key=None) as bearer:
        assert (await bearer.messages.create(model="demo", max_tokens=50, messages=MESSAGES)).content
    with pytest.raises(anthropic.AuthenticationError):
        await client.with_options(api_key="pk-wrong").messages.create(model="demo", max_tokens=50, messages=MESSAGES)


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"model": "demmo"}, anthropic.NotFoundError, "Did you mean"),
        ({"max_tokens": 0}, anthropic.BadRequestError, "max_tokens: "),
        ({"messages": []}, anthropic.BadRequestError, "messages: "),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c9", "content": "x"}]}]},
         anthropic.BadRequestError, "messages[0].content[0].tool_call_id: "),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, anthropic.BadRequestError, "tools[0].type: "),
        ({"extra_headers": {"x-parley-strict": "1"}, "service_tier": "auto"}, anthropic.BadRequestError, "service_tier: "),
        ({"extra_body": {"max_tokens": None}}, anthropic.BadRequestError, "max_tokens: is missing"),
    ],
)  # fmt: skip
async def test_a_refusal_says_where(fields: dict[str, Any], kind: Any, words: str, client: Any) -> None:
    with pytest.raises(kind) as raised:
        await client.messages.create(**{"model": "demo", "max_tokens": 10, "messages": MESSAGES, **fields})
    assert words in raised.value.body["error"]["message"]


async def test_what_does_not_exist_is_not_found_in_the_clients_shape(client: Any) -> None:
    for call in (client.messages.batches.list, client.beta.files.list):
        with pytest.raises(anthropic.NotFoundError) as raised:
            await call()
        assert raised.value.body["error"]["type"] == "not_found_error"
        assert "Parley does not serve /v1/" in raised.value.body["error"]["message"]


async def test_models_are_listed_in_the_clients_shape(client: Any) -> None:
    listed = [model.id async for model in client.models.list()]
    assert "demo/demo" in listed
    assert (await client.models.retrieve("demo/demo")).type == "model"
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("no-such-model")


async def test_tokens_are_counted_by_the_vendor_where_it_does(server: Served, client: Any) -> None:
    async with server.replaying("anthropic", COUNTED) as vendor:
        raw = await client.messages.with_raw_response.count_tokens(
            model="anthropic/claude", messages=MESSAGES, tools=TOOLS, system="Be brief"
        )
    assert (await raw.parse()).input_tokens == 41
    assert "estimated" not in raw.headers.get("x-parley-warnings", "")
    (request,) = vendor.requests
    assert request.path.endswith("/messages/count_tokens")
    assert "max_tokens" not in request.json()  # type: ignore[operator]


async def test_tokens_are_estimated_elsewhere_and_said_to_be(client: Any) -> None:
    messages = [{"role": "user", "content": "x" * 400}]
    raw = await client.messages.with_raw_response.count_tokens(model="openai-compatible/m1", messages=messages)
    assert 40 <= (await raw.parse()).input_tokens <= 400
    assert raw.headers["x-parley-warnings"].startswith("estimated")


async def test_an_error_in_mid_stream_is_raised_by_the_client(server: Served, client: Any) -> None:
    head = {"content-type": "text/event-stream"}
    error = b'data: {"error":{"message":"overloaded","code":"server_error"}}\n\n'
    for body in (CHUNK + error, CHUNK):
        answer = Answer(headers=head, body=body, streamed=True, pieces=lambda data: cut(data, [len(CHUNK)]))
        kinds: list[str] = []
        async with server.replaying("openai-compatible", answer):
            manager = client.messages.stream(model="openai-compatible/m1", max_tokens=9, messages=MESSAGES)
            with pytest.raises(anthropic.APIStatusError) as raised:
                await streamed_to_the_end(manager, kinds)
        assert kinds[-2:] == ["content_block_delta", "text"]
        assert raised.value.body["error"]["code"] in {"provider_error", "stream_truncated", "provider_overloaded"}


async def test_a_client_that_leaves_ends_the_request_to_the_vendor(server: Served, client: Any) -> None:
    stalled = Answer(headers={"content-type": "text/event-stream"}, body=CHUNK, streamed=True, ending="stall")
    async with server.replaying("openai-compatible", stalled) as vendor:
        async with client.messages.stream(model="openai-compatible/m1", max_tokens=9, messages=MESSAGES) as stream:
            await anext(stream.text_stream.__aiter__())
        await vendor.disconnected()


def streamed(*documents: dict[str, Any]) -> Answer:
    body = "".join(f"data: {json.dumps(document)}\n\n" for document in documents).encode()
    return Answer(headers={"content-type": "text/event-stream"}, body=body, streamed=True)


SIGNED_CALL = {"functionCall": {"name": "weather", "args": {"city": "Bonn"}}, "thoughtSignature": "signed-by-vendor"}
ASKS = {"candidates": [{"content": {"role": "model", "parts": [SIGNED_CALL]}, "finishReason": "STOP"}], "modelVersion": "gemini-x"}
SAYS = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Dry."}]}, "finishReason": "STOP"}], "modelVersion": "gemini-x"}


async def test_the_clients_own_tool_loop_over_another_vendor(server: Served, client: Any) -> None:
    @anthropic.beta_async_tool
    async def weather(city: str) -> str:
        """Of a place.

        Args:
            city: which
        """
        return f"dry in {city}"

    whole = {"headers": {"content-type": "application/json"}}
    answers = [Answer(body=json.dumps(document).encode(), **whole) for document in (ASKS, SAYS)]  # type: ignore[arg-type]
    async with server.replaying("gemini", *answers) as vendor:
        runner = client.beta.messages.tool_runner(model="gemini/gemini-x", max_tokens=100, tools=[weather], messages=MESSAGES)
        final = await runner.until_done()
    assert final.content[0].text == "Dry."
    sent: Any = vendor.requests[1].json()
    assert sent["contents"][1]["parts"][0]["thoughtSignature"] == "signed-by-vendor"
    assert "dry in Bonn" in json.dumps(sent["contents"][2])


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded("reasoning-stream", "tools-stream")))
async def test_a_whole_turn_can_be_sent_back(recording: Recording, server: Served, client: Any) -> None:
    """Whatever came is history that its own vendor is given again as it was: signed thought of a turn with calls above all."""
    async with server.replaying(provider_of(recording), recording, recording) as vendor:
        stream = client.messages.stream(model=model_of(recording), max_tokens=2000, messages=MESSAGES, tools=TOOLS)
        message = await streamed_to_the_end(stream, [])
        calls = [block.id for block in message.content if block.type == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": call, "content": "dry"} for call in calls]
        history = [*MESSAGES, message.to_param(), {"role": "user", "content": [*results, {"type": "text", "text": "Go on"}]}]
        stream = client.messages.stream(model=model_of(recording), max_tokens=2000, messages=history, tools=TOOLS)
        await streamed_to_the_end(stream, [])
    sent = json.dumps(vendor.requests[1].json(), ensure_ascii=False)
    assert all(secret in sent for secret in secrets_of(recording, with_calls=bool(calls)))


def secrets_of(recording: Recording, *, with_calls: bool) -> Iterator[str]:
    """What its vendor must be given back: signatures; of the Responses wire, encrypted thought before a call."""
    for document in oracle.documents(recording):
        delta, item = document.get("delta"), document.get("item") or {}
        if isinstance(delta, dict) and delta.get("signature"):
            yield delta["signature"]
        if with_calls and document.get("type") == "response.output_item.done" and item.get("encrypted_content"):
            yield item["encrypted_content"]
