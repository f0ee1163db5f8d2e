"""Ollama's own embed, the embeddings side of its chat wire. Knows no key and opens nothing.

https://docs.ollama.com/api/embed (read 2026-11-25); a recording of 2024 of the address before it, whose reply is read too.
"""

from __future__ import annotations

from typing import Any

import msgspec

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.errors import no_reply, request_id
from parley.wire.history import EncodingWarnings
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, text_of
from parley.wire.ollama_address import url_of
from parley.wire.openai_chat_errors import decode_error_body
from parley.wire.purposes import drop_purpose
from parley.wire.vectors import ordered, vector_of

_TOP_LEVEL = frozenset({"truncate", "keep_alive", "options"})


class OllamaEmbeddings:
    """What a codec of this wire derives from. The server computes text by text: any number may go up at once."""

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds."""
        return 0

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds."""
        warnings = EncodingWarnings()
        drop_purpose(request, target=target, warnings=warnings)
        extra = request.options.extra
        settings = {name: value for name, value in extra.items() if name not in _TOP_LEVEL}
        body: dict[str, Any] = {name: value for name, value in extra.items() if name in _TOP_LEVEL}
        body |= {"model": target.model, "input": request.texts}
        if settings:
            body["options"] = {**body.get("options", {}), **settings}
        if request.options.dimensions is not None:
            body["dimensions"] = request.options.dimensions
        return HttpRequest(
            method="POST",
            url=url_of(target.endpoint, "/api/embed"),
            headers={"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
            warnings=warnings.warnings,
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        if document.get("error"):
            raise self.decode_error(head, body)
        found = [document["embedding"]] if "embedding" in document else list_of(document.get("embeddings"))
        if not found:
            raise ProtocolError("the provider answered with JSON that holds no vectors; check that its endpoint is right")
        tokens = count_of(document.get("prompt_eval_count"))
        return Embeddings(
            vectors=ordered([(None, vector_of(vector)) for vector in found], len(request.texts)),
            usage=None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens),
            model=text_of(document.get("model")),
            request_id=request_id(head.headers),
        )
