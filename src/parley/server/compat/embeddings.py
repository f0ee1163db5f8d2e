"""`/v1/embeddings`: any provider that makes embeddings, behind OpenAI's embeddings wire. Knows the wire, and nobody behind it.

https://platform.openai.com/docs/api-reference/embeddings (read 2026-11-25).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from litestar import Response

from parley.contract.embeddings import Embeddings
from parley.contract.errors import ParleyError
from parley.dispatch.client import Client
from parley.dispatch.trail import Trail
from parley.server.compat.answering import (
    CLIENT_GONE_STATUS,
    MAX_BODY_BYTES,
    ClientGoneError,
    Reply,
    body_of,
    reply_headers,
    vendor_error_headers,
    vendor_status,
    while_present,
)
from parley.server.compat.endpoint import ERRORS, AnyRequest, is_strict
from parley.server.metrics import Metrics
from parley.server.policy import Route, signed_in
from parley.services.principals import Principal
from parley.services.targets import caller_of
from parley.telemetry import scrub
from parley.wire.openai_chat_server_reply import encode_error
from parley.wire.openai_embeddings_server import embeddings_error_param, encode_embeddings_reply, read_embeddings_request
from parley.wire.server_values import body_object, name_at

# Wires whose own embeddings these are: what is not known here may be known there.
_SAME: Final = frozenset({"openai_chat", "openai_responses"})
_BODY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "An embeddings request; docs/reference/embeddings.md says what becomes of each field.",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "input": {"oneOf": [{"type": "string"}, {"type": "array", "minItems": 1, "maxItems": 2048, "items": {"type": "string"}}]},
        "dimensions": {"type": "integer", "minimum": 1},
        "encoding_format": {"enum": ["float", "base64"]},
        "user": {"type": "string"},
    },
}


class EmbeddingsEndpoint:
    """The address and what it answers. `client` gives the providers as they are configured now."""

    def __init__(self, *, client: Callable[[], Client], metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics

    def routes(self) -> list[Route]:
        """The rows of the table."""
        create = Route(
            method="POST",
            path="/v1/embeddings",
            handler=self.create_embeddings,
            policy=signed_in("embeddings", "create", "v1"),
            summary="Vectors of texts in the shape of OpenAI's embeddings, from any provider that makes them",
            errors=ERRORS,
            max_body_bytes=MAX_BODY_BYTES,
            body_schema=_BODY_SCHEMA,
            render_error=render_error,
        )
        return [create]

    async def create_embeddings(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """One vector per text, in order."""
        try:
            return await self._answer(await body_of(request), request, principal)
        except ClientGoneError:
            return Reply(b"", status=CLIENT_GONE_STATUS)
        except ParleyError as error:
            if error.domain == "provider":
                self._metrics.answer_failed(error.provider, str(error.code))
            return render_error(request, error)

    async def _answer(self, body: bytes, request: AnyRequest, principal: Principal) -> Response[Any]:
        fields = body_object(body)
        client = self._client()
        provider, model = client.embedder_for(name_at(fields.get("model"), "model"))
        same_wire = provider.wire_of(model) in _SAME
        call = read_embeddings_request(fields, model=model, same_wire=same_wire, strict=is_strict(request))
        trail = Trail(provider.name, model)
        found = await while_present(
            client.embeddings(provider, call.request, on_retry=trail.again, caller=caller_of(principal)), request.receive
        )
        self._count(found)
        headers = reply_headers(trail, warnings=[*call.warnings, *found.warnings])
        return Reply(encode_embeddings_reply(found, encoding=call.encoding), headers=headers)

    def _count(self, found: Embeddings) -> None:
        prompt = found.usage.prompt_tokens if found.usage is not None else 0
        self._metrics.answer_finished(found.provider, prompt_tokens=prompt, completion_tokens=0, first_token_ms=None)


def render_error(_request: AnyRequest, error: ParleyError) -> Response[bytes]:
    """What goes wrong, in the wire's shape."""
    param, message = embeddings_error_param(error)
    body = encode_error(error, message=scrub(message), param=param)
    return Reply(body, status=vendor_status(error), headers=vendor_error_headers(error))
