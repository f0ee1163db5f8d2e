"""OpenAI's official clients, Python's and Node's, asking a real server for vectors, behind which recordings of three wires are replayed."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import struct
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.replay import Answer

from .server_process import INHERITED
from .serving import Served, served

openai = pytest.importorskip("openai", reason="needs the package openai")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

NODE, NPM = shutil.which("node"), shutil.which("npm")
PROGRAM = Path(__file__).with_name("openai_embeddings_client.mjs")
PROVIDERS = {"openai-embeddings": "openai", "gemini-embeddings": "gemini", "bedrock-invoke-embeddings": "bedrock"}
needs_recordings = pytest.mark.skipif(recordings_directory() is None, reason="no recordings: PARLEY_RECORDINGS names no folder")
JSON = {"content-type": "application/json"}


def recorded() -> Iterator[Any]:
    for path in find_recordings(*PROVIDERS):
        recording = load_recording(path)
        if recording.kind == "embeddings":
            yield pytest.param(recording, id=recording.file)


def expected(recording: Recording) -> list[list[float]]:
    """The vectors, as a person would take them out of the recorded JSON."""
    reply = json.loads(recording.body)
    if "data" in reply:
        found = [base64.b64decode(item["embedding"]) for item in reply["data"]]
        return [list(struct.unpack(f"<{len(data) // 4}f", data)) for data in found]
    return [reply["embedding"]] if "embedding" in reply else [item["values"] for item in reply["embeddings"]]


def as_float32(vector: list[float]) -> list[float]:
    return list(struct.unpack(f"<{len(vector)}f", struct.pack(f"<{len(vector)}f", *vector)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("server"), *PROVIDERS.values(), "anthropic", BEDROCK_REGION="us-east-1") as running:
        yield running


@pytest.fixture
async def client(server: Served) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0, timeout=30) as made:
        yield made


@needs_recordings
@pytest.mark.parametrize("recording", list(recorded()))
async def test_python_gets_the_recorded_vectors_of_any_wire(recording: Recording, server: Served, client: Any) -> None:
    vectors, provider = expected(recording), PROVIDERS[recording.provider]
    texts = [f"text {number}" for number in range(len(vectors))]
    async with server.replaying(provider, recording) as replay:
        model = f"{provider}/{recording.model}"
        plain = await client.embeddings.create(model=model, input=texts, encoding_format="float")
        # Without a format the client asks for base64, and unpacks it itself.
        packed = await client.embeddings.with_raw_response.create(model=model, input=texts if len(texts) > 1 else texts[0])
        sent = len(replay.requests)
    assert [item.embedding for item in plain.data] == vectors
    assert [item.index for item in plain.data] == list(range(len(vectors)))
    assert [as_float32(item.embedding) for item in packed.parse().data] == [as_float32(vector) for vector in vectors]
    assert packed.headers["x-parley-provider"] == provider
    assert sent == 2
    assert plain.usage.prompt_tokens > 0


@needs_recordings
@pytest.mark.skipif(NODE is None or NPM is None, reason="needs node and npm")
async def test_node_gets_the_recorded_vectors_of_three_wires(tmp_path: Path, server: Served) -> None:
    chosen = {PROVIDERS[recording.provider]: recording for (recording,) in (given.values for given in recorded())}
    assert len(chosen) == 3
    done = await asyncio.to_thread(
        subprocess.run,
        [str(NPM), "install", "--no-audit", "--no-fund", "--silent", "openai@6"],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"npm cannot install the client: {done.stderr.strip()[:200] or 'no network'}")
    program = shutil.copy(PROGRAM, tmp_path)
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": server.key}
    for provider, recording in chosen.items():
        vectors = expected(recording)
        async with server.replaying(provider, recording):
            command = [str(NODE), str(program), f"{provider}/{recording.model}", str(len(vectors))]
            done = await asyncio.to_thread(
                subprocess.run, command, check=False, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path
            )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        assert [as_float32(vector) for vector in seen["packed"]] == [as_float32(vector) for vector in vectors]
        assert seen["plain"] == vectors
        assert seen["tokens"] > 0
        assert seen["error"] == ["BadRequestError", 400, "input"]


async def test_a_default_model_dimensions_and_usage(server: Served, client: Any) -> None:
    assert "openai/text-embedding-3-small" in [model.id async for model in client.models.list()]
    body = {"data": [{"index": 0, "embedding": [0.5, 0.25]}], "model": "text-embedding-3-small", "usage": {"prompt_tokens": 2}}
    async with server.replaying("openai", Answer(headers=JSON, body=json.dumps(body).encode())) as replay:
        reply = await client.embeddings.create(model="text-embedding-3-small", input="one", dimensions=2, encoding_format="float", user="u")
        asked = (await replay.requested()).json()
    assert asked == {"model": "text-embedding-3-small", "input": ["one"], "dimensions": 2, "encoding_format": "base64", "user": "u"}
    assert (reply.model, reply.usage.prompt_tokens, reply.usage.total_tokens) == ("text-embedding-3-small", 2, 2)
    assert reply.data[0].embedding == [0.5, 0.25]


@pytest.mark.parametrize(
    ("fields", "kind", "param"),
    [
        ({"model": "openai/e", "input": [1, 2]}, "BadRequestError", "input"),
        ({"model": "openai/e", "input": []}, "BadRequestError", "input"),
        ({"model": "openai/e", "input": "a", "dimensions": 0}, "BadRequestError", "dimensions"),
        ({"model": "no-such-model", "input": "a"}, "NotFoundError", "model"),
        ({"model": "anthropic/claude-haiku-4-5", "input": "a"}, "BadRequestError", None),
    ],
)
async def test_what_cannot_be_asked_is_the_clients_own_error(client: Any, fields: dict[str, Any], kind: str, param: str | None) -> None:
    with pytest.raises(getattr(openai, kind)) as caught:
        await client.embeddings.create(**fields)
    assert caught.value.param == param


async def test_the_vendors_refusals_are_typed(server: Served, client: Any) -> None:
    body = b'{"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}'
    async with server.replaying("openai", Answer(status=429, headers={**JSON, "retry-after": "60"}, body=body)):
        with pytest.raises(openai.RateLimitError) as caught:
            await client.embeddings.create(model="openai/text-embedding-3-small", input="a")
    assert caught.value.response.headers["retry-after"] == "60"
    async with server.replaying("openai", Answer(status=401, headers=JSON, body=b'{"error": {"code": "invalid_api_key"}}')):
        with pytest.raises(openai.InternalServerError) as refused:
            await client.embeddings.create(model="openai/text-embedding-3-small", input="a")
    assert refused.value.status_code == 502


async def test_another_method_is_refused_in_the_wires_shape(client: Any) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.get("/embeddings", cast_to=object)
    assert caught.value.status_code == 405
