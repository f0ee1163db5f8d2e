"""The caller's on_token, on_done and on_error: exactly one end, told once, before it is returned or raised. Knows no provider."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from inspect import isawaitable
from typing import Any, TypeAlias

from parley.contract.events import Event, PartAdded, ResponseFinished, Restarted, TextDelta
from parley.contract.messages import TextPart
from parley.contract.response import ChatResponse
from parley.guard.checks import invalid

Callback: TypeAlias = Callable[[Any], Any] | None
"""Plain or async; what it returns is awaited where it can be, else ignored."""


class Callbacks:
    """Raises InvalidRequestError where one of them cannot be called."""

    __slots__ = ("_on_done", "_on_error", "_on_restart", "_on_token")

    def __init__(self, on_token: Callback, on_done: Callback, on_error: Callback, *, on_restart: Callback = None) -> None:
        named = (("on_token", on_token), ("on_done", on_done), ("on_error", on_error), ("on_restart", on_restart))
        for name, callback in named:
            if callback is not None and not callable(callback):
                invalid(name, f"expected a function, got {type(callback).__name__}")
        self._on_token = on_token
        self._on_done = on_done
        self._on_error = on_error
        self._on_restart = on_restart

    async def deliver(self, batches: AsyncGenerator[list[Event], None]) -> ChatResponse:
        """Tell the tokens and the end; give the reply. A cancelled task is told nothing: its caller knows."""
        try:
            async with aclosing(batches):
                reply = await self._deliver_tokens(batches)
        except Exception as error:
            await _tell(self._on_error, error)
            raise
        await _tell(self._on_done, reply)
        return reply

    async def _deliver_tokens(self, batches: AsyncGenerator[list[Event], None]) -> ChatResponse:
        on_token = self._on_token
        reply = ChatResponse()
        async for batch in batches:
            for event in batch:
                if type(event) is TextDelta:
                    if on_token is not None and event.text:
                        told = on_token(event.text)
                        if told is not None and isawaitable(told):
                            await told
                elif type(event) is ResponseFinished:
                    reply = event.response
                else:
                    await self._deliver_other(event)
        return reply

    async def _deliver_other(self, event: Event) -> None:
        if type(event) is PartAdded and isinstance(event.part, TextPart) and event.part.text:
            await _tell(self._on_token, event.part.text)
        elif type(event) is Restarted:
            await _tell(self._on_restart, event)


async def _tell(callback: Callback, value: object) -> None:
    if callback is not None:
        told = callback(value)
        if told is not None and isawaitable(told):
            await told
