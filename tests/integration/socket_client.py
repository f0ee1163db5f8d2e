"""A client of `/ws/chat`: says frames, hears events, and folds an answer as any reader does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from .server_process import ServerProcess

PATIENCE_SECONDS = 30.0


class SocketClient:
    """`heard` is everything it was told, `closed` the code that the server ended it with."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.heard: list[dict[str, Any]] = []

    @property
    def closed(self) -> int | None:
        return self._socket.close_code

    async def say(self, kind: str, **fields: Any) -> None:
        await self._socket.send_json({"type": kind, **fields})

    async def say_bytes(self, data: str) -> None:
        await self._socket.send_str(data)

    async def hear(self) -> dict[str, Any] | None:
        """The next event, or None where the server has ended it."""
        message = await self._socket.receive(timeout=PATIENCE_SECONDS)
        if message.type != aiohttp.WSMsgType.TEXT:
            return None
        self.heard.append(message.json())
        return self.heard[-1]

    async def until(self, *kinds: str, session_id: str | None = None) -> dict[str, Any]:
        """The next event of one of these kinds."""
        while (event := await self.hear()) is not None:
            if event["type"] in kinds and session_id in {None, event.get("sessionId")}:
                return event
        raise AssertionError(f"the server ended it ({self.closed}) before {kinds}: {self.heard[-3:]}")

    async def answer(self) -> list[dict[str, Any]]:
        """Every event up to the end of one answer."""
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] not in {"done", "error"}:
            event = await self.hear()
            assert event is not None, self.closed
            events.append(event)
        return events

    async def sign_in(self, token: str) -> None:
        assert (await self.until("connected"))["version"]
        await self.say("auth", token=token)
        await self.until("auth_success")


@asynccontextmanager
async def socket_of(server: ServerProcess, token: str | None = None, **headers: str) -> AsyncIterator[SocketClient]:
    """A socket, signed in where a token is given."""
    url = server.url.replace("http", "ws", 1) + "/ws/chat"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers, max_msg_size=0) as socket:
        client = SocketClient(socket)
        if token is not None:
            await client.sign_in(token)
        yield client


class Folded:
    """An answer as its reader has it: what a snapshot says replaces all, what a delta says is added."""

    def __init__(self) -> None:
        self.parts: list[dict[str, Any]] = []
        self.seq = 0
        self.ending: dict[str, Any] = {}

    def add(self, event: dict[str, Any]) -> None:
        kind = event.get("type")  # in server-sent events an acknowledgement is an id without data
        if kind == "snapshot":
            self.parts, self.seq = [dict(part) for part in event["parts"]], event["seq"]
            return
        if "seq" not in event or kind == "acknowledged":
            return
        assert event["seq"] == self.seq + 1, "no event is skipped or told twice"
        self.seq = event["seq"]
        if kind in {"token", "reasoning"}:
            self._text("text" if kind == "token" else "reasoning", event["content"])
        elif kind == "tool" and event["status"] == "called":
            self.parts.append({"type": "tool_call", **event["call"]})
        elif kind == "part":
            self.parts.append(event["part"])
        elif kind == "restart":
            self.parts = []
        elif kind in {"done", "error"}:
            self.ending = event

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.parts if part["type"] == "text")

    def _text(self, kind: str, text: str) -> None:
        if self.parts and self.parts[-1]["type"] == kind:
            self.parts[-1]["text"] += text
        else:
            self.parts.append({"type": kind, "text": text})


def folded(events: list[dict[str, Any]]) -> Folded:
    fold = Folded()
    for event in events:
        fold.add(event)
    return fold


async def soon(what: Any) -> Any:
    """The result, or a failure that says that it takes too long."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await what
