"""Every recorded reply with vectors, read whole by its codec, and in pieces over a real connection, against a naive reader."""

from __future__ import annotations

import base64
import json
import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.contract.codec import Embeds
from parley.contract.config import Config
from parley.contract.embeddings import EmbeddingRequest
from parley.contract.errors import ModelNotFoundError
from parley.contract.http import ResponseHead, Target
from parley.contract.usage import Usage
from parley.guard.guarded import guard
from parley.testing.recordings import Recording, find_recordings, load_recording, recordings_directory
from parley.testing.replay import ReplayServer
from parley.transport.http_provider import Dialect
from parley.wire.bedrock_converse import BedrockConverse
from parley.wire.cohere_v2 import CohereV2
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.ollama_chat import OllamaChat
from parley.wire.openai_chat import OpenAIChat
from parley.wire.openai_responses import OpenAIResponses

pytestmark = pytest.mark.skipif(recordings_directory() is None, reason="no recordings (PARLEY_RECORDINGS)")

CODECS: dict[str, Any] = {
    "azure-ai-embeddings": OpenAIChat(),
    "azure-openai-embeddings": OpenAIChat(embedding_encoding="base64"),
    "bedrock-invoke-embeddings": BedrockConverse(),
    "cohere-embeddings": CohereV2(),
    "gemini-embeddings": GeminiGenerate(),
    "mistral-embeddings": OpenAIChat(),
    "ollama-embeddings": OllamaChat(),
    "openai-embeddings": OpenAIResponses(embedding_encoding="base64"),
    "openrouter-embeddings": OpenAIChat(),
    "perplexity-embeddings": OpenAIChat(embedding_encoding="base64_int8"),
    "vllm-or-local-embeddings": OpenAIChat(),
    "voyage-embeddings": OpenAIChat(),
}
# What the bytes in base64 are, as each vendor documents it; this server of 2024 wrote its numbers as they lay in memory.
PACKED = {"perplexity-embeddings": "b", "vllm-or-local-embeddings": "d"}
DIMENSIONS = {"perplexity-embeddings": 1024, "vllm-or-local-embeddings": 4096}
REQUEST_IDS = ("x-request-id", "apim-request-id", "x-amzn-requestid", "mistral-correlation-id")
FOUND = [path for path in find_recordings() if path.parts[-3].endswith("-embeddings")]
REPLIES = [path for path in FOUND if path.parent.name != "error"]
every_reply = pytest.mark.parametrize("path", REPLIES, ids=lambda path: "/".join(path.parts[-3:]))


def naive(recording: Recording) -> tuple[list[list[float]], int | None]:
    """The vectors and the prompt's tokens, as a person would take them out of the JSON."""
    reply = json.loads(recording.body)
    letter = PACKED.get(recording.provider, "f")

    def numbers(value: Any) -> list[float]:
        if isinstance(value, str):
            data = base64.b64decode(value)
            return [float(number) for number in struct.unpack(f"<{len(data) // struct.calcsize(letter)}{letter}", data)]
        return [float(number) for number in value]

    usage = reply.get("usage") or {}
    meta = reply.get("meta", {}).get("billed_units", {})
    tokens = [usage.get("prompt_tokens"), usage.get("total_tokens"), meta.get("input_tokens"), reply.get("inputTextTokenCount")]
    counted = next((count for count in tokens if count is not None), None)
    if "data" in reply:
        return [numbers(item["embedding"]) for item in sorted(reply["data"], key=lambda item: item["index"])], counted
    if "embedding" in reply:
        return [numbers(reply["embedding"])], counted
    if isinstance(reply["embeddings"], dict):
        return [numbers(vector) for vector in reply["embeddings"]["float"]], counted
    return [numbers(item["values"]) for item in reply["embeddings"]], counted


def asked(count: int) -> EmbeddingRequest:
    return EmbeddingRequest(texts=[f"text {number}" for number in range(count)])


def test_every_folder_has_its_codec() -> None:
    assert {path.parts[-3] for path in FOUND} == CODECS.keys()
    assert all(isinstance(codec, Embeds) for codec in CODECS.values())


@every_reply
def test_a_whole_reply_is_read_right(path: Path) -> None:
    recording = load_recording(path)
    vectors, tokens = naive(recording)
    head = ResponseHead(status=recording.status, headers=recording.headers, provider="acme", model=recording.model)
    found = CODECS[recording.provider].decode_embeddings(asked(len(vectors)), head, recording.body)
    assert found.vectors == vectors
    assert len({len(vector) for vector in found.vectors}) == 1
    assert len(found.vectors[0]) == DIMENSIONS.get(recording.provider, len(found.vectors[0]))
    assert found.usage == (None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens))
    assert found.request_id == next((recording.headers[name] for name in REQUEST_IDS if name in recording.headers), None)


class WireConfig(Config):
    model: str = "m"


def in_pieces(seed: str) -> Callable[[bytes], list[bytes]]:
    """A dozen cuts, the first and the last of them a byte from the end."""

    def pieces(body: bytes) -> list[bytes]:
        chance = random.Random(seed)
        cuts = sorted({1, len(body) - 1, *(chance.randrange(len(body)) for _ in range(10))})
        return [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    return pieces


@every_reply
async def test_in_pieces_over_a_connection_the_guard_gives_the_same(path: Path) -> None:
    recording = load_recording(path)
    vectors, tokens = naive(recording)
    async with ReplayServer(recording, pieces=in_pieces(recording.file)) as server:
        dialect = Dialect(name="acme", config=WireConfig, wire=CODECS[recording.provider])
        async with guard(dialect.create(WireConfig(api_key="sk-test-123456", endpoint=server.url, model=model_of(recording)))) as provider:
            found = await provider.embeddings(asked(len(vectors)))
            assert found.vectors == vectors
            assert found.usage is not None
            assert found.usage.source == ("estimated" if tokens is None else "reported")
            assert found.provider == "acme"
            assert await provider.embed([f"text {number}" for number in range(len(vectors))]) == vectors


def model_of(recording: Recording) -> str:
    return recording.model or "embed-model"


@pytest.mark.parametrize(
    ("folder", "error_class", "code"),
    [("openai-embeddings", ModelNotFoundError, "model_not_found"), ("voyage-embeddings", ModelNotFoundError, None)],
)
async def test_a_recorded_refusal_is_typed(folder: str, error_class: type[Exception], code: str | None) -> None:
    recording = next(load_recording(path) for path in FOUND if path.parts[-3] == folder and path.parent.name == "error")
    async with ReplayServer(recording) as server:
        dialect = Dialect(name="acme", config=WireConfig, wire=CODECS[folder])
        async with guard(dialect.create(WireConfig(api_key="sk-test-123456", endpoint=server.url, model=model_of(recording)))) as provider:
            with pytest.raises(error_class) as caught:
                await provider.embed(["Hello"])
    assert caught.value.status == recording.status  # type: ignore[attr-defined]
    assert caught.value.provider_code == code  # type: ignore[attr-defined]
    assert caught.value.request_id == recording.headers.get("x-request-id")  # type: ignore[attr-defined]


@every_reply
def test_the_request_is_written_as_it_was_recorded(path: Path) -> None:
    """The path and the fields of what was really sent, where the recording kept them."""
    recording = load_recording(path)
    if recording.request is None or not isinstance(recording.request.body, dict):
        return
    sent = recording.request.body
    texts = texts_in(sent)
    if texts is None:
        return
    request = EmbeddingRequest(texts=texts)
    target = Target(provider="acme", model=recording.model, endpoint="https://host.example/base")
    written = CODECS[recording.provider].encode_embeddings(request, target=target)
    body = json.loads(written.body)
    assert texts_in(body) == texts
    assert recording.request.path.partition("?")[0].rpartition("/")[2] == written.url.rpartition("/")[2]
    assert {name for name in body if name not in {"encoding_format", "input_type", "embedding_types"}} <= sent.keys()


def texts_in(body: dict[str, Any]) -> list[str] | None:
    """The texts of a request, None where it is one that is not written here (two texts as one content, the older address)."""
    if "requests" in body:
        parts = [item["content"]["parts"] for item in body["requests"]]
        return [part[0]["text"] for part in parts] if all(len(part) == 1 for part in parts) else None
    for name in ("input", "texts", "inputText"):
        if name in body:
            return [body[name]] if isinstance(body[name], str) else body[name]
    return None
