"""Gemini's generateContent wire, whole: requests, replies, errors and the list of models. Knows no key and opens nothing.

https://ai.google.dev/api/generate-content (read 2026-11-22); recordings of 2025 and 2026.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from parley.contract.capabilities import Capabilities, Model
from parley.contract.codec import Decoder
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import AuthScheme, HttpRequest, ResponseHead, Target
from parley.contract.request import ChatRequest
from parley.wire.errors import no_reply, plain_words
from parley.wire.gemini_embeddings import GeminiEmbeddings, model_path
from parley.wire.gemini_generate_history import GenerateHistory
from parley.wire.gemini_generate_models import GEMINI_TRAITS, GeminiTraits, traits_of
from parley.wire.gemini_generate_reply import GenerateDecoder, decode_generate_error
from parley.wire.gemini_generate_request import GenerateOptions
from parley.wire.history import EncodingWarnings
from parley.wire.image_types import GEMINI_TYPES, check_image_types
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of, text_of


class GeminiGenerate(GeminiEmbeddings):
    """The codec. `traits` say what models take; a cloud that hosts this wire under another address derives from this class and overrides
    `url`.
    """

    name = "gemini_generate"
    auth_scheme = AuthScheme(header="x-goog-api-key", prefix="")
    capabilities = Capabilities(
        streaming=True,
        tools=True,
        tool_choice=True,
        parallel_tool_calls=False,
        response_format=True,
        structured_output="native",
        images=True,
        image_urls=True,
        files=True,
        stop=True,
        temperature=True,
        top_p=True,
        top_k=True,
        max_tokens=True,
        seed=True,
        cache_markers=False,
        citations=True,
        usage=True,
        list_models=True,
        embeddings=True,
        count_tokens=True,
    )

    def __init__(self, *, traits: Sequence[GeminiTraits] = GEMINI_TRAITS) -> None:
        self._traits = traits

    def url(self, target: Target, *, stream: bool) -> str:
        """Where content is asked for."""
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{target.endpoint.rstrip('/')}/{model_path(target.model)}:{method}"

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        check_image_types(request, GEMINI_TYPES, target=target)
        warnings = EncodingWarnings()
        traits = traits_of(target.model, self._traits)
        options = GenerateOptions(request, target, traits=traits, warnings=warnings)
        history = GenerateHistory(request, target, wire=self.name, traits=traits, warnings=warnings)
        system = history.system_text(options.instruction)
        body: dict[str, Any] = {"contents": history.contents(before="" if traits.system else system)}
        if system and traits.system:
            body["systemInstruction"] = {"parts": [{"text": system}]}
        options.write(body)
        return HttpRequest(
            method="POST",
            url=self.url(target, stream=stream),
            headers={"content-type": "application/json"},
            body=msgspec.json.encode(body),
            warnings=warnings.warnings,
        )

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return GenerateDecoder(request, head, wire=self.name)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_generate_error(head, body)

    def count_body(self, fields: dict[str, Any], *, target: Target) -> dict[str, Any]:
        """What is counted, from the fields of the request for content."""
        return {"generateContentRequest": {**fields, "model": unquote(model_path(target.model))}}

    def encode_count_tokens(self, request: ChatRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.CountsTokens."""
        asked = self.encode(request, target=target, stream=False)
        fields = decode_object(asked.body) or {}
        return HttpRequest(
            method="POST",
            url=f"{asked.url.removesuffix(':generateContent')}:countTokens",
            headers=asked.headers,
            body=msgspec.json.encode(self.count_body(fields, target=target)),
            warnings=asked.warnings,
        )

    def decode_token_count(self, head: ResponseHead, body: bytes) -> int:
        """See parley.contract.codec.CountsTokens."""
        value = decode_object(body)
        if value is None:
            raise no_reply(head, body)
        if value.get("error"):
            raise self.decode_error(head, body)
        count = count_of(value.get("totalTokens"))
        if count is None:
            raise ProtocolError("the provider's count of tokens has no totalTokens")
        return count

    def encode_list_models(self, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.ListsModels. A thousand is the vendor's longest page, and more than it has models."""
        return HttpRequest(method="GET", url=f"{target.endpoint.rstrip('/')}/models?pageSize=1000")

    def decode_models(self, head: ResponseHead, body: bytes) -> Sequence[Model]:
        """See parley.contract.codec.ListsModels. Models that only embed, draw or film are left out: they have no generateContent."""
        value = decode_object(body)
        if value is None or not isinstance(value.get("models"), list):
            raise ProtocolError(plain_words(head, body) if value is None else "the provider's list of models has no models")
        return [_model(entry) for entry in map(object_of, list_of(value["models"])) if text_of(entry.get("name")) and _can_chat(entry)]


def _model(entry: dict[str, Any]) -> Model:
    return Model(
        text_of(entry["name"]).removeprefix("models/"),
        label=text_of(entry.get("displayName")),
        description=text_of(entry.get("description")),
        context_tokens=count_of(entry.get("inputTokenLimit")) or 0,
    )


def _can_chat(entry: dict[str, Any]) -> bool:
    methods = entry.get("supportedGenerationMethods")
    return not isinstance(methods, list) or "generateContent" in methods
