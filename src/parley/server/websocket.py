"""A WebSocket: opened for our own pages, bounded in what it takes, given up where nobody reads it. Knows no frame's meaning."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from litestar.types import Receive, Send

from parley.server.boundary import header_of
from parley.server.policy import MEBIBYTE

MAX_FRAME_BYTES: Final = MEBIBYTE
FRAMES_A_SECOND: Final = 20.0
BURST: Final = 60.0
SEND_SECONDS: Final = 30.0
"""A reader that takes nothing for so long is gone. Until then it only delays itself: answers are read from one common list."""

GOING_AWAY: Final = 1001
POLICY_VIOLATION: Final = 1008
UNAUTHENTICATED: Final = 4401


class SocketGoneError(Exception):
    """The other side has gone, or was told to."""


class Socket:
    """One accepted connection. What several tasks send goes out whole, in the order in which they sent it."""

    def __init__(self, receive: Receive, send: Send, *, now: Callable[[], float] = time.monotonic) -> None:
        self._receive = receive
        self._send = send
        self._now = now
        self._tokens = BURST
        self._counted_at = now()
        self.last_sent = now()

    async def receive(self) -> bytes:
        """The next frame. Raises SocketGoneError where there will be none: whoever sends too many is told so and let go."""
        message: Any = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise SocketGoneError
        now = self._now()
        self._tokens = min(BURST, self._tokens + (now - self._counted_at) * FRAMES_A_SECOND) - 1
        self._counted_at = now
        if self._tokens < 0:
            await self.close(POLICY_VIOLATION, "too many frames")
            raise SocketGoneError
        text: str | None = message.get("text")
        return message.get("bytes") or b"" if text is None else text.encode("utf-8", "surrogatepass")

    async def send(self, data: bytes) -> None:
        """A frame of text. Raises SocketGoneError where nobody takes it."""
        self.last_sent = self._now()
        await self._put({"type": "websocket.send", "text": data.decode()})

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye."""
        await self._put({"type": "websocket.close", "code": code, "reason": reason})

    async def _put(self, message: Any) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._send(message)
        except (TimeoutError, OSError, RuntimeError) as error:  # gone, stuck, or closed by our other task
            raise SocketGoneError from error


async def accepted(receive: Receive, send: Send) -> Socket:
    """The connection, open."""
    await receive()
    await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
    return Socket(receive, send)


async def refused(receive: Receive, send: Send, status: int, words: str) -> None:
    """An HTTP answer in the place of a connection."""
    await receive()
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": words.encode(), "more_body": False})


class Origins:
    """Which pages may open a socket: the server's own, and those of CORS_ORIGINS. What is no browser sends no origin."""

    def __init__(self, url: str, others: Sequence[str], *, public: bool) -> None:
        self._allowed = {_origin(url), *map(_origin, others)}
        self._public = public

    def allow(self, scope: Any) -> bool:
        """Where no PUBLIC_URL is set people open the server by many names; then it is the one that the request is for."""
        origin = header_of(scope, b"origin")
        if origin is None or _origin(origin) in self._allowed - {None}:
            return True
        host = header_of(scope, b"host")
        return not self._public and bool(host) and origin.lower() in {f"http://{host}".lower(), f"https://{host}".lower()}


def _origin(url: str) -> str | None:
    """Scheme, host and port, spelled out; None for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.hostname else None
