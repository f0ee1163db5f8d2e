"""`/v1/chat/completions` and `/v1/models`: any provider behind OpenAI's chat completions wire. Knows the wire, and nobody behind it.

https://platform.openai.com/docs/api-reference/chat (read 2026-11-22).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final

import msgspec
from litestar import Request, Response
from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.contract.events import Event, ResponseFinished, WarningRaised
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ResponseWarning
from parley.dispatch.client import Client
from parley.guard.guarded import GuardedProvider
from parley.server.boundary import header_of
from parley.server.compat.answering import (
    CLIENT_GONE_STATUS,
    MAX_BODY_BYTES,
    ClientGoneError,
    Reply,
    Tries,
    body_of,
    cost_header,
    reply_headers,
    vendor_error_headers,
    vendor_status,
    while_present,
)
from parley.server.compat.tool_memory import ToolMemory
from parley.server.errors import MethodNotAllowedError
from parley.server.metrics import Metrics
from parley.server.policy import Method, Route, signed_in
from parley.server.sse import EventStream, Heartbeat
from parley.services.errors import NotFoundError
from parley.services.principals import Principal
from parley.telemetry import scrub
from parley.wire.openai_chat_server import ChatCall, decode_request, error_param
from parley.wire.openai_chat_server_reply import ChunkWriter, encode_completion, encode_error, encode_error_event
from parley.wire.openai_chat_server_state import call_states

AnyRequest = Request[Any, Any, Any]

KEEP_ALIVE: Final = Heartbeat(b": keep-alive\n\n")
_METHODS: Final[tuple[Method, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE")
_POLICY: Final = signed_in("completions", "create", "v1")
_MODELS_POLICY: Final = signed_in("models", "read", "v1", "read")
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
_ERRORS: Final = (400, 401, 403, 404, 413, 422, 429, 499, 502, 503, 504)


class _Asked(Struct, frozen=True, kw_only=True):
    """A call that can be sent: what it became, for whom, and on whose behalf."""

    call: ChatCall
    request: ChatRequest
    client: Client
    provider: GuardedProvider
    model: str
    tenant: str
    warnings: list[ResponseWarning]
    tries: Tries


class ChatCompletions:
    """The routes. `client` gives the providers as they are configured now."""

    def __init__(self, *, client: Callable[[], Client], metrics: Metrics, memory: ToolMemory | None = None) -> None:
        self._client = client
        self._metrics = metrics
        self._memory = memory or ToolMemory()

    def routes(self) -> list[Route]:
        """The rows of the table; what this wire has and we have not is answered in its own shape."""
        create = Route(
            method="POST",
            path="/v1/chat/completions",
            handler=self.create,
            policy=_POLICY,
            summary="An answer in the shape of OpenAI's chat completions, from any provider",
            errors=_ERRORS,
            max_body_bytes=MAX_BODY_BYTES,
            media_types=("application/json", "text/event-stream"),
            body_schema=_BODY_SCHEMA,
            render_error=render_error,
        )
        models = Route(
            method="GET",
            path="/v1/models",
            handler=self.list_models,
            policy=_MODELS_POLICY,
            summary="Every model that can be asked for",
            errors=_ERRORS,
            render_error=render_error,
        )
        model = Route(
            method="GET",
            path="/v1/models/{path}",
            handler=self.get_model,
            policy=_MODELS_POLICY,
            summary="One model",
            errors=_ERRORS,
            render_error=render_error,
        )
        return [create, models, model, *_elsewhere([create, models, model])]

    async def create(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """An answer, whole or as a stream. The status of a stream is held back until its first event."""
        call: ChatCall | None = None
        try:
            body = await body_of(request)
            strict = header_of(request.scope, b"x-parley-strict") in {"1", "true"}
            call = decode_request(body, strict=strict, recall=partial(self._memory.recall, principal.user_id))
            asked = self._asked(call, principal)
            answer = self._stream if call.stream else self._whole
            return await answer(asked, request)
        except ClientGoneError:
            return Reply(b"", status=CLIENT_GONE_STATUS)
        except ParleyError as error:
            if error.domain == "provider":
                self._metrics.answer_failed(error.provider, str(error.code))
            return _refusal(error, call)

    async def list_models(self) -> Response[bytes]:
        """Every model that a provider which is ready lists."""
        listed = [
            _model(f"{provider.name}/{model.id}", provider.name)
            for provider in self._client().providers()
            if provider.status == "ready"
            for model in provider.models
        ]
        return _json({"object": "list", "data": listed})

    async def get_model(self, path: str) -> Response[bytes]:
        """The model that a name means."""
        name = path.lstrip("/")
        return _json(_model(name, self._client().resolve(name)[0]))

    def _asked(self, call: ChatCall, principal: Principal) -> _Asked:
        client = self._client()
        provider, model = client.provider_for(call.model)
        request, warnings = call.fit(model, provider.extra_options)
        return _Asked(
            call=call,
            request=request,
            client=client,
            provider=provider,
            model=model,
            tenant=principal.user_id,
            warnings=warnings,
            tries=Tries(),
        )

    async def _whole(self, asked: _Asked, request: AnyRequest) -> Response[Any]:
        reply = await while_present(asked.client.generate(asked.provider, asked.request, on_retry=asked.tries.again), request.receive)
        self._finished(asked, reply)
        headers = reply_headers(provider=reply.provider, tries=asked.tries, warnings=[*asked.warnings, *reply.warnings])
        body = encode_completion(reply, created=int(time.time()), legacy_functions=asked.call.legacy_functions)
        return Reply(body, headers={**headers, **cost_header(reply)})

    async def _stream(self, asked: _Asked, request: AnyRequest) -> Response[Any]:
        batches = asked.client.stream_batches(asked.provider, asked.request, on_retry=asked.tries.again)
        try:
            first = await while_present(_first(batches), request.receive)
        except BaseException:
            await batches.aclose()
            raise
        early = [event.warning for event in first if isinstance(event, WarningRaised)]
        headers = reply_headers(provider=asked.provider.name, tries=asked.tries, warnings=[*asked.warnings, *early])
        return EventStream(self._frames(asked, first, batches), heartbeat=KEEP_ALIVE, metrics=self._metrics, headers=headers)

    async def _frames(self, asked: _Asked, first: list[Event], batches: AsyncGenerator[list[Event]]) -> AsyncGenerator[bytes]:
        """The stream in pieces, each what arrived together."""
        writer = ChunkWriter(
            reply_id=f"chatcmpl-{secrets.token_hex(12)}",
            model=asked.model,
            created=int(time.time()),
            include_usage=asked.call.include_usage,
            legacy_functions=asked.call.legacy_functions,
        )
        async with aclosing(batches):
            batch: list[Event] | None = first
            try:
                while batch is not None:
                    last = batch[-1]
                    if isinstance(last, ResponseFinished):
                        self._finished(asked, last.response)
                    if chunks := writer.write(batch):
                        yield chunks
                    batch = await anext(batches, None)
            except ParleyError as error:
                yield self._failed(asked, error)

    def _finished(self, asked: _Asked, reply: ChatResponse) -> None:
        self._metrics.answer_finished(
            asked.provider.name,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            first_token_ms=reply.time_to_first_token_ms,
        )
        if calls := reply.tool_calls:
            for number, state in call_states(reply.parts).items():
                self._memory.remember(asked.tenant, calls[number].id, state)

    def _failed(self, asked: _Asked, error: ParleyError) -> bytes:
        """An error of a stream whose status is out."""
        self._metrics.answer_failed(error.provider, str(error.code))
        param, message = error_param(error, asked.call)
        return encode_error_event(error, message=scrub(message), param=param)


def render_error(_request: AnyRequest, error: ParleyError) -> Response[bytes]:
    """What goes wrong before a handler runs, in the wire's shape."""
    return _refusal(error, None)


async def _first(batches: AsyncGenerator[list[Event]]) -> list[Event]:
    return await anext(batches)


def _refusal(error: ParleyError, call: ChatCall | None) -> Response[bytes]:
    param, message = error_param(error, call)
    body = encode_error(error, message=scrub(message), param=param)
    return Reply(body, status=vendor_status(error), headers=vendor_error_headers(error))


def _elsewhere(routes: Sequence[Route]) -> list[Route]:
    """Everything else below /v1: the wire's other methods and addresses."""
    wrong = [
        _refused(method, route.path, _wrong_method_at if "{" in route.path else _wrong_method)
        for route in routes
        for method in _METHODS
        if method != route.method
    ]
    return wrong + [_refused(method, "/v1/{path}", _not_here) for method in _METHODS]


def _refused(method: Method, path: str, handler: Callable[..., Any]) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        policy=signed_in("v1", "read", "v1"),
        summary="What is not served here",
        documented=False,
        render_error=render_error,
    )


async def _wrong_method() -> Response[bytes]:
    raise MethodNotAllowedError("this address does not take this method")


async def _wrong_method_at(path: str) -> Response[bytes]:
    raise MethodNotAllowedError(f"/v1/models{path} does not take this method")


async def _not_here(path: str) -> Response[bytes]:
    raise NotFoundError(f"Parley does not serve /v1/{path.lstrip('/')}; it serves /v1/chat/completions and /v1/models")


def _model(identifier: str, owner: str) -> dict[str, Any]:
    """`created` is part of the shape; when a model was made, nobody says."""
    return {"id": identifier, "object": "model", "created": 0, "owned_by": owner}


def _json(document: Any) -> Response[bytes]:
    return Reply(msgspec.json.encode(document))
