"""Embedding models behind Amazon Bedrock's `invoke`, each in its maker's own form. Knows no signature and opens nothing.

https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-titan-embed-text.html and model-parameters-embed.html
(read 2026-11-25); a recording of 2025.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import structs

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.contract.usage import Usage
from parley.wire.cohere_embeddings import MAX_BATCH_TEXTS, embed_fields, read_embed
from parley.wire.errors import no_reply, request_id
from parley.wire.history import EncodingWarnings
from parley.wire.json_events import decode_object
from parley.wire.json_values import count_of
from parley.wire.purposes import drop_purpose, unsupported
from parley.wire.vectors import vector_of

_TOKENS_HEADER = "x-amzn-bedrock-input-token-count"


class BedrockEmbeddings:
    """What a codec of this cloud derives from. The models of Titan take one text a request, Cohere's 96."""

    @abstractmethod
    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""

    def max_embedding_texts(self, model: str) -> int:
        """See parley.contract.codec.Embeds."""
        return MAX_BATCH_TEXTS if _is_cohere(model) else 1

    def encode_embeddings(self, request: EmbeddingRequest, *, target: Target) -> HttpRequest:
        """See parley.contract.codec.Embeds. Raises UnsupportedFeatureError for a model of another maker, whose form is not known."""
        warnings = EncodingWarnings()
        if _is_cohere(target.model):
            body = _cohere_body(request, target=target, warnings=warnings)
        elif "titan-embed" in target.model:
            drop_purpose(request, target=target, warnings=warnings)
            body = _titan_body(request, target=target)
        else:
            problem = f"{target.model} is none of the embedding models known here, which are Amazon Titan's and Cohere's"
            raise unsupported("options.model", problem, target=target)
        return HttpRequest(
            method="POST",
            url=f"{target.endpoint.rstrip('/')}/model/{quote(target.model, safe='')}/invoke",
            headers={"Content-Type": "application/json", "Accept": "application/json"},
            body=msgspec.json.encode(body),
            warnings=warnings.warnings,
        )

    def decode_embeddings(self, request: EmbeddingRequest, head: ResponseHead, body: bytes) -> Embeddings:
        """See parley.contract.codec.Embeds."""
        document = decode_object(body)
        if document is None:
            raise no_reply(head, body)
        tokens = count_of(document.get("inputTextTokenCount"))
        counted = head.headers.get(_TOKENS_HEADER, "")
        if tokens is None and counted.isascii() and counted.isdigit():
            tokens = int(counted)
        usage = None if tokens is None else Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens)
        if "embeddings" in document:
            found = read_embed(document, request, head)
            return structs.replace(found, usage=usage or found.usage)
        if "embedding" not in document:
            raise ProtocolError("the provider answered with JSON that holds no vectors")
        if len(request.texts) != 1:
            raise ProtocolError(f"the provider sent 1 vector for {len(request.texts)} texts")
        return Embeddings(vectors=[vector_of(document["embedding"])], usage=usage, request_id=request_id(head.headers))


def _is_cohere(model: str) -> bool:
    return "cohere.embed" in model


def _cohere_body(request: EmbeddingRequest, *, target: Target, warnings: EncodingWarnings) -> dict[str, Any]:
    body = embed_fields(request, target=target, warnings=warnings)
    if request.options.dimensions is not None:
        body["output_dimension"] = request.options.dimensions
    return body


def _titan_body(request: EmbeddingRequest, *, target: Target) -> dict[str, Any]:
    if len(request.texts) != 1:
        raise unsupported("texts", f"{target.model} takes one text a request, not {len(request.texts)}", target=target)
    body: dict[str, Any] = {**request.options.extra, "inputText": request.texts[0]}
    if request.options.dimensions is not None:
        if "titan-embed-text-v1" in target.model or "titan-embed-g1" in target.model:
            raise unsupported("options.dimensions", f"the vectors of {target.model} have one length; leave it out", target=target)
        body["dimensions"] = request.options.dimensions
    return body
