"""Vertex AI's `predict`, by which Google's cloud makes embeddings. Knows no token and opens nothing.

https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api. No recording of it is at hand: claimed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.errors import no_reply, request_id
from parley.wire.gemini_embeddings import TASK_TYPES, GeminiEmbeddings
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of
from parley.wire.vectors import ordered, vector_of

MAX_INSTANCES = 250


class VertexEmbeddings(GeminiEmbeddings):
    """What a codec of this wire derives from."""

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds. Gemini's own embedding models take one text at a time."""
        return 1 if model.startswith("gemini-") else MAX_INSTANCES

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds."""
        options = request.options
        task = {} if options.purpose is None else {"task_type": TASK_TYPES[options.purpose]}
        body: dict[str, Any] = {"instances": [{"content": text, **task} for text in request.texts]}
        parameters = dict(options.extra)
        if options.dimensions is not None:
            parameters["outputDimensionality"] = options.dimensions
        if parameters:
            body["parameters"] = parameters
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}/publishers/google/models/{quote(target.model, safe='@.-_')}:predict",
            headers={"content-type": "application/json"},
            body=msgspec.json.encode(body),
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        if document.get("error"):
            raise self.decode_error(head, body)
        found = [object_of(object_of(item).get("embeddings")) for item in list_of(document.get("predictions"))]
        if not found:
            raise ProtocolError("the provider answered with JSON that holds no vectors; check that its endpoint is right")
        counts = [count_of(object_of(item.get("statistics")).get("token_count")) for item in found]
        tokens = None if None in counts else sum(count or 0 for count in counts)
        return Embeddings(
            vectors=ordered([(None, vector_of(item.get("values"))) for item in found], len(request.texts)),
            usage=None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens),
            request_id=request_id(head.headers),
        )
