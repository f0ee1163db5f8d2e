"""Cohere's embed, the embeddings side of its second wire. Knows no key and opens nothing.

https://docs.cohere.com/reference/embed (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.embeddings import EmbeddingPurpose, EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.errors import no_reply, request_id
from parley.wire.history import EncodingWarnings
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of
from parley.wire.openai_chat_errors import decode_error_body
from parley.wire.purposes import drop_purpose
from parley.wire.vectors import ordered, vector_of

MAX_BATCH_TEXTS = 96
_INPUT_TYPES: dict[EmbeddingPurpose, str] = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
# Vectors come by type; what was asked for in `extra` besides or instead of float is read where there is no float.
_TYPES = ("float", "base64", "int8", "uint8", "binary", "ubinary")


class CohereEmbeddings:
    """What a codec of this wire derives from."""

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds."""
        return MAX_BATCH_TEXTS

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds."""
        warnings = EncodingWarnings()
        body = {"model": target.model, **embed_fields(request, target=target, warnings=warnings)}
        if request.options.dimensions is not None:
            body["output_dimension"] = request.options.dimensions
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}/embed",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode(body),
            warnings=warnings.warnings,
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        if "embeddings" not in document:
            raise self.decode_error(head, body)
        return read_embed(document, request, head)


def embed_fields(request: EmbeddingRequest, *, target: Target, warnings: EncodingWarnings) -> dict[str, Any]:
    """The fields besides the model. The purpose must be told: texts are taken for documents that are searched."""
    options = request.options
    fields: dict[str, Any] = {"embedding_types": ["float"], **options.extra, "texts": request.texts}
    if options.purpose in _INPUT_TYPES:
        fields["input_type"] = _INPUT_TYPES[options.purpose]
    elif "input_type" not in fields:
        drop_purpose(request, target=target, warnings=warnings)
        fields["input_type"] = "search_document"
    return fields


def read_embed(document: dict[str, Any], request: EmbeddingRequest, head: ResponseHead) -> Embeddings:
    """The vectors, by type or (of the first version, and on Amazon's cloud) as a plain list."""
    embeddings = document["embeddings"]
    by_type = object_of(embeddings)
    found = list_of(embeddings) or list_of(next((by_type[name] for name in _TYPES if by_type.get(name)), None))
    if not found:
        raise ProtocolError("the provider answered with JSON that holds no vectors")
    meta = object_of(document.get("meta"))
    counts = [count_of(object_of(meta.get(name)).get("input_tokens")) for name in ("tokens", "billed_units")]
    tokens = next((count for count in counts if count is not None), None)
    return Embeddings(
        vectors=ordered([(None, vector_of(vector)) for vector in found], len(request.texts)),
        usage=None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens),
        request_id=request_id(head.headers),
    )
