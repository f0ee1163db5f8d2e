"""Sends a stream of server-sent events and keeps its line open. Ends when the reader goes; what is read goes on without. Knows no event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from litestar import Response
from litestar.types import Receive, Scope, Send

from parley.server.metrics import Metrics
from parley.services.errors import StorageUnavailableError, UnauthenticatedError

HEARTBEAT_SECONDS: Final = 15.0
RECHECK_SECONDS: Final = 3.0
"""How often a reader is asked whether the sign-in still counts: a stream must not outlive it by more than seconds."""
_HEADERS: Final[dict[str, str]] = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    # nginx would hold the tokens back until its buffer is full.
    "x-accel-buffering": "no",
}


class Heartbeat(NamedTuple):
    """What is sent where nothing else was for so long."""

    frame: bytes
    seconds: float = HEARTBEAT_SECONDS


class EventStream(Response[Any]):
    """A reply of frames. The heartbeat is sent after 15 s in which nothing else was: proxies close a line that is silent."""

    def __init__(
        self, frames: AsyncGenerator[bytes], *, heartbeat: Heartbeat, metrics: Metrics, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content=None, media_type="text/event-stream", headers={**_HEADERS, **(headers or {})})
        self._frames = frames
        self._heartbeat = heartbeat
        self._metrics = metrics
        self._last_sent = 0.0
        self._denied = False
        self.confirm: Callable[[], Awaitable[None]] | None = None

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Litestar asks for an ASGI application; this is one."""
        return self._serve

    async def _serve(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self._metrics.stream_opened()
        sending = asyncio.create_task(self._send(send))
        watching = asyncio.create_task(self._watch(receive, send))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, watching):
                task.cancel()
            outcomes = await asyncio.gather(sending, watching, return_exceptions=True)
            self._metrics.stream_closed()
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome
        if self._denied:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        self._last_sent = loop.time()
        async with aclosing(self._frames) as frames:
            headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in self.headers.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for frame in frames:
                self._last_sent = loop.time()
                await send({"type": "http.response.body", "body": frame, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, receive: Receive, send: Send) -> None:
        """Until the reader has gone or may read no longer; says now and then that we are still there."""
        loop = asyncio.get_running_loop()
        recheck_at = loop.time() + RECHECK_SECONDS
        while True:
            due = max(self._last_sent, loop.time() - self._heartbeat.seconds) + self._heartbeat.seconds
            try:
                async with asyncio.timeout_at(min(due, recheck_at)):
                    message = await receive()
            except TimeoutError:
                if loop.time() >= recheck_at:
                    recheck_at = loop.time() + RECHECK_SECONDS
                    self._denied = await self._is_denied()
                    if self._denied:
                        return
                if loop.time() >= self._last_sent + self._heartbeat.seconds:
                    self._last_sent = loop.time()
                    await send({"type": "http.response.body", "body": self._heartbeat.frame, "more_body": True})
                continue
            if message["type"] == "http.disconnect":
                return

    async def _is_denied(self) -> bool:
        if self.confirm is None:
            return False
        try:
            await self.confirm()
        except UnauthenticatedError:
            return True
        except StorageUnavailableError:
            return False  # nobody can say; an answer is not cut for that
        return False
