from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.capabilities import Model
from parley.contract.codec import Codec, ListsModels
from parley.contract.errors import AuthenticationError, ParleyError, ProtocolError
from parley.contract.http import ResponseHead, Target
from parley.testing.recordings import find_recordings, load_recording
from parley.wire.openai_chat import OpenAIChat

HEAD = ResponseHead(status=200, provider="acme")


def test_it_is_a_codec_that_lists_models() -> None:
    codec: Codec = OpenAIChat(max_tokens_field="max_tokens")
    assert isinstance(codec, ListsModels)
    assert (codec.name, codec.auth_scheme.header, codec.auth_scheme.prefix) == ("openai_chat", "Authorization", "Bearer ")
    assert OpenAIChat() == OpenAIChat()


def test_models_are_asked_for_beside_the_chat() -> None:
    sent = OpenAIChat().encode_list_models(target=Target(provider="acme", model="", endpoint="https://acme.example/v1/"))
    assert (sent.method, sent.url, sent.body) == ("GET", "https://acme.example/v1/models", b"")


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "m1"}, {"id": "m2", "name": "Two", "context_length": 8192, "description": "Small"}, {}, 3]},
        [{"id": "m1"}, {"id": "m2", "display_name": "Two", "context_window": 8192, "description": "Small"}],
        {"models": [{"name": "m1"}, {"id": "m2", "name": "Two", "max_context_length": 8192, "description": "Small"}]},
    ],
)
def test_a_list_is_read_in_every_shape(body: Any) -> None:
    models = OpenAIChat().decode_models(HEAD, json.dumps(body).encode())
    assert models == [Model("m1"), Model("m2", label="Two", description="Small", context_tokens=8192)]


@pytest.mark.parametrize("body", [b"<html></html>", b"", b'"x"', b'{"data":{}}', b"{}"])
def test_what_is_no_list_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        OpenAIChat().decode_models(HEAD, body)


def test_an_error_instead_of_a_list_is_that_error() -> None:
    with pytest.raises(AuthenticationError):
        OpenAIChat().decode_models(HEAD, b'{"error":{"message":"no","code":"invalid_api_key"}}')


@given(st.binary(max_size=100))
def test_hostile_bytes_are_a_list_or_a_typed_error(body: bytes) -> None:
    with suppress(ParleyError):
        OpenAIChat().decode_models(HEAD, body)


def _lists() -> list[Any]:
    names = ("openai-models", "deepseek-models", "mistral-models", "cerebras-models", "huggingface-models", "perplexity-models")
    paths = list(find_recordings(*names, "bedrock-mantle-models"))
    return [pytest.param(path, id=path.stem) for path in paths] or [
        pytest.param(None, marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))
    ]


@pytest.mark.parametrize("path", _lists())
def test_every_recorded_list_is_read_whole(path: Any) -> None:
    recording = load_recording(path)
    document = json.loads(recording.body)
    listed = document["data"] if isinstance(document, dict) else document
    models = OpenAIChat().decode_models(ResponseHead(status=200, provider=recording.provider), recording.body)
    assert [model.id for model in models] == [item["id"] for item in listed]
