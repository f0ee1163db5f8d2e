"""An answer that another replica makes, read here: from the bus while that speaks, from the stored log when it does not.

What is missing is waited for or replaced by a snapshot, never skipped. Knows no provider and no task that makes an answer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from msgspec import DecodeError, ValidationError, msgpack

from parley.bus.protocol import Bus
from parley.services.endings import last_event, raised_error
from parley.services.errors import NotFoundError, StorageUnavailableError
from parley.services.events import DoneEvent, ErrorEvent, Frame, SnapshotEvent, shown_parts, text_of
from parley.services.folding import fold_log, read_log
from parley.services.relays import FRAMES, LEASE_SECONDS, LEAVE, WATCH, Frames, Watch
from parley.storage.generations import GenerationRecord
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.messages import MessageRecord, Messages

FIRST_ANSWER_SECONDS: Final = 0.3
SILENT_SECONDS: Final = 2.0
"""So long nothing comes over the bus before the database is asked whether the answer is still being made."""
POLL_SECONDS: Final = 0.5
PATIENCE_SECONDS: Final = 60.0
"""A reader whom neither bus nor database tells anything for so long is told that."""
MAX_WAITING_FRAMES: Final = 20_000

_encode = msgpack.Encoder().encode
_frames = msgpack.Decoder(Frames)


class Watches:
    """Where the frames that other replicas send find their reader."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self._open: dict[str, _Watch] = {}
        self._goodbyes: set[asyncio.Task[bool]] = set()
        bus.on(FRAMES, self._deliver)

    def open(self, message_id: str) -> _Watch:
        """Begin to read an answer; `close` it."""
        watch = _Watch(self, message_id)
        self._open[watch.watch_id] = watch
        return watch

    def renamed(self, watch: _Watch, watch_id: str) -> None:
        """Let what still comes under the old name find nobody."""
        self.closed(watch)
        self._open[watch_id] = watch

    def closed(self, watch: _Watch) -> None:
        """Nobody reads it any more: say so, for an answer may be one that ends when its last reader goes."""
        self._open.pop(watch.watch_id, None)
        goodbye = asyncio.get_running_loop().create_task(self.bus.publish(LEAVE, watch.watch_id.encode()))
        self._goodbyes.add(goodbye)
        goodbye.add_done_callback(self._goodbyes.discard)

    def _deliver(self, _sender: str, data: bytes) -> None:
        try:
            sent = _frames.decode(data)
        except (DecodeError, ValidationError):  # another version's, in the middle of an upgrade: the log has it all
            return
        if (watch := self._open.get(sent.watch_id)) is not None:
            watch.take(sent.frames)


class _Watch:
    """The line to whoever makes one answer. `live` says that it has been heard since it was last asked for a snapshot."""

    def __init__(self, watches: Watches, message_id: str) -> None:
        self.watch_id = secrets.token_hex(8)
        self._watches = watches
        self._message_id = message_id
        self._waiting: list[Frame] = []
        self._news = asyncio.Event()
        self._asked_at = float("-inf")
        self._heard = False
        self._poll_seconds = FIRST_ANSWER_SECONDS

    @property
    def live(self) -> bool:
        return self._heard and self._watches.bus.connected

    def take(self, frames: list[Frame]) -> None:
        """What was sent. A reader that does not take it begins anew: what waits has bounds."""
        self._heard = True
        if len(self._waiting) + len(frames) > MAX_WAITING_FRAMES:
            self._waiting = []
            self._begin_anew()
        else:
            self._waiting += frames
        if frames:  # without any it is a sign of life
            self._news.set()

    async def ask(self, *, anew: bool = False) -> None:
        """Ask for the answer, `anew` from another snapshot; where it is being sent, say now and then that we are still here."""
        if anew:
            self._begin_anew()
        now = asyncio.get_running_loop().time()
        if now - self._asked_at >= LEASE_SECONDS / 3 or not self._heard:
            self._asked_at = now
            await self._watches.bus.publish(WATCH, _encode(Watch(self.watch_id, self._message_id)))

    async def next(self) -> list[Frame]:
        """What came, or nothing after a while."""
        live = self.live
        seconds = SILENT_SECONDS if live else self._poll_seconds
        self._poll_seconds = POLL_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            if live:
                self._heard = False  # until it gives a sign of life, which it is asked for
            return []
        self._news.clear()
        frames, self._waiting = self._waiting, []
        return frames

    def close(self) -> None:
        self._watches.closed(self)

    def _begin_anew(self) -> None:
        watch_id = secrets.token_hex(8)
        self._watches.renamed(self, watch_id)
        self.watch_id = watch_id
        self._waiting = []
        self._heard = False
        self._asked_at = float("-inf")


class Followed:
    """Reads one answer to its end. It may change its source in the middle; `_position` is the last event that its reader has."""

    def __init__(self, record: GenerationRecord, *, stored: StoredGenerations, messages: Messages, watches: Watches) -> None:
        self._record = record
        self._stored = stored
        self._messages = messages
        self._watches = watches
        self._position = 0
        self._acknowledged = 0
        self._begun = False
        self._over = False

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """A snapshot, then everything that follows, to the last event."""
        watch = self._watches.open(self._record.message_id)
        loop = asyncio.get_running_loop()
        told_at = loop.time()
        try:
            while not self._over:
                await watch.ask()
                came = await watch.next()
                frames, whole = self._fitting(came)
                if not whole:
                    await watch.ask(anew=True)
                elif not came:
                    frames = await self._asked_storage(watch, told_at)
                for frame in map(self._told_once, frames):
                    told_at = loop.time()
                    if frame is not None:
                        yield frame
        finally:
            watch.close()

    def _told_once(self, frame: Frame) -> Frame | None:
        """The frame without an acknowledgement that the reader has had from the other source."""
        if frame.acknowledged_seq is None or frame.acknowledged_seq > self._acknowledged:
            self._acknowledged = frame.acknowledged_seq or self._acknowledged
            return frame
        return None if frame.event is None else Frame(frame.event)

    async def wait(self) -> MessageRecord:
        """The answer, stored. Raises what went wrong while it was made."""
        async with aclosing(self.frames()) as frames:
            async for _ in frames:
                pass
        message = await self._messages.get(self._record.user_id, self._record.message_id)
        if message.details.error is not None:
            raise raised_error(message.details.error)
        return message

    async def _asked_storage(self, watch: _Watch, told_at: float) -> list[Frame]:
        try:
            return await self._look(log=not watch.live)
        except StorageUnavailableError:
            if not watch.live and asyncio.get_running_loop().time() - told_at > PATIENCE_SECONDS:
                raise
            return []

    def _fitting(self, frames: list[Frame]) -> tuple[list[Frame], bool]:
        """Those that follow what the reader has, up to a gap; and whether there is none."""
        fitting: list[Frame] = []
        for frame in frames:
            event = frame.event
            if event is None:
                if self._begun and (frame.acknowledged_seq or 0) <= self._position:
                    fitting.append(frame)
            elif isinstance(event, SnapshotEvent):
                if not self._begun or event.seq > self._position:
                    fitting.append(frame)
                    self._moved(event.seq)
            elif (seq := getattr(event, "seq", 0)) > self._position:
                if not self._begun or seq != self._position + 1:
                    return fitting, False
                fitting.append(frame)
                self._moved(seq)
                self._over = isinstance(event, (DoneEvent, ErrorEvent))
        return fitting, True

    async def _look(self, *, log: bool) -> list[Frame]:
        """What the database has beyond what the reader has: the end, or, with `log`, stored events."""
        record = await self._stored.find(self._record.user_id, self._record.message_id)
        if record is None:
            raise NotFoundError("the session of this answer was deleted")
        if record.state != "running":
            return await self._end(record)
        return await self._logged() if log else []

    async def _end(self, record: GenerationRecord) -> list[Frame]:
        message = await self._messages.get(record.user_id, record.message_id)
        frames: list[Frame] = []
        seq = max(0, record.last_seq - 1)
        if not self._begun or seq != self._position:
            parts = shown_parts(message.parts)
            frames.append(Frame(SnapshotEvent(message_id=message.id, text=text_of(parts), parts=parts, seq=seq), seq or None))
        frames.append(Frame(last_event(message, record.last_seq), record.last_seq))
        self._over = True
        return frames

    async def _logged(self) -> list[Frame]:
        message_id = self._record.message_id
        if not self._begun:
            fold, seq = fold_log(await self._stored.events(message_id))
            parts = fold.parts()
            self._moved(seq)
            return [Frame(SnapshotEvent(message_id=message_id, text=text_of(parts), parts=parts, seq=seq), seq or None)]
        events = list(read_log(await self._stored.events(message_id, after=self._position), after=self._position))
        if not events:
            return []
        self._moved(events[-1].seq)
        return [*(Frame(event) for event in events), Frame(None, self._position)]

    def _moved(self, seq: int) -> None:
        self._begun = True
        self._position = seq
