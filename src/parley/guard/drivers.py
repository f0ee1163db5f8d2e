"""The ways a provider can be asked, found by what its author wrote. Knows neither time nor callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import isawaitable
from typing import Any, TypeAlias

from parley.contract.errors import ConfigurationError, ProtocolError
from parley.contract.events import Event, ResponseFinished, TextDelta
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.guard.call import Intake, Way
from parley.guard.conduct import Conduct
from parley.guard.seed_style import SeedStyleProvider

Ask: TypeAlias = Callable[[ChatRequest], Any]


def ways_of(provider: Provider) -> tuple[Way, Way]:
    """How it is asked for a stream, and for a complete answer; each is derived from the other where only one was written.

    Besides `stream` and `generate` a provider may have `stream_batches` (lists of events, as they arrived together) and
    `complete_events` (the events of a complete answer). Raises ConfigurationError where there is nothing to ask.
    """
    streamed, complete = _streamed(provider), _complete(provider)
    first, second = streamed or complete, complete or streamed
    if first is None or second is None:
        raise ConfigurationError(
            f"{type(provider).__name__} ({provider.name}) can neither stream nor generate; write one of the two methods",
            provider=provider.name,
        )
    return first, second


def _streamed(provider: Provider) -> Way | None:
    if isinstance(provider, SeedStyleProvider):
        return Way(run=provider.stream_into, whole=False) if provider.streams else None
    method = _nearest(provider, "stream_batches", "stream")
    if method is None:
        return None
    driver = _Batches if method == "stream_batches" else _Events
    return Way(run=driver(getattr(provider, method)), whole=False)


def _complete(provider: Provider) -> Way | None:
    if isinstance(provider, SeedStyleProvider) and not provider.generates:
        return None
    method = _nearest(provider, "complete_events", "generate")
    return None if method is None else Way(run=_Complete(getattr(provider, method)), whole=True)


def _nearest(provider: Provider, *methods: str) -> str | None:
    """The method that the most derived class wrote: a quirk overridden in a provider's file beats what its base does faster."""
    for parent in type(provider).__mro__:
        if parent is Provider:
            return None
        for method in methods:
            if method in vars(parent):
                return method
    return None


class _Batches:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def __call__(self, request: ChatRequest, intake: Intake, conduct: Conduct) -> None:
        batches: AsyncIterator[list[Event]] = self._ask(request)
        try:
            async for events in batches:
                if intake.take(events):
                    await intake.room()
        finally:
            await _close(batches)


class _Events:
    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def __call__(self, request: ChatRequest, intake: Intake, conduct: Conduct) -> None:
        events = await _iterator(self._ask(request))
        plain, ended = True, False
        try:
            async for given in events:
                if type(given) is str:
                    event = TextDelta(given)
                else:
                    event = given
                    plain, ended = False, ended or type(event) is ResponseFinished
                if intake.take((event,)):
                    await intake.room()
        finally:
            await _close(events)
        if not (plain or ended):
            conduct.violated("no_end", "the stream gave events, but no ResponseFinished")


class _Complete:
    def __init__(self, ask: Callable[[ChatRequest], Awaitable[Any]]) -> None:
        self._ask = ask

    async def __call__(self, request: ChatRequest, intake: Intake, conduct: Conduct) -> None:
        intake.take(_whole(await self._ask(request)))


def _whole(reply: Any) -> Sequence[Event]:
    if isinstance(reply, list):
        return reply  # pyright: ignore[reportUnknownVariableType]
    if isinstance(reply, ChatResponse):
        return [ResponseFinished(response=reply)]
    if isinstance(reply, str):
        return [TextDelta(reply)]
    raise ProtocolError(f"generate returned a {type(reply).__name__}; it must be a ChatResponse or a string")


async def _iterator(given: Any) -> AsyncIterator[Any]:
    if isawaitable(given):
        # `async def stream` that returns an iterator instead of yielding.
        given = await given
    if not isinstance(given, AsyncIterator):
        raise ProtocolError(f"stream gave a {type(given).__name__}; it must be an async generator of events or strings")
    return given  # pyright: ignore[reportUnknownVariableType]


async def _close(iterator: object) -> None:
    close = getattr(iterator, "aclose", None)
    if close is not None:
        await close()
