from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parley.server import websocket
from parley.server.websocket import BURST, FRAMES_A_SECOND, POLICY_VIOLATION, Origins, Socket, SocketGoneError


class Line:
    """The other end: `stuck` takes nothing."""

    def __init__(self, *, stuck: bool = False) -> None:
        self.sent: list[Any] = []
        self._stuck = stuck

    async def receive(self) -> Any:
        return {"type": "websocket.receive", "text": "x"}

    async def send(self, message: Any) -> None:
        if self._stuck:
            await asyncio.Event().wait()
        self.sent.append(message)


async def test_a_reader_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "SEND_SECONDS", 0.01)
    line = Line(stuck=True)
    with pytest.raises(SocketGoneError):
        await Socket(line.receive, line.send).send(b"{}")


async def test_frames_are_counted_by_the_second() -> None:
    now = 0.0
    line = Line()
    socket = Socket(line.receive, line.send, now=lambda: now)
    for _ in range(int(BURST)):
        await socket.receive()
    now += 1.0
    for _ in range(int(FRAMES_A_SECOND)):
        await socket.receive()
    with pytest.raises(SocketGoneError):
        await socket.receive()
    assert line.sent == [{"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "too many frames"}]


@pytest.mark.parametrize(
    ("origin", "host", "local", "public"),
    [
        (None, "anything", True, True),
        ("https://chat.example.com", "anything", True, True),
        ("https://chat.example.com:443", "anything", True, True),
        ("https://app.example.com", "anything", True, True),
        ("http://chat.example.com", "elsewhere", False, False),
        ("https://chat.example.com.evil.net", "chat.example.com", False, False),
        ("http://192.168.0.7:4000", "192.168.0.7:4000", True, False),
        ("https://evil.net", "chat.example.com", False, False),
        ("null", "chat.example.com", False, False),
        ("http://[", "chat.example.com", False, False),
        ("", "", False, False),
    ],
)
def test_which_pages_may_open_one(origin: str | None, host: str, local: bool, public: bool) -> None:
    headers = [(b"host", host.encode()), *([] if origin is None else [(b"origin", origin.encode())])]
    for allowed, known in ((local, False), (public, True)):
        origins = Origins("https://chat.example.com", ["https://app.example.com"], public=known)
        assert origins.allow({"headers": headers}) is allowed
