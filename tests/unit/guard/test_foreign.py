"""Exceptions of somebody's SDK: a status, a timer or a lost connection in them decides the error of the contract, and another try."""

from __future__ import annotations

import errno
from typing import Any

import aiohttp
import pytest
from aiohttp.http_exceptions import LineTooLong, TransferEncodingError

from parley.contract.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    OverloadedError,
    ParleyError,
    ProtocolError,
    ProviderTimeoutError,
    RateLimitError,
    RequestRejectedError,
)
from parley.guard.foreign import place_of
from parley.guard.guarded import guard
from parley.guard.retry import RetryPolicy

HELLO = [{"role": "user", "content": "Hello"}]


class SdkError(Exception):
    """As SDKs raise them: whatever they know stands in attributes."""

    def __init__(self, words: str = "no", **known: Any) -> None:
        super().__init__(words)
        vars(self).update(known)


class Response:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
        self.headers = {"retry-after": "7"}


class Bare:
    """The seed's class: one of its methods raises what it is given."""

    name = "bare"

    def __init__(self, *raised: BaseException) -> None:
        self.raised = list(raised)

    async def generate_response(self, messages):
        if self.raised:
            raise self.raised.pop(0)
        return {"text": "Good day"}


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def during(error: Exception, handled: BaseException) -> Exception:
    error.__context__ = handled
    return error


@pytest.mark.parametrize(
    ("raised", "error_class", "status"),
    [
        (SdkError(status=401), AuthenticationError, 401),
        (SdkError(status_code=429), RateLimitError, 429),
        (SdkError(code=503), OverloadedError, 503),
        (SdkError(response=Response(404)), RequestRejectedError, 404),
        (SdkError(status=200), ProtocolError, None),
        (SdkError(code="429"), ProtocolError, None),
        (TimeoutError("too slow"), ProviderTimeoutError, None),
        (ConnectionResetError(errno.ECONNRESET, "reset"), ConnectionLostError, None),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), ConnectError, None),
        (caused(SdkError("Connection error."), OSError(errno.ECONNREFUSED, "refused")), ConnectError, None),
        (during(Exception("Your Provider API error: no"), SdkError(status=401)), AuthenticationError, 401),
        (caused(ValueError("busy"), OverloadedError("busy", status=529)), OverloadedError, 529),
        (during(KeyError("text"), SdkError(status=401)), ProtocolError, None),
        (OSError(errno.ENOSPC, "disk full"), ProtocolError, None),
        (caused(aiohttp.ClientPayloadError("not completed"), TransferEncodingError("cut")), ConnectionLostError, None),
        (LineTooLong(b"x", 8190), ProtocolError, None),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_what_it_says_of_itself_decides(raised: BaseException, error_class: type[ParleyError], status: int | None) -> None:
    provider = guard(Bare(raised), retry=RetryPolicy(tries=1))
    with pytest.raises(ParleyError) as caught:
        await provider.generate_response(messages=HELLO)
    assert (type(caught.value), caught.value.status) == (error_class, status)
    assert caught.value.__cause__ is raised
    assert type(raised).__name__ in caught.value.message
    [violation] = provider.violations
    line = Bare.generate_response.__code__.co_firstlineno + 2
    assert violation.detail == f"{type(raised).__name__} was raised (test_foreign.py, line {line}), which is no error of the contract"


async def test_what_may_pass_is_tried_again_and_waits_as_long_as_it_was_told() -> None:
    provider = guard(Bare(SdkError(status=503)), retry=RetryPolicy(jitter=lambda: 0.0))
    assert (await provider.generate_response(messages=HELLO)).text == "Good day"
    refused = guard(Bare(SdkError(response=Response(429))), retry=RetryPolicy(tries=1))
    with pytest.raises(RateLimitError) as caught:
        await refused.generate_response(messages=HELLO)
    assert caught.value.retry_after == 7


def test_the_place_is_in_its_authors_file_not_in_a_library_that_it_calls() -> None:
    def author() -> None:
        int("no number")

    def library() -> None:
        exec(compile("def call(f):\n    f()\ncall(f)", "/elsewhere/library.py", "exec"), {"f": author})

    with pytest.raises(ValueError, match="no number") as caught:
        library()
    assert place_of(caught.value).startswith("test_foreign.py, line ")
    assert place_of(ValueError("never raised")) == ""
