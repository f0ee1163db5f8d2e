"""Waiting for somebody else's task: no longer than it may take, and never for one that ignores its cancellation. Knows no replies."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from parley.contract.errors import ProviderTimeoutError
from parley.guard.clock import Clock
from parley.guard.conduct import Conduct
from parley.guard.faults import adopt, blame

CANCELLATION_SECONDS = 0.1
"""So long a cancelled provider has to stop."""

_Result = TypeVar("_Result")


async def ended_within(task: asyncio.Future[Any], seconds: float, *, clock: Clock) -> bool:
    """Whether it came to its end, of whatever kind, in that time. Does not cancel it."""
    over = asyncio.get_running_loop().create_future()

    def settle(_task: asyncio.Future[Any] | None = None) -> None:
        if not over.done():
            over.set_result(None)

    task.add_done_callback(settle)
    alarm = clock.call_later(seconds, settle)
    try:
        await over
    finally:
        alarm.cancel()
        task.remove_done_callback(settle)
    return task.done()


async def stop(task: asyncio.Task[Any], *, clock: Clock, conduct: Conduct) -> None:
    """Cancel it, unless that was done, and wait at most 100 ms; one that goes on after that is an orphan. Our own cancellation passes."""
    if not task.cancelling():
        task.cancel()
    try:
        await ended_within(task, CANCELLATION_SECONDS, clock=clock)
    finally:
        if not task.done():
            conduct.orphaned(task)


async def supervise(work: Coroutine[Any, Any, _Result], seconds: float, *, clock: Clock, conduct: Conduct) -> _Result:
    """One method of a provider: within its time, stopped when we are cancelled, and nothing foreign raised."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        if not await ended_within(task, seconds, clock=clock):
            problem = f"{conduct.provider} did not finish within {seconds:g} seconds"
            raise ProviderTimeoutError(problem, provider=conduct.provider, phase="complete")
    finally:
        if not task.done():
            await stop(task, clock=clock, conduct=conduct)
    error = asyncio.CancelledError("it cancelled its own call") if task.cancelled() else task.exception()
    if error is not None:
        blame(error, conduct)
        raise adopt(error, provider=conduct.provider, model="")
    return task.result()
