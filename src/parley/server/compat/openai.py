"""`/v1/chat/completions`: any provider behind OpenAI's chat completions wire. Knows the wire, and nobody behind it.

https://platform.openai.com/docs/api-reference/chat (read 2026-11-22).
"""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Any, Final

from litestar import Response

from parley.contract.errors import ParleyError
from parley.contract.response import ChatResponse
from parley.server.compat.answering import MAX_BODY_BYTES, Reply, vendor_error_headers, vendor_status
from parley.server.compat.endpoint import ERRORS, AnyRequest, Asked, Endpoint, is_strict
from parley.server.policy import Route, signed_in
from parley.server.sse import Heartbeat
from parley.services.principals import Principal
from parley.services.targets import caller_of
from parley.telemetry import scrub
from parley.wire.openai_chat_server import ChatCall, decode_request, error_param
from parley.wire.openai_chat_server_reply import ChunkWriter, encode_completion, encode_error, encode_error_event

_BODY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A chat completions request; docs/reference/chat-completions.md says what becomes of each field.",
    "required": ["model", "messages"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
        "stream": {"type": "boolean"},
    },
}


class ChatCompletions(Endpoint[ChatCall]):
    """The address and what it answers."""

    heartbeat = Heartbeat(b": keep-alive\n\n")

    def routes(self) -> list[Route]:
        """The row of the table."""
        return [
            Route(
                method="POST",
                path="/v1/chat/completions",
                handler=self.create_completion,
                policy=signed_in("completions", "create", "v1"),
                summary="An answer in the shape of OpenAI's chat completions, from any provider",
                errors=ERRORS,
                max_body_bytes=MAX_BODY_BYTES,
                media_types=("application/json", "text/event-stream"),
                body_schema=_BODY_SCHEMA,
                render_error=render_error,
            )
        ]

    async def create_completion(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """An answer, whole or as a stream."""
        return await self.create(request, principal)

    def _read(self, body: bytes, request: AnyRequest, principal: Principal) -> Asked[ChatCall]:
        call = decode_request(body, strict=is_strict(request), recall=partial(self._memory.recall, principal.user_id))
        client = self._client()
        destination = client.destination(call.model)
        model = destination.model
        fitted, warnings = call.fit(model, destination.extra_options)
        return Asked(
            call=call,
            request=fitted,
            client=client,
            destination=destination,
            model=model,
            caller=caller_of(principal),
            stream=call.stream,
            warnings=warnings,
        )

    def _whole_body(self, asked: Asked[ChatCall], reply: ChatResponse) -> bytes:
        return encode_completion(reply, created=int(time.time()), legacy_functions=asked.call.legacy_functions)

    def _writer(self, asked: Asked[ChatCall]) -> ChunkWriter:
        return ChunkWriter(
            reply_id=f"chatcmpl-{secrets.token_hex(12)}",
            model=asked.model,
            created=int(time.time()),
            include_usage=asked.call.include_usage,
            legacy_functions=asked.call.legacy_functions,
        )

    def _error_event(self, error: ParleyError, asked: Asked[ChatCall], writer: Any) -> bytes:
        param, message = error_param(error, asked.call)
        return encode_error_event(error, message=scrub(message), param=param)

    def _refusal(self, error: ParleyError, call: ChatCall | None, request: AnyRequest) -> Response[bytes]:
        return refusal(error, call)


def refusal(error: ParleyError, call: ChatCall | None = None) -> Response[bytes]:
    """An error in OpenAI's shape."""
    param, message = error_param(error, call)
    body = encode_error(error, message=scrub(message), param=param)
    return Reply(body, status=vendor_status(error), headers=vendor_error_headers(error))


def render_error(_request: AnyRequest, error: ParleyError) -> Response[bytes]:
    """What goes wrong before a handler runs, in the wire's shape."""
    return refusal(error)
