"""One address where a vendor's wire is spoken: reads a call, has it answered, writes the answer, whole or as a stream. Knows no wire."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Generic, Protocol, TypeVar

from litestar import Request, Response
from msgspec import Struct, field

from parley.contract.errors import ParleyError
from parley.contract.events import Event, ResponseFinished, WarningRaised
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, ResponseWarning
from parley.dispatch.admission import Caller
from parley.dispatch.client import Client
from parley.dispatch.failover import OnCut
from parley.dispatch.holding import held
from parley.dispatch.targets import Destination
from parley.dispatch.trail import Trail
from parley.guard.checks import invalid
from parley.registry.configuration_file import StreamGuard
from parley.server.boundary import header_of
from parley.server.compat.answering import (
    CLIENT_GONE_STATUS,
    ClientGoneError,
    Reply,
    body_of,
    comments_of,
    cost_header,
    reply_headers,
    while_present,
)
from parley.server.compat.tool_memory import ToolMemory
from parley.server.metrics import Metrics
from parley.server.sse import EventStream, Heartbeat
from parley.services.principals import Principal
from parley.wire.call_state import call_states

AnyRequest = Request[Any, Any, Any]
Call = TypeVar("Call")

HOLD_COMMENT_SECONDS = 10.0
"""So often the line of an answer that is being held gets a comment, lest somebody on the way closes it."""
_STREAM_GUARDS: dict[str, StreamGuard] = {"error": "error", "hold": "hold"}
ERRORS = (400, 401, 403, 404, 413, 422, 429, 499, 502, 503, 504)
"""The statuses in which an answer may fail."""


class Asked(Struct, Generic[Call], frozen=True, kw_only=True):
    """A call that can be sent: what it became, for whom, and on whose behalf. `stream` says how it is to be answered."""

    call: Call
    request: ChatRequest
    client: Client
    destination: Destination
    model: str
    caller: Caller
    stream: bool
    warnings: list[ResponseWarning]
    trail: Trail = field(default_factory=Trail)


class Writer(Protocol):
    """Writes a reply's events as its wire streams them."""

    def write(self, events: Sequence[Event]) -> bytes:
        """These events as bytes."""
        ...


class Endpoint(ABC, Generic[Call]):
    """Derive from this and say how the wire is read and written. `client` gives the providers as they are configured now."""

    heartbeat: Heartbeat

    def __init__(self, *, client: Callable[[], Client], metrics: Metrics, memory: ToolMemory) -> None:
        self._client = client
        self._metrics = metrics
        self._memory = memory

    @abstractmethod
    def _read(self, body: bytes, request: AnyRequest, principal: Principal) -> Asked[Call]:
        """What is asked for. Raises a CallerError for what cannot be."""

    @abstractmethod
    def _whole_body(self, asked: Asked[Call], reply: ChatResponse) -> bytes:
        """A whole reply."""

    @abstractmethod
    def _writer(self, asked: Asked[Call]) -> Writer:
        """What writes this stream."""

    @abstractmethod
    def _error_event(self, error: ParleyError, asked: Asked[Call], writer: Any) -> bytes:
        """An error of a stream whose status is out; `writer` wrote what came before."""

    @abstractmethod
    def _refusal(self, error: ParleyError, call: Call | None, request: AnyRequest) -> Response[bytes]:
        """An error before anything was answered."""

    async def create(self, request: AnyRequest, principal: Principal) -> Response[Any]:
        """An answer, whole or as a stream. The status of a stream is held back until its first event."""
        asked: Asked[Call] | None = None
        try:
            asked = self._read(await body_of(request), request, principal)
            answer = self._stream if asked.stream else self._whole
            return await answer(asked, request)
        except ClientGoneError:
            return Reply(b"", status=CLIENT_GONE_STATUS)
        except ParleyError as error:
            self._metrics.attempts_failed(error.attempts)
            if error.domain == "provider":
                self._metrics.answer_failed(error.provider, str(error.code))
            refusal = self._refusal(error, asked.call if asked is not None else None, request)
            if asked is not None and asked.trail.tries:
                refusal.headers["x-parley-attempts"] = str(asked.trail.tries)
            return refusal

    async def _whole(self, asked: Asked[Call], request: AnyRequest) -> Response[Any]:
        reply = await while_present(
            asked.client.generate(asked.destination, asked.request, trail=asked.trail, caller=asked.caller, cache=cache_wish_of(request)),
            request.receive,
        )
        self._finished(asked, reply)
        headers = reply_headers(asked.trail, warnings=[*asked.warnings, *reply.warnings])
        return Reply(self._whole_body(asked, reply), headers={**headers, **cost_header(reply)})

    async def _stream(self, asked: Asked[Call], request: AnyRequest) -> Response[Any]:
        batches = _batches(asked, stream_guard_of(request) or asked.destination.stream_guard, cache=cache_wish_of(request))
        try:
            first = await while_present(_first(batches), request.receive)
        except BaseException:
            await batches.aclose()
            raise
        # A first comment while the answer is held: who will have answered is told when that is known.
        headers = self._stream_headers(asked, first) if first else {}
        return EventStream(self._frames(asked, first, batches), heartbeat=self.heartbeat, metrics=self._metrics, headers=headers)

    def _stream_headers(self, asked: Asked[Call], first: list[Event]) -> dict[str, str]:
        early = [event.warning for event in first if isinstance(event, WarningRaised)]
        return reply_headers(asked.trail, warnings=[*asked.warnings, *early])

    async def _frames(self, asked: Asked[Call], first: list[Event], batches: AsyncGenerator[list[Event]]) -> AsyncGenerator[bytes]:
        """The stream in pieces, each what arrived together; an empty batch says only that the answer is still being held."""
        writer = self._writer(asked)
        async with aclosing(batches):
            batch: list[Event] | None = first
            told = bool(first)
            try:
                while batch is not None:
                    if not batch:
                        yield self.heartbeat.frame
                    elif not told:
                        told = True
                        yield comments_of(self._stream_headers(asked, batch))
                    if frames := self._written(asked, writer, batch):
                        yield frames
                    batch = await anext(batches, None)
            except ParleyError as error:
                self._metrics.attempts_failed(error.attempts)
                self._metrics.answer_failed(error.provider, str(error.code))
                yield self._error_event(error, asked, writer)

    def _written(self, asked: Asked[Call], writer: Writer, batch: list[Event]) -> bytes:
        if batch and isinstance(last := batch[-1], ResponseFinished):
            self._finished(asked, last.response)
        return writer.write(batch) if batch else b""

    def _finished(self, asked: Asked[Call], reply: ChatResponse) -> None:
        if not reply.cached:
            self._count_answer(reply)
        if calls := reply.tool_calls:
            for number, state in call_states(reply.parts).items():
                self._memory.remember(asked.caller.tenant, calls[number].id, state)

    def _count_answer(self, reply: ChatResponse) -> None:
        self._metrics.attempts_failed(reply.attempts)
        self._metrics.answer_finished(
            reply.provider,
            prompt_tokens=reply.usage.prompt_tokens,
            completion_tokens=reply.usage.completion_tokens,
            first_token_ms=reply.time_to_first_token_ms,
        )


def is_strict(request: AnyRequest) -> bool:
    """Whether what would be left out is to be refused."""
    return header_of(request.scope, b"x-parley-strict") in {"1", "true"}


def stream_guard_of(request: AnyRequest) -> StreamGuard | None:
    """What the caller wants of a stream that may break off. Raises InvalidRequestError."""
    asked = header_of(request.scope, b"x-parley-stream-guard")
    if asked is not None and asked not in _STREAM_GUARDS:
        invalid("x-parley-stream-guard", 'must be "error" or "hold"')
    return _STREAM_GUARDS.get(asked or "")


def cache_wish_of(request: AnyRequest) -> bool | None:
    """What the caller says of answers that were given before; None where it says nothing. Raises InvalidRequestError."""
    wish = header_of(request.scope, b"x-parley-cache")
    if wish not in {None, "on", "off"}:
        invalid("x-parley-cache", 'must be "on" or "off"')
    return None if wish is None else wish == "on"


def _batches(asked: Asked[Any], stream_guard: StreamGuard, *, cache: bool | None) -> AsyncGenerator[list[Event]]:
    on_cut: OnCut = "restart" if stream_guard == "hold" else "error"
    batches = asked.client.stream_batches(
        asked.destination, asked.request, trail=asked.trail, caller=asked.caller, on_cut=on_cut, cache=cache
    )
    return held(batches, tick_seconds=HOLD_COMMENT_SECONDS) if stream_guard == "hold" else batches


async def _first(batches: AsyncGenerator[list[Event]]) -> list[Event]:
    return await anext(batches)
