"""What an answer cost, as each of the server's clients is told: the OpenAI wire whole and streamed, the platform's own events, the sum."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import msgspec
import pytest

from parley.testing.replay import Answer

from .serving import Served, served

pytestmark = pytest.mark.integration

MODEL = "codestral-latest"
COST = (1000 * 0.3 + 100 * 0.9) / 1_000_000
USAGE = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory: Path = tmp_path_factory.mktemp("costs")
    with served(directory, "mistral") as running:
        yield running


def whole(model: str) -> Answer:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}
    body = {"id": "c1", "model": model, "choices": [choice], "usage": USAGE}
    return Answer(status=200, headers={"content-type": "application/json"}, body=msgspec.json.encode(body))


def streamed(model: str) -> Answer:
    head = {"id": "c1", "model": model}
    chunks = [
        {**head, "choices": [{"index": 0, "delta": {"content": "Hello"}}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": USAGE},
    ]
    body = b"".join(b"data: " + msgspec.json.encode(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    return Answer(status=200, headers={"content-type": "text/event-stream"}, body=body)


async def test_a_plain_reply_has_its_cost_in_a_header_and_in_its_usage(server: Served) -> None:
    async with server.replaying("mistral", whole(MODEL)), session(server) as client:
        reply = await client.post("v1/chat/completions", json=asking(MODEL))
        body = await reply.json()
    assert float(reply.headers["x-parley-cost"]) == pytest.approx(COST)
    assert body["usage"]["cost"] == pytest.approx(COST)


async def test_a_stream_has_it_in_the_usage_chunk(server: Served) -> None:
    body = asking(MODEL, stream=True, stream_options={"include_usage": True})
    async with server.replaying("mistral", streamed(MODEL)), session(server) as client:
        reply = await client.post("v1/chat/completions", json=body)
        lines = [line.removeprefix("data: ") for line in (await reply.text()).splitlines() if line.startswith("data: {")]
    usages = [usage for line in lines if (usage := json.loads(line).get("usage"))]
    assert [usage["cost"] for usage in usages] == [pytest.approx(COST)]


async def test_a_model_without_a_price_has_no_cost_anywhere(server: Served) -> None:
    async with server.replaying("mistral", whole("new-one")), session(server) as client:
        reply = await client.post("v1/chat/completions", json=asking("new-one"))
        body = await reply.json()
    assert "x-parley-cost" not in reply.headers
    assert "cost" not in body["usage"]


async def test_the_platforms_own_answer_and_the_sum_have_it(server: Served) -> None:
    async with server.replaying("mistral", streamed(MODEL)), session(server) as client:
        made = await (await client.post("api/v1/chat/session", json={"provider": "mistral", "model": MODEL})).json()
        sent = {"sessionId": made["sessionId"], "message": "Hi"}
        answer = await (await client.post("api/v1/chat/message/simple", json=sent)).json()
        stats = await (await client.get(f"api/v1/chat/sessions/{made['sessionId']}/stats")).json()
        listing = await (await client.get("api/v1/providers")).json()
    assert answer["assistantMessage"]["metadata"]["cost"] == pytest.approx(COST)
    assert stats["cost"] == pytest.approx(COST)
    models = next(provider["models"] for provider in listing["providers"] if provider["name"] == "mistral")
    pricing = next(model["pricing"] for model in models if model["id"] == MODEL)
    assert (pricing["input"], pricing["output"]) == (0.3, 0.9)


def session(server: Served) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(server.url.removesuffix("/v1").rstrip("/") + "/", headers={"authorization": f"Bearer {server.key}"})


def asking(model: str, **more: object) -> dict[str, object]:
    return {"model": f"mistral/{model}", "messages": [{"role": "user", "content": "Hi"}], **more}
