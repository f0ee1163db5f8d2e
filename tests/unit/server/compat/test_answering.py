from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.contract.errors import (
    AuthenticationError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    RateLimitError,
    UnknownModelError,
    UnsupportedFeatureError,
)
from parley.contract.response import ChatResponse, ResponseWarning
from parley.dispatch.trail import Trail
from parley.server.compat.answering import (
    ClientGoneError,
    cost_header,
    reply_headers,
    vendor_error_headers,
    vendor_status,
    while_present,
)
from parley.server.errors import MethodNotAllowedError


class Connection:
    """A client's side, as ASGI has it."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.watched = asyncio.Event()

    async def receive(self) -> Any:
        self.watched.set()
        await self.left.wait()
        return {"type": "http.disconnect"}


async def forever(started: asyncio.Event, ended: asyncio.Event) -> None:
    started.set()
    try:
        await asyncio.Event().wait()
    finally:
        ended.set()


async def test_work_is_cancelled_when_the_client_leaves() -> None:
    connection, started, ended = Connection(), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(while_present(forever(started, ended), connection.receive))
    await started.wait()
    connection.left.set()
    with pytest.raises(ClientGoneError):
        await asyncio.wait_for(serving, 5)
    assert ended.is_set()


async def test_a_cancellation_from_outside_stays_one() -> None:
    connection, started, ended = Connection(), asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(while_present(forever(started, ended), connection.receive))
    await started.wait()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert ended.is_set()


async def test_a_client_that_leaves_after_the_work_disturbs_nobody() -> None:
    connection, before = Connection(), asyncio.all_tasks()

    async def work() -> int:
        await connection.watched.wait()
        return 7

    assert await while_present(work(), connection.receive) == 7
    connection.left.set()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise OverloadedError("busy")

    with pytest.raises(OverloadedError):
        await while_present(work(), Connection().receive)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnsupportedFeatureError("x"), 400),
        (ContextLengthError("x"), 400),
        (UnknownModelError("x"), 404),
        (ModelNotFoundError("x"), 404),
        (AuthenticationError("the vendor's key"), 502),
        (RateLimitError("x"), 429),
        (OverloadedError("x"), 503),
        (MethodNotAllowedError("x"), 405),
    ],
)
def test_statuses_are_those_that_vendors_clients_expect(error: ParleyError, status: int) -> None:
    assert vendor_status(error) == status


def test_clients_are_told_whether_to_try_again_and_when() -> None:
    headers = vendor_error_headers(RateLimitError("x", retry_after=2.5, provider="acme"))
    assert headers["Retry-After"] == "3"
    assert headers["x-should-retry"] == "true"
    assert headers["x-parley-provider"] == "acme"
    assert vendor_error_headers(AuthenticationError("x"))["x-should-retry"] == "false"


def test_warnings_are_one_short_line_of_ascii_without_secrets() -> None:
    trail = Trail("acme", "m1")
    trail.again(OverloadedError("busy"))
    hostile = ResponseWarning(code="field_dropped", message="grün\r\nset-cookie: a=b; Bearer sk-verysecretkey123456 " + "x" * 5000)
    headers = reply_headers(trail, warnings=[hostile, hostile])
    assert headers["x-parley-attempts"] == "2"
    told = headers["x-parley-warnings"]
    assert told.startswith("field_dropped: gr?n set-cookie")
    assert told.isascii()
    assert "\n" not in told
    assert "verysecret" not in told
    assert len(told) <= 2000
    assert "x-parley-warnings" not in reply_headers(trail, warnings=[])


@pytest.mark.parametrize(("cost", "shown"), [(None, None), (0.0, "0"), (0.25, "0.25"), (1.0, "1"), (0.0000012, "0.0000012")])
def test_a_cost_is_shown_where_it_is_known(cost: float | None, shown: str | None) -> None:
    assert cost_header(ChatResponse(cost=cost)).get("x-parley-cost") == shown
