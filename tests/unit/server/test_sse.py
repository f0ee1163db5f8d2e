from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from parley.server import sse
from parley.server.metrics import Metrics
from parley.server.sse import EventStream, Heartbeat
from parley.services.errors import StorageUnavailableError, UnauthenticatedError


class Line:
    """The two ends of an ASGI connection."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.arrived = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        self.arrived.set()

    async def until(self, count: int) -> None:
        while len(self.sent) < count:
            self.arrived.clear()
            await self.arrived.wait()

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.sent[1:]]


def serve(frames: AsyncGenerator[bytes], line: Line, *, metrics: Metrics | None = None, seconds: float = 60) -> asyncio.Task[None]:
    stream = EventStream(frames, heartbeat=Heartbeat(b"beat\n\n", seconds), metrics=metrics or Metrics())
    return asyncio.ensure_future(stream.to_asgi_response()({}, line.receive, line.send))


async def test_frames_are_sent_one_by_one_and_then_the_end() -> None:
    async def frames() -> AsyncGenerator[bytes]:
        yield b"one"
        yield b"two"

    line = Line()
    await serve(frames(), line)
    assert dict(line.sent[0]["headers"])[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert line.bodies == [b"one", b"two", b""]
    assert [message.get("more_body") for message in line.sent[1:]] == [True, True, False]


async def test_a_reader_who_goes_ends_the_reading_and_closes_the_source() -> None:
    closed = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes]:
        try:
            yield b"one"
            await asyncio.Event().wait()
        finally:
            closed.set()

    line, metrics = Line(), Metrics()
    task = serve(frames(), line, metrics=metrics)
    await line.until(2)
    assert b"parley_active_streams 1.0" in metrics.exposition()
    line.gone.set()
    await task
    assert closed.is_set()
    assert b"parley_active_streams 0.0" in metrics.exposition()


async def test_a_silent_line_is_kept_open() -> None:
    async def frames() -> AsyncGenerator[bytes]:
        yield b"one"
        await asyncio.Event().wait()

    line = Line()
    task = serve(frames(), line, seconds=0.01)
    await line.until(4)
    line.gone.set()
    await task
    assert line.bodies[:3] == [b"one", b"beat\n\n", b"beat\n\n"]


async def test_a_stream_ends_soon_after_the_sign_in_that_opened_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "RECHECK_SECONDS", 0.001)
    answers = [None, StorageUnavailableError("away"), UnauthenticatedError("signed out")]

    async def confirm() -> None:
        if (answer := answers.pop(0)) is not None:
            raise answer

    async def frames() -> AsyncGenerator[bytes]:
        yield b"one"
        await asyncio.Event().wait()

    line = Line()
    stream = EventStream(frames(), heartbeat=Heartbeat(b"", 60), metrics=Metrics())
    stream.confirm = confirm
    async with asyncio.timeout(5):
        await stream.to_asgi_response()({}, line.receive, line.send)
    assert answers == []
    assert line.bodies == [b"one", b""]
    assert line.sent[-1]["more_body"] is False


async def test_a_fault_of_ours_is_raised_for_the_log() -> None:
    async def frames() -> AsyncGenerator[bytes]:
        yield b"one"
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await serve(frames(), Line())
