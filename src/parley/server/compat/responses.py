"""`/v1/responses`: any provider behind OpenAI's Responses wire, without its memory. Knows the wire, and nobody behind it.

https://platform.openai.com/docs/api-reference/responses (read 2026-11-25).
"""

from __future__ import annotations

import secrets
import time
from functools import partial
from typing import Any, Final

from litestar import Response

from parley.contract.errors import CallerError, MissingCredentialError, ParleyError
from parley.contract.response import ChatResponse
from parley.server.compat.answering import MAX_BODY_BYTES, Reply, vendor_error_headers, vendor_status
from parley.server.compat.endpoint import ERRORS, AnyRequest, Asked, Endpoint, is_strict
from parley.server.compat.openai import refusal, render_error
from parley.server.policy import Route, signed_in
from parley.server.sse import Heartbeat
from parley.services.principals import Principal
from parley.services.targets import caller_of
from parley.telemetry import scrub
from parley.wire.openai_chat_server_reply import encode_error
from parley.wire.openai_responses_server import ResponsesCall, read_responses_request
from parley.wire.openai_responses_server_reply import Frame, encode_error_event, encode_response
from parley.wire.openai_responses_server_stream import ResponseWriter
from parley.wire.server_fields import Behind
from parley.wire.server_values import body_object, name_at

_BODY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A Responses request; docs/reference/responses.md says what becomes of each field.",
    "required": ["model", "input"],
    "properties": {
        "model": {"type": "string", "minLength": 1},
        "input": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1, "items": {"type": "object"}}]},
        "stream": {"type": "boolean"},
    },
}


class Responses(Endpoint[ResponsesCall]):
    """The address and what it answers."""

    heartbeat = Heartbeat(b": keep-alive\n\n")

    def routes(self) -> list[Route]:
        """The row of the table."""
        return [
            Route(
                method="POST",
                path="/v1/responses",
                handler=self.create_response,
                policy=signed_in("responses", "create", "v1"),
                summary="An answer in the shape of OpenAI's Responses, from any provider; nothing is kept",
                errors=ERRORS,
                max_body_bytes=MAX_BODY_BYTES,
                media_types=("application/json", "text/event-stream"),
                body_schema=_BODY_SCHEMA,
                render_error=render_error,
            )
        ]

    async def create_response(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """An answer, whole or as a stream."""
        return await self.create(request, principal)

    def _read(self, body: bytes, request: AnyRequest, principal: Principal) -> Asked[ResponsesCall]:
        fields = body_object(body)
        client = self._client()
        destination = client.destination(name_at(fields.get("model"), "model"))
        model = destination.model
        call = read_responses_request(
            fields,
            model=model,
            behind=Behind(provider=destination.name, wire=destination.wire, options=destination.extra_options),
            strict=is_strict(request),
            recall=partial(self._memory.recall, principal.user_id),
        )
        return Asked(
            call=call,
            request=call.request,
            client=client,
            destination=destination,
            model=model,
            caller=caller_of(principal),
            stream=call.stream,
            warnings=call.warnings,
        )

    def _whole_body(self, asked: Asked[ResponsesCall], reply: ChatResponse) -> bytes:
        return encode_response(reply, _frame(asked))

    def _writer(self, asked: Asked[ResponsesCall]) -> ResponseWriter:
        return ResponseWriter(_frame(asked), reply_id=f"resp_{secrets.token_hex(24)}", model=asked.model)

    def _error_event(self, error: ParleyError, asked: Asked[ResponsesCall], writer: ResponseWriter) -> bytes:
        param, message = _told(error, asked.call)
        return encode_error_event(error, message=scrub(message), param=param, number=writer.number)

    def _refusal(self, error: ParleyError, call: ResponsesCall | None, request: AnyRequest) -> Response[bytes]:
        if call is None:
            return refusal(error)
        param, message = _told(error, call)
        body = encode_error(error, message=scrub(message), param=param)
        return Reply(body, status=vendor_status(error), headers=vendor_error_headers(error))


def _frame(asked: Asked[ResponsesCall]) -> Frame:
    return Frame(echo=asked.call.echo, created=int(time.time()), seed=secrets.token_hex(12))


def _told(error: ParleyError, call: ResponsesCall) -> tuple[str | None, str]:
    """The `param` that an error is about, and its message in the client's own names."""
    if not error.fields or not isinstance(error, CallerError) or isinstance(error, MissingCredentialError):
        return None, error.message
    path = error.fields[0].path
    param = call.param(path)
    return param, error.message.replace(path, param, 1) if error.message.startswith(path) else error.message
