"""Gemini's batchEmbedContents, the embeddings side of its wire. Knows no key and opens nothing.

https://ai.google.dev/api/embeddings (read 2026-11-25); recordings of 2025 and 2026.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from urllib.parse import quote

import msgspec

from parley.contract.embeddings import EmbeddingPurpose, EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.errors import no_reply, request_id
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of
from parley.wire.vectors import ordered, vector_of

MAX_BATCH_TEXTS = 100
TASK_TYPES: dict[EmbeddingPurpose, str] = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "similarity": "SEMANTIC_SIMILARITY",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}


def model_path(model: str) -> str:
    """A model id with a slash ("tunedModels/…", "models/…") is a path already."""
    return quote(model if "/" in model else f"models/{model}", safe="/@:.-_")


class GeminiEmbeddings:
    """What a codec of this wire derives from."""

    @abstractmethod
    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds."""
        return MAX_BATCH_TEXTS

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds."""
        options = request.options
        path = model_path(target.model)
        settings: dict[str, Any] = {**options.extra, "model": path}
        if options.purpose is not None:
            settings["taskType"] = TASK_TYPES[options.purpose]
        if options.dimensions is not None:
            settings["outputDimensionality"] = options.dimensions
        asked = [{**settings, "content": {"parts": [{"text": text}]}} for text in request.texts]
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}/{path}:batchEmbedContents",
            headers={"content-type": "application/json"},
            body=msgspec.json.encode({"requests": asked}),
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        if document.get("error"):
            raise self.decode_error(head, body)
        # embedContent, which embeds one text, says the same without a list.
        found = [document["embedding"]] if "embedding" in document else list_of(document.get("embeddings"))
        if not found:
            raise ProtocolError("the provider answered with JSON that holds no vectors; check that its endpoint is right")
        tokens = count_of(object_of(document.get("usageMetadata")).get("promptTokenCount"))
        return Embeddings(
            vectors=ordered([(None, vector_of(object_of(item).get("values"))) for item in found], len(request.texts)),
            usage=None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens),
            request_id=request_id(head.headers),
        )
