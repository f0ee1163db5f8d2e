"""What the vendors' wires share on our side: statuses, reply headers, and ending what nobody reads any more. Knows no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.types import Receive

from parley.contract.errors import ErrorCode, ParleyError
from parley.contract.response import ChatResponse, ResponseWarning
from parley.server.errors import MethodNotAllowedError, error_headers, status_of
from parley.telemetry import scrub

MAX_BODY_BYTES: Final = 32 * 1024 * 1024
MAX_WARNINGS_CHARACTERS: Final = 2000
CLIENT_GONE_STATUS: Final = 499

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


class Tries:
    """Counts how often a provider was asked."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 1

    def again(self, _error: ParleyError) -> None:
        """One more."""
        self.count += 1


def vendor_status(error: ParleyError) -> int:
    """The status that an error means on a vendor's wire. The vendor's own refusal of its key is never a 401: our key is good."""
    return status_of(error) if isinstance(error, MethodNotAllowedError) else _STATUSES.get(error.code, status_of(error))


def vendor_error_headers(error: ParleyError) -> dict[str, str]:
    """`x-should-retry` is what the official clients ask before they go by the status."""
    headers = {**error_headers(error), "x-should-retry": "true" if error.retryable else "false"}
    if error.provider:
        headers["x-parley-provider"] = error.provider
    return headers


def reply_headers(*, provider: str, tries: Tries, warnings: Sequence[ResponseWarning]) -> dict[str, str]:
    """Who answered, at which attempt, and what was left out on the way."""
    headers = {"x-parley-provider": provider, "x-parley-attempts": str(tries.count)}
    if warnings:
        told = " | ".join(f"{warning.code}: {warning.message}" for warning in warnings)
        headers["x-parley-warnings"] = _header_text(told)
    return headers


def cost_header(response: ChatResponse) -> dict[str, str]:
    """In US dollars, where it is known."""
    return {} if response.cost is None else {"x-parley-cost": f"{response.cost:.10f}".rstrip("0").rstrip(".") or "0"}


async def body_of(request: Request[Any, Any, Any]) -> bytes:
    """The body, whole. Raises ClientGoneError where it ends before its end."""
    try:
        return await request.body()
    except InternalServerException as error:  # Litestar's word for it
        raise ClientGoneError from error


async def while_present(work: Coroutine[Any, Any, _Result], receive: Receive) -> _Result:
    """What the work gives. When the client leaves first, the work is cancelled and ClientGoneError raised."""
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("a request is served in a task")
    gone = False

    def leave(watching: asyncio.Task[None]) -> None:
        nonlocal gone
        if not watching.cancelled():
            gone = True
            task.cancel()

    watching = asyncio.get_running_loop().create_task(_disconnected(receive))
    watching.add_done_callback(leave)
    try:
        return await work
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        watching.remove_done_callback(leave)
        watching.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _header_text(text: str) -> str:
    """One line of ASCII of bounded length, without a secret."""
    line = " ".join(scrub(text).split())
    return line.encode("ascii", "replace").decode()[:MAX_WARNINGS_CHARACTERS]
