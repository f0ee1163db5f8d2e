"""Running answers of this replica, sent to readers on others, who ask for them and go on asking. Knows the bus, and no database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from typing import Final

from msgspec import DecodeError, Struct, ValidationError, msgpack

from parley.bus.protocol import Bus
from parley.services.answers import Answer
from parley.services.events import Frame
from parley.telemetry import get_logger

WATCH: Final = "answer.watch"
LEAVE: Final = "answer.leave"
FRAMES: Final = "answer.frames"
CANCEL: Final = "answer.cancel"

LEASE_SECONDS: Final = 10.0
"""A reader that has not asked again for so long is gone, though it did not say so."""
WINDOW_SECONDS: Final = 0.01
"""The first event goes at once; what comes within this time after a message goes into the next."""
FINISH_SECONDS: Final = 3.0
MAX_PENDING: Final = 8192
MAX_RELAYS: Final = 10_000


class Watch(Struct, frozen=True, array_like=True):
    """A reader asks for an answer, from a snapshot on; the same `watch_id` again says that it is still there."""

    watch_id: str
    message_id: str


class Frames(Struct, frozen=True, array_like=True):
    """What a reader has to be told."""

    watch_id: str
    frames: list[Frame]


class Cancel(Struct, frozen=True, array_like=True):
    """Whoever makes this answer ends it."""

    message_id: str


_encode = msgpack.Encoder().encode
_watches = msgpack.Decoder(Watch)
_cancels = msgpack.Decoder(Cancel)
_logger = get_logger(__name__)


class Relays:
    """`find` gives the answer of an id where this replica makes it."""

    def __init__(self, bus: Bus, find: Callable[[str], Answer | None]) -> None:
        self._bus = bus
        self._find = find
        self._relays: dict[str, _Relay] = {}
        bus.on(WATCH, self._watch)
        bus.on(LEAVE, self._leave)
        bus.on(CANCEL, self._cancel)

    async def finish(self) -> None:
        """Every answer has ended: let their last events go out."""
        if tasks := [relay.task for relay in self._relays.values()]:
            await asyncio.wait(tasks, timeout=FINISH_SECONDS)
        for relay in list(self._relays.values()):
            relay.end()

    def _watch(self, sender: str, data: bytes) -> None:
        try:
            watch = _watches.decode(data)
        except (DecodeError, ValidationError):
            return
        if (relay := self._relays.get(watch.watch_id)) is not None:
            relay.renew()
        elif (answer := self._find(watch.message_id)) is not None and len(self._relays) < MAX_RELAYS:
            relay = _Relay(self._bus, sender, watch_id=watch.watch_id, answer=answer)
            self._relays[watch.watch_id] = relay
            relay.task.add_done_callback(lambda _: self._relays.pop(watch.watch_id, None))

    def _leave(self, _sender: str, data: bytes) -> None:
        if (relay := self._relays.get(data.decode("ascii", "replace"))) is not None:
            relay.end()

    def _cancel(self, _sender: str, data: bytes) -> None:
        try:
            cancel = _cancels.decode(data)
        except (DecodeError, ValidationError):
            return
        if (answer := self._find(cancel.message_id)) is not None:
            answer.stop("cancelled")


class _Relay:
    """One answer for one reader elsewhere. For the answer it is a reader like any other."""

    def __init__(self, bus: Bus, reader: str, *, watch_id: str, answer: Answer) -> None:
        self._bus = bus
        self._reader = reader
        self._watch_id = watch_id
        self._answer = answer
        self._pending: list[Frame] = []
        self._news = asyncio.Event()
        self._whole = False
        self._asked = False
        self._lease: asyncio.TimerHandle | None = None
        self.task = asyncio.get_running_loop().create_task(self._run())
        self.renew()

    def renew(self) -> None:
        """The reader is still there, and is told that we are."""
        self._asked = True
        self._news.set()
        if self._lease is not None:
            self._lease.cancel()
        self._lease = asyncio.get_running_loop().call_later(LEASE_SECONDS, self.end)

    def end(self) -> None:
        """The reader has gone."""
        self.task.cancel()

    async def _run(self) -> None:
        reading = asyncio.get_running_loop().create_task(self._read())
        try:
            await self._send()
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            if self._lease is not None:
                self._lease.cancel()

    async def _read(self) -> None:
        try:
            async with aclosing(self._answer.resumed()) as frames:
                async for frame in frames:
                    if len(self._pending) >= MAX_PENDING:
                        _logger.warning("a reader on another replica does not keep up; it begins anew", message_id=self._answer.message.id)
                        return
                    # What is there at once here may come in two messages there.
                    self._pending.append(Frame(frame.event, frame.acknowledged_seq) if frame.more else frame)
                    self._news.set()
        finally:
            self._whole = True
            self._news.set()

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            frames, self._pending = self._pending, []
            asked, self._asked = self._asked, False
            if (frames or asked) and not await self._bus.send(self._reader, FRAMES, _encode(Frames(self._watch_id, frames))):
                return
            if self._whole and not self._pending:
                return
            await asyncio.sleep(WINDOW_SECONDS)


def cancelling(message_id: str) -> bytes:
    """The message that ends an answer, wherever it is made."""
    return _encode(Cancel(message_id))
