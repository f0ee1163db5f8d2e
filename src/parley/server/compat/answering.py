"""What the vendors' wires share on our side: statuses, reply headers, and ending what nobody reads any more. Knows no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from litestar import Request, Response
from litestar.exceptions import HTTPException, InternalServerException
from litestar.types import Receive, Scope, Send

from parley.contract.errors import ErrorCode, ParleyError
from parley.contract.response import ChatResponse, ResponseWarning
from parley.dispatch.trail import Trail
from parley.server.errors import MethodNotAllowedError, error_headers, status_of
from parley.services.errors import BodyTooLargeError
from parley.telemetry import scrub

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
MAX_DRAINED_BYTES: Final = 4 * MAX_BODY_BYTES
MAX_WARNINGS_CHARACTERS: Final = 2000
CLIENT_GONE_STATUS: Final = 499
WATCH_AFTER_SECONDS: Final = 0.02

# Where vendors' clients expect another status than our own API gives.
_STATUSES: Final[dict[ErrorCode, int]] = {
    ErrorCode.INVALID_REQUEST: 400,
    ErrorCode.UNSUPPORTED_FEATURE: 400,
    ErrorCode.PROVIDER_REJECTED: 400,
    ErrorCode.CONTEXT_LENGTH: 400,
    ErrorCode.CONTENT_FILTER: 400,
    ErrorCode.UNKNOWN_MODEL: 404,
    ErrorCode.UNKNOWN_PROVIDER: 404,
    ErrorCode.MODEL_NOT_FOUND: 404,
}

_Result = TypeVar("_Result")


class ClientGoneError(Exception):
    """Nobody waits for the answer any more; its making has been cancelled."""


class Reply(Response[bytes]):
    """Bytes that are ready to send: without the encoding, cookies and media types that Litestar looks for."""

    def __init__(self, body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body, status_code=status, headers=headers)

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Litestar asks for an ASGI application; this is one."""
        return self._serve

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = str(len(self.content))
        headers = [(b"content-type", b"application/json"), (b"content-length", length.encode())]
        headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]
        await send({"type": "http.response.start", "status": self.status_code or 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.content, "more_body": False})


def vendor_status(error: ParleyError) -> int:
    """The status that an error means on a vendor's wire. The vendor's own refusal of its key is never a 401: our key is good."""
    return status_of(error) if isinstance(error, MethodNotAllowedError) else _STATUSES.get(error.code, status_of(error))


def vendor_error_headers(error: ParleyError) -> dict[str, str]:
    """`x-should-retry` is what the official clients ask before they go by the status."""
    headers = {**error_headers(error), "x-should-retry": "true" if error.retryable else "false"}
    if error.provider:
        headers["x-parley-provider"] = error.provider
    return headers


def reply_headers(trail: Trail, *, warnings: Sequence[ResponseWarning]) -> dict[str, str]:
    """Who answered, at which attempt, instead of whom, whether that was earlier, and what was left out on the way."""
    headers = {"x-parley-provider": trail.provider, "x-parley-attempts": "0" if trail.cached else str(max(1, trail.tries))}
    if trail.cached is not None:
        headers["x-parley-cache"] = "hit" if trail.cached else "miss"
    if (fallback := trail.fallback) is not None:
        told = f"asked={fallback.asked}; actual={fallback.actual}; reason={fallback.reason}"
        headers["x-parley-fallback"] = _header_text(told)
    if warnings:
        told = " | ".join(f"{warning.code}: {warning.message}" for warning in warnings)
        headers["x-parley-warnings"] = _header_text(told)
    return headers


def comments_of(headers: Mapping[str, str]) -> bytes:
    """The same in a stream whose headers are out: comments, which every reader of server-sent events skips."""
    lines = "".join(f": {name}: {value}\n" for name, value in headers.items())
    return f"{lines}\n".encode("latin-1", "replace")


def cost_header(response: ChatResponse) -> dict[str, str]:
    """In US dollars, where it is known."""
    return {} if response.cost is None else {"x-parley-cost": f"{response.cost:.10f}".rstrip("0").rstrip(".") or "0"}


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body, whole. Raises BodyTooLargeError, or ClientGoneError where it ends before its end."""
    try:
        return await request.body()
    except InternalServerException as error:  # Litestar's word for it
        raise ClientGoneError from error
    except HTTPException as error:
        if error.status_code != HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise
        await _drain(request.receive)
        raise BodyTooLargeError(f"the body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB") from error


async def _drain(receive: Receive) -> None:
    """Take what still comes, within reason: a client that is cut off while it sends never reads why."""
    drained = 0
    while drained < MAX_DRAINED_BYTES:
        message = await receive()
        if message["type"] != "http.request" or not message["more_body"]:
            return
        drained += len(message["body"])


async def while_present(work: Coroutine[Any, Any, _Result], receive: Receive) -> _Result:
    """What the work gives. When the client leaves first, the work is cancelled and ClientGoneError raised.

    The client is watched from WATCH_AFTER_SECONDS on: most answers are there before a task for it would pay.
    """
    presence = _Presence(receive)
    try:
        return await work
    except asyncio.CancelledError:
        if presence.has_ended_work():
            raise ClientGoneError from None
        raise
    finally:
        presence.forget()


class _Presence:
    """Cancels the task that it was made in when the client leaves."""

    __slots__ = ("_gone", "_receive", "_start", "_watching", "_worker")

    def __init__(self, receive: Receive) -> None:
        worker = asyncio.current_task()
        if worker is None:
            raise RuntimeError("a request is served in a task")
        self._worker = worker
        self._receive = receive
        self._gone = False
        self._watching: asyncio.Task[None] | None = None
        self._start = worker.get_loop().call_later(WATCH_AFTER_SECONDS, self._watch)

    def has_ended_work(self) -> bool:
        """Whether the cancellation came from here, and from nobody else."""
        return self._gone and self._worker.uncancel() == 0

    def forget(self) -> None:
        """The work is over."""
        self._start.cancel()
        if self._watching is not None:
            self._watching.remove_done_callback(self._leave)
            self._watching.cancel()

    def _watch(self) -> None:
        self._watching = self._worker.get_loop().create_task(_disconnected(self._receive))
        self._watching.add_done_callback(self._leave)

    def _leave(self, watching: asyncio.Task[None]) -> None:
        if not watching.cancelled():
            watching.exception()  # whatever it was, there is nobody to send an answer to
            self._gone = True
            self._worker.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header_text(text: str) -> str:
    """One line of ASCII of bounded length, without a secret."""
    line = " ".join(scrub(text).split())
    return line.encode("ascii", "replace").decode()[:MAX_WARNINGS_CHARACTERS]
