"""`/v1/messages` and its count of tokens: any provider behind Anthropic's Messages wire. Knows the wire, and nobody behind it.

https://docs.claude.com/en/api/messages (read 2026-11-22).
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any, Final

from litestar import Response
from msgspec import structs

from parley.contract.errors import CallerError, MissingCredentialError, ParleyError, UnsupportedFeatureError
from parley.contract.response import ChatResponse, ResponseWarning
from parley.server.boundary import header_of, request_id_of
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
from parley.server.compat.endpoint import ERRORS, AnyRequest, Asked, Endpoint, is_strict
from parley.server.policy import Route, signed_in
from parley.server.sse import Heartbeat
from parley.services.principals import Principal
from parley.services.targets import caller_of
from parley.telemetry import scrub
from parley.wire.anthropic_messages_server import MessagesCall, read_messages_request
from parley.wire.anthropic_messages_server_reply import encode_error, encode_error_event, encode_message, encode_token_count
from parley.wire.anthropic_messages_server_stream import PING, MessageWriter
from parley.wire.server_fields import Behind
from parley.wire.server_values import body_object, invalid, name_at

_PROPERTIES: Final[dict[str, Any]] = {
    "model": {"type": "string", "minLength": 1},
    "messages": {"type": "array", "minItems": 1, "items": {"type": "object"}},
}
_BODY_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A Messages request; docs/reference/messages.md says what becomes of each field.",
    "required": ["model", "messages", "max_tokens"],
    "properties": {**_PROPERTIES, "max_tokens": {"type": "integer", "minimum": 1}, "stream": {"type": "boolean"}},
}
_COUNT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A Messages request, of which only the tokens are counted.",
    "required": ["model", "messages"],
    "properties": _PROPERTIES,
}
_ESTIMATED: Final = ResponseWarning(code="estimated", message="the provider does not count tokens beforehand")


class Messages(Endpoint[MessagesCall]):
    """The two addresses and what they answer."""

    heartbeat = Heartbeat(PING)

    def routes(self) -> list[Route]:
        """The rows of the table."""
        create = Route(
            method="POST",
            path="/v1/messages",
            handler=self.create_message,
            policy=signed_in("messages", "create", "v1"),
            summary="An answer in the shape of Anthropic's Messages, from any provider",
            errors=ERRORS,
            max_body_bytes=MAX_BODY_BYTES,
            media_types=("application/json", "text/event-stream"),
            body_schema=_BODY_SCHEMA,
            render_error=render_error,
        )
        count = Route(
            method="POST",
            path="/v1/messages/count_tokens",
            handler=self.count_tokens,
            policy=signed_in("messages", "count", "v1"),
            summary="The tokens of a Messages request: the provider's own count, or an estimate that says so",
            errors=ERRORS,
            max_body_bytes=MAX_BODY_BYTES,
            body_schema=_COUNT_SCHEMA,
            render_error=render_error,
        )
        return [create, count]

    async def create_message(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """An answer, whole or as a stream."""
        return await self.create(request, principal)

    async def count_tokens(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """How many tokens the request has."""
        asked: Asked[MessagesCall] | None = None
        try:
            asked = self._asked(await body_of(request), request, principal)
            count, warnings = await while_present(self._count(asked), request.receive)
            headers = reply_headers(asked.trail, warnings=warnings)
            return Reply(encode_token_count(count), headers=headers)
        except ClientGoneError:
            return Reply(b"", status=CLIENT_GONE_STATUS)
        except ParleyError as error:
            return self._refusal(error, asked.call if asked is not None else None, request)

    async def _count(self, asked: Asked[MessagesCall]) -> tuple[int, list[ResponseWarning]]:
        provider, model = asked.destination.providers[0]
        asked.trail.provider = provider.name
        request = structs.replace(asked.request, options=structs.replace(asked.request.options, model=model or None))
        if provider.capabilities.count_tokens is not False:
            try:
                return await provider.count_tokens(request), asked.warnings
            except UnsupportedFeatureError as error:
                if error.fields:  # something in the request is not supported, not the counting
                    raise
        return provider.estimate_tokens(request), [_ESTIMATED, *asked.warnings]

    def _read(self, body: bytes, request: AnyRequest, principal: Principal) -> Asked[MessagesCall]:
        asked = self._asked(body, request, principal)
        if asked.request.options.max_tokens is None:
            invalid("max_tokens", "is missing")
        return asked

    def _asked(self, body: bytes, request: AnyRequest, principal: Principal) -> Asked[MessagesCall]:
        fields = body_object(body)
        client = self._client()
        destination = client.destination(name_at(fields.get("model"), "model"))
        model = destination.model
        call = read_messages_request(
            fields,
            model=model,
            behind=Behind(provider=destination.name, wire=destination.wire, options=destination.extra_options),
            strict=is_strict(request),
            recall=partial(self._memory.recall, principal.user_id),
            betas=[beta.strip() for beta in (header_of(request.scope, b"anthropic-beta") or "").split(",") if beta.strip()],
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

    def _whole_body(self, asked: Asked[MessagesCall], reply: ChatResponse) -> bytes:
        return encode_message(reply)

    def _writer(self, asked: Asked[MessagesCall]) -> MessageWriter:
        return MessageWriter(reply_id=f"msg_{secrets.token_hex(12)}", model=asked.model)

    def _error_event(self, error: ParleyError, asked: Asked[MessagesCall], writer: Any) -> bytes:
        return encode_error_event(error, message=_message(error, asked.call))

    def _refusal(self, error: ParleyError, call: MessagesCall | None, request: AnyRequest) -> Response[bytes]:
        return _refusal(request, error, call)


def render_error(request: AnyRequest, error: ParleyError) -> Response[bytes]:
    """What goes wrong before a handler runs, in the wire's shape."""
    return _refusal(request, error, None)


def _refusal(request: AnyRequest, error: ParleyError, call: MessagesCall | None) -> Response[bytes]:
    request_id = request_id_of(request.scope)
    body = encode_error(error, message=_message(error, call), request_id=request_id)
    return Reply(body, status=vendor_status(error), headers={**vendor_error_headers(error), "request-id": request_id})


def _message(error: ParleyError, call: MessagesCall | None) -> str:
    """In the client's own names: this wire says in words alone which field is meant."""
    if call is not None and error.fields and isinstance(error, CallerError) and not isinstance(error, MissingCredentialError):
        path = error.fields[0].path
        if error.message.startswith(path):
            return scrub(call.param(path) + error.message.removeprefix(path))
    return scrub(error.message)
