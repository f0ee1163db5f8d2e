"""Author's code that blocks, run where it blocks nobody, and what it says handed to the event loop. Knows nothing of replies."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

MAX_WAITING = 256


class AbandonedError(Exception):
    """Raised inside the author's thread at its next token: nobody waits for the answer any more."""


class Handover:
    """From a thread to the loop, in order and bounded: the thread waits while what it said has not been taken."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._slots = threading.Semaphore(MAX_WAITING)
        self._lock = threading.Lock()
        self._waiting: list[Any] = []
        self._arrived = asyncio.Event()
        self._abandoned = False

    def put(self, item: Any) -> None:
        """From the thread. Raises AbandonedError when nobody listens."""
        self._slots.acquire()
        if self._abandoned:
            raise AbandonedError
        with self._lock:
            self._waiting.append(item)
            first = len(self._waiting) == 1
        if first:
            self._wake()

    def abandon(self) -> None:
        """From the loop: let the thread run into AbandonedError."""
        self._abandoned = True
        self._slots.release(MAX_WAITING)

    async def wait(self) -> None:
        """Until something is there, or the thread is done."""
        await self._arrived.wait()
        self._arrived.clear()

    def taken(self) -> list[Any]:
        """What is there; the thread may go on."""
        with self._lock:
            items, self._waiting = self._waiting, []
        if items:
            self._slots.release(len(items))
        return items

    def done(self, _future: object = None) -> None:
        """The thread is done."""
        self._arrived.set()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._arrived.set)
        except RuntimeError:
            # The loop was closed while the author's thread still ran.
            raise AbandonedError from None


def run_in_thread(function: Callable[[], Any]) -> asyncio.Future[Any]:
    """Its result, from a thread of its own: one that hangs takes no worker from others and does not keep the process alive."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        elif isinstance(error, StopIteration):
            # A future cannot hold it.
            future.set_exception(RuntimeError(f"raised StopIteration: {error}"))
        else:
            future.set_exception(error)

    def work() -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = context.run(function)
        except BaseException as raised:  # noqa: BLE001 - carried to whoever waits for the result
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            # The loop is closed: nobody waits.
            return

    threading.Thread(target=work, name="parley-provider", daemon=True).start()
    return future


async def outcome(future: asyncio.Future[Any]) -> Any:
    """The thread's result. Cancelled, it goes on waiting: a thread cannot be stopped, and whoever waits for this must see that."""
    try:
        await asyncio.wait([future])
    except asyncio.CancelledError:
        future.add_done_callback(forget)
        await asyncio.wait([future])
        raise
    return future.result()


def forget(future: asyncio.Future[Any]) -> None:
    """Nobody listens any more: an exception counts as seen."""
    if not future.cancelled():
        future.exception()
