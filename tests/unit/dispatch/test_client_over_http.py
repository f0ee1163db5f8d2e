"""The Client over a real socket: what `parley.toml` and the environment say reaches the vendor, and its answer the caller."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from parley import AuthenticationError, Client, UnsupportedFeatureError, sync
from parley.testing.replay import Answer, ReplayServer

OPENAI = {
    "id": "c1",
    "model": "m1",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
}
ANTHROPIC = {
    "id": "a1",
    "type": "message",
    "role": "assistant",
    "model": "m1",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
GEMINI = {
    "responseId": "g1",
    "modelVersion": "m1",
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4},
}
JSON = {"content-type": "application/json"}


def _answer(body: object, *, status: int = 200) -> Answer:
    return Answer(status=status, headers=JSON, body=msgspec.json.encode(body))


@pytest.mark.parametrize(
    ("name", "body", "header", "value"),
    [
        ("openai", OPENAI, "authorization", "Bearer k-secret"),
        ("anthropic", ANTHROPIC, "x-api-key", "k-secret"),
        ("gemini", GEMINI, "x-goog-api-key", "k-secret"),
        ("mistral", OPENAI, "authorization", "Bearer k-secret"),
    ],
)
async def test_a_built_in_provider_pointed_elsewhere(tmp_path: Path, name: str, body: object, header: str, value: str) -> None:
    async with ReplayServer(_answer(body)) as server:
        environ = {f"{name.upper()}_API_KEY": "k-secret", f"{name.upper()}_ENDPOINT": server.url}
        async with Client.from_config(environ=environ, directory=tmp_path) as client:
            reply = await client.chat(f"{name}/m1", "Hi")
        request = await server.requested()
    assert (reply.text, reply.provider, reply.finish_reason) == ("Hello", name, "stop")
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.source) == (3, 1, "reported")
    assert reply.cost is None
    assert request.headers[header] == value


async def test_an_instance_of_parley_toml_sends_its_own_key_and_headers(tmp_path: Path) -> None:
    async with ReplayServer(_answer(OPENAI)) as server:
        toml = f"""
        default = "acme"
        [[providers]]
        name = "acme"
        provider = "openai-compatible"
        endpoint = "{server.url}"
        keys = ["env:FIRST", "env:SECOND"]
        model = "m1"
        headers = {{X-Team = "env:TEAM"}}
        """
        (tmp_path / "parley.toml").write_text(toml, encoding="utf-8")
        async with Client.from_config(environ={"FIRST": "key-1", "SECOND": "key-2", "TEAM": "blue"}, directory=tmp_path) as client:
            reply = await client.chat(messages="Hi")
        request = await server.requested()
    assert (reply.text, reply.provider, reply.model) == ("Hello", "acme", "m1")
    assert request.path == "/v1/chat/completions"
    assert (request.headers["authorization"], request.headers["x-team"]) == ("Bearer key-1", "blue")
    assert msgspec.convert(request.json(), dict)["model"] == "m1"


async def test_a_key_that_the_vendor_quotes_back_is_not_shown(tmp_path: Path) -> None:
    refused = _answer({"error": {"message": "Incorrect API key provided: my-secret-key", "code": "invalid_api_key"}}, status=401)
    async with ReplayServer(refused) as server:
        environ = {"PARLEY_PROVIDERS": "acme", "ACME_API_KEY": "my-secret-key", "ACME_ENDPOINT": server.url}
        async with Client.from_config(environ=environ, directory=tmp_path) as client:
            with pytest.raises(AuthenticationError) as caught:
                await client.chat("acme/m1", "Hi")
            status = await client.test("acme")
    assert caught.value.provider == "acme"
    assert not status.success
    assert "ACME_API_KEY" in (status.error or "")
    assert "my-secret-key" not in f"{caught.value!r}{caught.value}{status}"


VECTORS = {
    "data": [{"index": 1, "embedding": [0.5, 1.0]}, {"index": 0, "embedding": [0.25, -1.0]}],
    "model": "text-embedding-3-small",
    "usage": {"prompt_tokens": 4, "total_tokens": 4},
}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("openai", "text-embedding-3-small"),
        ("", "text-embedding-3-small"),
        ("text-embedding-3-large", "text-embedding-3-large"),
        ("openai/another", "another"),
    ],
)
async def test_embeddings_by_any_name_of_a_model(tmp_path: Path, name: str, asked: str) -> None:
    async with ReplayServer(_answer(VECTORS)) as server:
        environ = {"OPENAI_API_KEY": "k-secret", "OPENAI_ENDPOINT": server.url}
        async with Client.from_config(environ=environ, directory=tmp_path) as client:
            found = await client.embed(name, ["one", "two"], options={"dimensions": 2})
        request = await server.requested()
    assert found.vectors == [[0.25, -1.0], [0.5, 1.0]]
    assert (found.provider, found.model) == ("openai", "text-embedding-3-small")
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.usage.source) == (4, "reported")
    assert request.path == "/v1/embeddings"
    assert request.json() == {"model": asked, "input": ["one", "two"], "dimensions": 2, "encoding_format": "base64"}


async def test_a_provider_without_embeddings_is_not_asked(tmp_path: Path) -> None:
    async with ReplayServer(_answer(VECTORS)) as server:
        environ = {"ANTHROPIC_API_KEY": "k-secret", "ANTHROPIC_ENDPOINT": server.url}
        async with Client.from_config(environ=environ, directory=tmp_path) as client:
            with pytest.raises(UnsupportedFeatureError, match="anthropic makes no embeddings"):
                await client.embed("anthropic", "one")
        assert not server.requests


def test_embeddings_without_asyncio(tmp_path: Path) -> None:
    ready, done = threading.Event(), threading.Event()
    url: list[str] = []

    async def serve() -> None:
        body = {"data": [{"index": 0, "embedding": [0.5]}], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
        async with ReplayServer(_answer(body)) as server:
            url.append(server.url)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        ready.wait(10)
        sync.configure(environ={"OPENAI_API_KEY": "k-secret", "OPENAI_ENDPOINT": url[0]}, directory=tmp_path)
        assert sync.embed("openai", "one").vectors == [[0.5]]
    finally:
        sync.close()
        done.set()
        thread.join(10)
