"""The Client without asyncio: each call waits for its answer, which one event loop in a thread of its own makes. Knows no provider.

Callbacks run in that thread. Works inside a running event loop too (it blocks that loop, as any blocking call does).
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import aclosing
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar, Unpack, cast

from parley.contract.embeddings import EmbeddingOptions, Embeddings
from parley.contract.errors import InvalidRequestError
from parley.contract.events import Event
from parley.contract.options import Options
from parley.contract.response import ChatResponse, ConnectionStatus
from parley.dispatch.client import ChatFields, Client, Messages, RequestFields
from parley.registry.description import ProviderDescription

MAX_WAITING_EVENTS = 256
"""So many events wait for a slow caller before the provider has to."""
STOP_SECONDS = 5.0

Result = TypeVar("Result")


def chat(
    model: str = "",
    messages: Messages = (),
    *,
    system_prompt: str | None = None,
    options: Options | Mapping[str, Any] | None = None,
    **fields: Unpack[ChatFields],
) -> ChatResponse:
    """One whole answer; see `Client.chat`."""
    return _background.run(lambda client: client.chat(model, messages, system_prompt=system_prompt, options=options, **fields))


def stream(
    model: str = "",
    messages: Messages = (),
    *,
    system_prompt: str | None = None,
    options: Options | Mapping[str, Any] | None = None,
    **fields: Unpack[RequestFields],
) -> Iterator[Event]:
    """The answer as events; see `Client.stream`. Leaving the loop over it ends the request."""
    return _background.iterate(lambda client: client.stream(model, messages, system_prompt=system_prompt, options=options, **fields))


def embed(model: str, texts: str | Sequence[str], *, options: EmbeddingOptions | Mapping[str, Any] | None = None) -> Embeddings:
    """One vector per text, in order; see `Client.embed`."""
    return _background.run(lambda client: client.embed(model, texts, options=options))


def providers() -> list[ProviderDescription]:
    """Every provider with its state; see `Client.providers`."""

    async def described(client: Client) -> list[ProviderDescription]:
        return client.providers()

    return _background.run(described)


def test(name: str) -> ConnectionStatus:
    """Whether a provider can be reached; see `Client.test`."""
    return _background.run(lambda client: client.test(name))


def configure(path: Path | str | None = None, *, environ: Mapping[str, str] | None = None, directory: Path | str | None = None) -> None:
    """Use this configuration from the next call on; see `Client.from_config`. Ends what is still running."""
    _background.close()
    _background.open_client = lambda: Client.from_config(path, environ=environ, directory=directory)


def close() -> None:
    """Close every connection and stop the thread. The next call starts anew; at the end of the program this happens by itself."""
    _background.close()


class Background:
    """One Client on one event loop in one daemon thread, made at the first call (anew after a fork: threads do not survive it)."""

    def __init__(self, open_client: Callable[[], Client]) -> None:
        self.open_client = open_client
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Client | None = None

    def run(self, call: Callable[[Client], Coroutine[Any, Any, Result]]) -> Result:
        """What the call answers. A Ctrl-C in the waiting thread ends the call."""

        async def answer() -> Result:
            return await call(self._opened())

        loop = self._running_loop()
        future = asyncio.run_coroutine_threadsafe(answer(), loop)
        try:
            return future.result()
        finally:
            future.cancel()

    def iterate(self, call: Callable[[Client], AsyncIterator[Event]]) -> Iterator[Event]:
        """The events of a stream, as they come."""
        loop = self._running_loop()
        channel = _Channel(loop)
        future = asyncio.run_coroutine_threadsafe(channel.pump(lambda: call(self._opened())), loop)
        try:
            yield from channel
            future.result()
        finally:
            future.cancel()
            wait([future], timeout=STOP_SECONDS)

    def close(self) -> None:
        """End every call, close the client, stop the thread."""
        with self._lock:
            loop, thread, client = self._loop, self._thread, self._client
            self._loop = self._thread = self._client = None
        if loop is None or thread is None or not thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(_end(client), loop).add_done_callback(lambda _done: loop.call_soon_threadsafe(loop.stop))
        thread.join(STOP_SECONDS)

    def _opened(self) -> Client:
        if self._client is None:
            self._client = self.open_client()
        return self._client

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._thread is not None and threading.get_ident() == self._thread.ident:
                raise InvalidRequestError(
                    "parley.sync was called from one of its own callbacks, which would wait for itself; use parley.Client there"
                )
            if self._loop is None or self._thread is None or not self._thread.is_alive():
                self._client = None
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name="parley-sync", daemon=True)
                self._thread.start()
            return self._loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.close()


async def _end(client: Client | None) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if client is not None:
        await client.aclose()
    await asyncio.get_running_loop().shutdown_asyncgens()
    await asyncio.get_running_loop().shutdown_default_executor()


class _Channel:
    """Events from the loop's thread to the caller's, without a round trip for each. Ended by None."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._room = asyncio.Event()
        self._sender_waits = False

    async def pump(self, open_stream: Callable[[], AsyncIterator[Event]]) -> None:
        """In the loop: put every event in, and wait where the caller lags behind."""
        try:
            async with aclosing(cast("Any", open_stream())) as events:
                async for event in events:
                    self._events.put(event)
                    if self._events.qsize() >= MAX_WAITING_EVENTS:
                        await self._wait_for_room()
        finally:
            self._events.put(None)

    async def _wait_for_room(self) -> None:
        self._room.clear()
        self._sender_waits = True
        # Asked again: the caller may have taken all before it could see that somebody waits.
        if self._events.qsize() >= MAX_WAITING_EVENTS:
            await self._room.wait()
        self._sender_waits = False

    def __iter__(self) -> Iterator[Event]:
        while (event := self._events.get()) is not None:
            if self._sender_waits and self._events.qsize() <= MAX_WAITING_EVENTS // 2:
                self._sender_waits = False
                self._loop.call_soon_threadsafe(self._room.set)
            yield event


_background = Background(Client.from_config)
atexit.register(close)
