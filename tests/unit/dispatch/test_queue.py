"""The queue's own corners: what a test of limits cannot time."""

from __future__ import annotations

import asyncio

import pytest

from parley.bus.counters import Quota, Receipt, Refusal
from parley.contract.response import RateLimits
from parley.dispatch.queue import Queue, Ticket
from parley.dispatch.vendor_view import VendorView

from ..guard.conftest import ManualClock

SLOT = Quota("provider:acme:concurrency", "slots", 1)


async def test_who_leaves_in_the_moment_in_which_it_is_let_in_gives_back_what_it_got() -> None:
    given_back: list[Receipt] = []
    waiting: list[asyncio.Task[object]] = []
    full = True

    async def attempt(ticket: Ticket) -> Receipt | Refusal:
        if full:
            return Refusal(SLOT, None, may_free_sooner=True)
        asyncio.get_running_loop().call_soon(waiting[0].cancel)  # runs after the place is given, before anybody hears of it
        return Receipt([SLOT], 0, 0.0)

    clock = ManualClock()
    queue: Queue[Ticket] = Queue(attempt, given_back.append, clock=clock, size=5, timeout_seconds=60)
    waiting.append(asyncio.create_task(queue.enter(Ticket([SLOT], frozenset([SLOT.key])))))
    await clock.settle()
    assert len(queue) == 1
    full = False
    queue.poke()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    assert len(given_back) == 1
    assert len(queue) == 0


def test_requests_on_their_way_are_taken_off_what_a_vendor_says_is_left() -> None:
    view = VendorView("acme")
    for _ in range(3):
        view.sent(100)
    view.answered(100)
    view.learn(RateLimits(limit_requests=10, remaining_requests=2, reset_requests_seconds=60), now=0)
    refusal = view.refusal(0)  # two are left, and two are on their way
    assert refusal is not None
    assert refusal.wait_seconds == pytest.approx(6)
    assert view.refusal(7) is None
