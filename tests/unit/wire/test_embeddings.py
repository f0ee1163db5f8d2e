"""What each wire asks for vectors, and how it takes what no vendor should send."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parley.contract.embeddings import EmbeddingOptions, EmbeddingRequest
from parley.contract.errors import ParleyError, PermissionDeniedError, ProtocolError, RateLimitError, UnsupportedFeatureError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.providers.mistral import MistralChat
from parley.providers.vertex import VertexWire
from parley.wire.bedrock_converse import BedrockConverse
from parley.wire.cohere_v2 import CohereV2
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.ollama_chat import OllamaChat
from parley.wire.openai_chat import OpenAIChat
from parley.wire.openai_responses import OpenAIResponses

CODECS: dict[str, Any] = {
    "openai": OpenAIChat(),
    "responses": OpenAIResponses(),
    "gemini": GeminiGenerate(),
    "cohere": CohereV2(),
    "ollama": OllamaChat(),
    "bedrock": BedrockConverse(),
}
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())
HEAD = ResponseHead(status=200, headers={"content-type": "application/json"}, provider="acme", model="m")


def request(*texts: str, **options: Any) -> EmbeddingRequest:
    strict = options.pop("strict_options", False)
    return EmbeddingRequest(texts=list(texts or ("one", "two")), options=EmbeddingOptions(**options), user_id="u1", strict_options=strict)


def written(codec: Any, asked: EmbeddingRequest, model: str = "m", endpoint: str = "https://host.example/v1") -> tuple[HttpRequest, Any]:
    made = codec.encode_embeddings(asked, target=Target(provider="acme", model=model, endpoint=endpoint))
    return made, json.loads(made.body)


def test_openai_is_asked_in_its_own_words() -> None:
    made, body = written(OpenAIChat(embedding_encoding="base64"), request(dimensions=512))
    assert made.url == "https://host.example/v1/embeddings"
    assert body == {"model": "m", "input": ["one", "two"], "dimensions": 512, "encoding_format": "base64", "user": "u1"}
    assert made.warnings == []


def test_a_query_in_the_endpoint_stays_at_its_end() -> None:
    made, _ = written(OpenAIChat(), request(), endpoint="https://host.example/deployments/d?api-version=1")
    assert made.url == "https://host.example/deployments/d/embeddings?api-version=1"


def test_extra_fields_go_up_and_never_replace_the_texts() -> None:
    _, body = written(OpenAIChat(), request(extra={"input": ["other"], "model": "other", "truncate_prompt_tokens": 100}))
    assert body["input"] == ["one", "two"]
    assert body["model"] == "m"
    assert body["truncate_prompt_tokens"] == 100


def test_mistral_calls_dimensions_otherwise() -> None:
    _, body = written(MistralChat(), request(dimensions=64))
    assert body == {"model": "m", "input": ["one", "two"], "output_dimension": 64}


def test_gemini_is_asked_for_each_text() -> None:
    made, body = written(GeminiGenerate(), request(dimensions=768, purpose="query"), model="gemini-embedding-001")
    assert made.url == "https://host.example/v1/models/gemini-embedding-001:batchEmbedContents"
    assert body == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "content": {"parts": [{"text": text}]},
                "taskType": "RETRIEVAL_QUERY",
                "outputDimensionality": 768,
            }
            for text in ("one", "two")
        ]
    }


@pytest.mark.parametrize(("purpose", "input_type"), [(None, "search_document"), ("query", "search_query"), ("clustering", "clustering")])
def test_cohere_is_always_told_a_purpose(purpose: Any, input_type: str) -> None:
    made, body = written(CohereV2(), request(purpose=purpose, dimensions=256, extra={"truncate": "END"}), endpoint="https://c.example/v2")
    assert made.url == "https://c.example/v2/embed"
    assert body == {
        "model": "m",
        "texts": ["one", "two"],
        "input_type": input_type,
        "embedding_types": ["float"],
        "output_dimension": 256,
        "truncate": "END",
    }
    assert made.warnings == []


def test_ollama_is_asked_at_its_own_address_whatever_the_endpoint() -> None:
    made, body = written(OllamaChat(), request(dimensions=64, extra={"truncate": False, "num_ctx": 1024}), endpoint="http://host:11434/v1")
    assert made.url == "http://host:11434/api/embed"
    assert body == {"model": "m", "input": ["one", "two"], "dimensions": 64, "truncate": False, "options": {"num_ctx": 1024}}


def test_titan_takes_one_text_and_says_so() -> None:
    codec = BedrockConverse()
    made, body = written(codec, request("one", dimensions=256), model="amazon.titan-embed-text-v2:0", endpoint="https://bedrock.example")
    assert made.url == "https://bedrock.example/model/amazon.titan-embed-text-v2%3A0/invoke"
    assert body == {"inputText": "one", "dimensions": 256}
    assert codec.max_embedding_texts("amazon.titan-embed-text-v2:0") == 1
    with pytest.raises(UnsupportedFeatureError, match="dimensions"):
        written(codec, request("one", dimensions=256), model="amazon.titan-embed-text-v1")


def test_vertex_predicts_vectors() -> None:
    codec = VertexWire()
    made, body = written(codec, request(dimensions=256, purpose="document", extra={"autoTruncate": False}), model="text-embedding-005")
    assert made.url == "https://host.example/v1/publishers/google/models/text-embedding-005:predict"
    assert body == {
        "instances": [{"content": text, "task_type": "RETRIEVAL_DOCUMENT"} for text in ("one", "two")],
        "parameters": {"autoTruncate": False, "outputDimensionality": 256},
    }
    assert (codec.max_embedding_texts("text-embedding-005"), codec.max_embedding_texts("gemini-embedding-001")) == (250, 1)
    reply = {"predictions": [{"embeddings": {"values": [value], "statistics": {"token_count": 2}}} for value in (0.5, 0.25)]}
    found = codec.decode_embeddings(request(), HEAD, json.dumps(reply).encode())
    assert (found.vectors, found.usage and found.usage.prompt_tokens) == ([[0.5], [0.25]], 4)
    with pytest.raises(PermissionDeniedError, match="not enabled"):
        codec.decode_embeddings(request(), HEAD, b'{"error": {"code": 403, "message": "API not enabled", "status": "PERMISSION_DENIED"}}')
    with pytest.raises(ProtocolError, match="no vectors"):
        codec.decode_embeddings(request(), HEAD, b'{"embeddings": [{"values": [1.0]}]}')


def test_cohere_on_bedrock() -> None:
    codec = BedrockConverse()
    _, body = written(codec, request(purpose="query"), model="eu.cohere.embed-v4:0")
    assert body == {"texts": ["one", "two"], "input_type": "search_query", "embedding_types": ["float"]}
    reply = {"embeddings": [[0.5], [0.25]], "id": "x", "response_type": "embeddings_floats", "texts": ["one", "two"]}
    head = ResponseHead(status=200, headers={"x-amzn-bedrock-input-token-count": "6", "x-amzn-requestid": "r1"})
    found = codec.decode_embeddings(request(), head, json.dumps(reply).encode())
    assert found.vectors == [[0.5], [0.25]]
    assert found.usage is not None
    assert (found.usage.prompt_tokens, found.request_id) == (6, "r1")


def test_a_model_that_bedrock_does_not_embed_with_is_refused_before_it_is_asked() -> None:
    with pytest.raises(UnsupportedFeatureError, match=r"amazon\.nova-pro"):
        written(BedrockConverse(), request("one"), model="amazon.nova-pro-v1:0")


@pytest.mark.parametrize("name", ["openai", "responses", "ollama"])
def test_a_purpose_without_a_word_for_it_is_left_out_and_said(name: str) -> None:
    made, body = written(CODECS[name], request(purpose="query"))
    assert "query" not in json.dumps(body)
    assert [warning.code for warning in made.warnings] == ["option_dropped"]
    assert "query" in made.warnings[0].message
    with pytest.raises(UnsupportedFeatureError, match="purpose"):
        written(CODECS[name], request(purpose="query", strict_options=True))


def test_vectors_out_of_order_and_in_both_encodings() -> None:
    reply = {"data": [{"index": 1, "embedding": [0.5]}, {"index": 0, "embedding": "AACAPg=="}], "usage": {"total_tokens": 3}, "model": "v"}
    found = OpenAIChat().decode_embeddings(request(), HEAD, json.dumps(reply).encode())
    assert found.vectors == [[0.25], [0.5]]
    assert (found.model, found.usage and found.usage.prompt_tokens) == ("v", 3)


def test_an_error_inside_a_200_is_that_error() -> None:
    body = b'{"error": {"message": "slow down", "code": 429, "type": "rate_limit_exceeded"}}'
    with pytest.raises(RateLimitError, match="slow down"):
        OpenAIChat().decode_embeddings(request(), HEAD, body)


@every_codec
@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'"x"', b"<html><title>Sign in</title></html>", b"\xff\xfe", b'{"data": {}}', b'{"data": [null]}',
        b'{"data": [{"index": 0}]}', b'{"embeddings": 7}', b'{"embeddings": {"float": null}}', b'{"embeddings": [[]]}', b'{"embedding": 0}',
        b'{"embeddings": [{"values": ["a"]}, {"values": [1]}]}', b'{"embeddings": [[1], [NaN]]}', b'{"data": [' + b"[" * 5000,
        b'{"embeddings": {"float": [[1.0]]}}', b'{"embeddings": [{"values": [1.0]}]}', b'{"data": [{"index": 0, "embedding": [1.0]}]}',
    ],
    ids=lambda body: repr(body[:40]),
)  # fmt: skip
def test_a_reply_without_the_vectors_is_a_typed_error(codec: Any, body: bytes) -> None:
    with pytest.raises(ParleyError) as caught:
        codec.decode_embeddings(request(), HEAD, body)
    assert caught.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["data", "embedding", "embeddings", "values", "float", "index", "usage", "prompt_tokens", "meta", "error"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@every_codec
@settings(max_examples=150, deadline=None)
@given(value=JSON)
def test_any_json_is_two_vectors_or_a_typed_error(codec: Any, value: Any) -> None:
    try:
        found = codec.decode_embeddings(request(), HEAD, json.dumps(value).encode())
    except ParleyError:
        return
    assert len(found.vectors) == 2
    assert all(type(number) is float for vector in found.vectors for number in vector)


@every_codec
def test_a_page_instead_of_json_says_so(codec: Any) -> None:
    with pytest.raises(ProtocolError, match="web page"):
        codec.decode_embeddings(request(), HEAD, b"<!doctype html><title>Sign in</title>")
