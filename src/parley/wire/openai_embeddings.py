"""OpenAI's embeddings wire, spoken by nearly everyone who speaks its chat wire. Knows no client and no vendor's name.

https://platform.openai.com/docs/api-reference/embeddings (read 2026-11-25); recordings of 2024 to 2026 from nine vendors.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.errors import no_reply, request_id
from parley.wire.history import EncodingWarnings
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of, list_of, object_of, text_of
from parley.wire.openai_chat_errors import decode_error_body, is_error
from parley.wire.openai_models import url_of
from parley.wire.purposes import drop_purpose
from parley.wire.vectors import Packing, ordered, vector_of

# What every large vendor takes in one request; OpenAI itself takes 2048.
USUAL_BATCH_TEXTS = 96


class OpenAIEmbeddings(Struct, frozen=True, kw_only=True):
    """The embeddings side of a codec of OpenAI's; its fields are the dialect's options.

    `embedding_encoding` is what the vendor is asked to write vectors as ("": nothing is asked); both of its ways are read whatever was
    asked, but `base64_int8` says that base64 means int8. `embedding_batch` is the number of texts that one request may hold.
    """

    embedding_encoding: Literal["", "float", "base64", "base64_int8"] = ""
    embedding_batch: int = USUAL_BATCH_TEXTS

    def embeddings_url(self, target: Target) -> str:
        """Where vectors are asked for."""
        return url_of(target.endpoint, "/embeddings")

    def finish_embeddings_body(self, body: dict[str, Any], request: EmbeddingRequest, *, target: Target) -> dict[str, Any]:
        """The last word on the body; `request` and `target` say what it came from."""
        return body

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return decode_error_body(head, body)

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds."""
        return self.embedding_batch

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds."""
        warnings = EncodingWarnings()
        options = request.options
        body: dict[str, Any] = {**options.extra, "model": target.model, "input": request.texts}
        if options.dimensions is not None:
            body["dimensions"] = options.dimensions
        if self.embedding_encoding:
            body.setdefault("encoding_format", self.embedding_encoding)
        if request.user_id:
            body["user"] = request.user_id
        finished = self.finish_embeddings_body(body, request, target=target)
        if "input_type" not in finished:
            drop_purpose(request, target=target, warnings=warnings)
        return HttpRequest(
            method="POST",
            url=self.embeddings_url(target),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode(finished),
            warnings=warnings.warnings,
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        if not isinstance(document.get("data"), list):
            if document.get("error") or is_error(document):
                raise self.decode_error(head, body)
            raise ProtocolError("the provider answered with JSON that holds no vectors; check that its endpoint is right")
        packing: Packing = "int8" if self.embedding_encoding == "base64_int8" else "float32"
        items = [object_of(item) for item in list_of(document["data"])]
        found = [(item.get("index"), vector_of(item.get("embedding"), packing=packing)) for item in items]
        return Embeddings(
            vectors=ordered(found, len(request.texts)),
            usage=usage_in(object_of(document.get("usage"))),
            model=text_of(document.get("model")),
            request_id=request_id(head.headers),
        )


def usage_in(usage: dict[str, Any]) -> Usage | None:
    """The texts' tokens; Voyage reports a total alone, of which there is nothing else in it."""
    prompt, total = count_of(usage.get("prompt_tokens")), count_of(usage.get("total_tokens"))
    prompt = total if prompt is None else prompt
    if prompt is None:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=0, total_tokens=prompt if total is None else total)
