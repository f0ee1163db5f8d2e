"""What an exception that is none of ours says of itself: the status that somebody answered with, a timer, a lost connection, and where in
its author's file it was raised. Knows no SDK: it looks for what most of them share, a number called `status_code`, `status` or `code`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from traceback import walk_tb
from typing import Any

from parley.contract.errors import (
    ConnectError,
    ConnectionLostError,
    ParleyError,
    ProtocolError,
    ProviderError,
    ProviderTimeoutError,
    TransportError,
    error_class_for_status,
)

_OURS = Path(__file__).resolve().parents[1]
_PLACES_OF_A_STATUS = ("status_code", "status", "code")
_NOT_THERE = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH}
_SAY_NOTHING_THEMSELVES = {Exception, RuntimeError}
_LONGEST_CHAIN = 8
# aiohttp gives what its parser complains of the status 400, though nobody answered with it.
_OF_A_PARSER = "HttpProcessingError"
_OF_A_BODY = ("TransferEncodingError", "ContentLengthError")


def typed(error: BaseException, message: str) -> ParleyError:
    """The error of the contract that it stands for: by a status, a timer or a connection in it or in what caused it, or by one of ours
    behind it; else ProtocolError.

    A status decides whether another try may help, as it would for a wire of ours.
    """
    complaint = next((name for each in _behind(error) for name in [_complaint_of(each)] if name), "")
    if complaint:
        return (ConnectionLostError if complaint in _OF_A_BODY else ProtocolError)(message)
    for each in _behind(error):
        if isinstance(each, ProviderError | TransportError):
            return type(each)(message, status=each.status, provider_code=each.provider_code, retry_after=each.retry_after)
        if (status := _status_of(each)) is not None:
            return error_class_for_status(status)(message, status=status, retry_after=_retry_after(each))
        if isinstance(each, TimeoutError):
            return ProviderTimeoutError(message)
        if isinstance(each, OSError) and each.errno in _NOT_THERE:
            return ConnectError(message)
        if isinstance(each, ConnectionError):
            return ConnectionLostError(message)
    return ProtocolError(message)


def place_of(error: BaseException) -> str:
    """Where in its author's file it was raised, as "acme.py, line 12"; empty where no file but ours had a part in it."""
    frames = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(error.__traceback__)]
    outside = [(path, line) for path, line in frames if not path.is_relative_to(_OURS)]
    # What their file calls in turn (a library) is not theirs to mend.
    own = [line for path, line in outside if path == outside[0][0]]
    return f"{outside[0][0].name}, line {own[-1]}" if own else ""


def _behind(error: BaseException) -> Iterator[BaseException]:
    """It and its causes. What was merely being handled counts only for a bare exception, which was raised to tell of it."""
    each: BaseException | None = error
    for _ in range(_LONGEST_CHAIN):
        if not isinstance(each, Exception):
            return
        yield each
        handled = each.__context__ if type(each) in _SAY_NOTHING_THEMSELVES and not each.__suppress_context__ else None
        each = each.__cause__ or handled


def _complaint_of(error: BaseException) -> str:
    """The name of what a parser of HTTP complains of; empty for any other exception."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    return kinds[0] if _OF_A_PARSER in kinds else ""


def _status_of(error: BaseException) -> int | None:
    for holder in (error, _attribute(error, "response")):
        for name in _PLACES_OF_A_STATUS:
            value = _attribute(holder, name)
            if isinstance(value, int) and 400 <= value <= 599:
                return int(value)
    return None


def _retry_after(error: BaseException) -> float | None:
    """The seconds in a `retry-after` header that it kept; a date is not read."""
    for holder in (error, _attribute(error, "response")):
        headers = _attribute(holder, "headers")
        for name in ("retry-after", "Retry-After"):
            try:
                return float(headers[name])
            except (KeyError, TypeError, ValueError):
                continue
    return None


def _attribute(holder: Any, name: str) -> Any:
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001 - a property of somebody's exception
        return None
