"""One answer while it is being made: read from the provider, shown to whoever looks, stored behind them. Knows no request and no route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Literal, TypeAlias

from msgspec import json, structs

from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.events import Event, ResponseFinished
from parley.contract.response import ChatResponse
from parley.services.endings import Ending, cut_ending, failed_ending, finished_ending
from parley.services.events import Frame, LoggedEvent, SnapshotEvent, text_of
from parley.services.folding import MessageFold
from parley.services.translation import Numbered, Translation
from parley.storage.errors import AlreadyExistsError, StorageUnavailableError
from parley.storage.generations import GenerationRecord, Generations, LoggedEvents
from parley.storage.ids import now_ms
from parley.storage.messages import MessageRecord
from parley.telemetry import get_logger

KEPT_EVENTS = 4096
"""So many stored events stay in memory; a reader that is further behind gets a snapshot instead."""
MAX_UNSTORED_EVENTS = 100_000
"""So many events wait in memory for a database that is away; then the answer ends."""
STORAGE_PATIENCE_SECONDS = 30.0
RETRY_SECONDS = 1.0

OnDisconnect: TypeAlias = Literal["continue", "cancel"]
Stop: TypeAlias = Literal["cancelled", "interrupted"]
Batches: TypeAlias = AsyncGenerator[list[Event], None]

_encoder = json.Encoder()
_logger = get_logger(__name__)


class Answer:
    """Readers take from one list, each at its own pace: none of them slows the provider, another reader, or the log.

    `message` is the answer as it is stored last; `over` is done when that is stored and the last event can be read.
    """

    def __init__(
        self,
        generation: GenerationRecord,
        message: MessageRecord,
        *,
        question: MessageRecord,
        on_disconnect: OnDisconnect,
        log: Generations,
    ) -> None:
        self.generation = generation
        self.message = message
        self.question = question
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.error: ParleyError | None = None
        self._on_disconnect = on_disconnect
        self._log = log
        self._fold = MessageFold()
        self._translation = Translation()
        self._events: list[LoggedEvent] = []
        self._dropped = 0
        self._taken = 0
        self._stored = 0
        self._storing = False
        self._unstored_since: float | None = None
        self._readers = 0
        self._waiters: list[asyncio.Future[None]] = []
        self._stop: Stop | None = None
        self._reading: asyncio.Task[Any] | None = None

    @property
    def last_seq(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._dropped + len(self._events)

    async def make(self, batches: Batches, *, before_end: Callable[[], object]) -> None:
        """Read the answer to its end, store it, and only then say that it is over.

        `before_end` is called when it is stored: whoever reads the last event may ask the next question at once.
        """
        ending = await self._read(batches)
        record = structs.replace(
            self.message,
            content=ending.content,
            provider=ending.provider or self.message.provider,
            model=ending.model or self.message.model,
            finish_reason=ending.finish_reason,
            details=ending.details,
            cost=ending.cost,
        )
        self.error = ending.error
        stored = await self._store(record, ending)
        self.message = record
        if not stored and self.error is None:
            self.error = StorageUnavailableError("the answer is whole, but it could not be stored; copy what you need")
        before_end()
        self._conclude(ending)

    def abandon(self, error: ParleyError | None = None) -> None:
        """End it for its readers where it could not begin, or making it broke off; a row of it is left for `recover`."""
        if not self.over.done():
            self.error = error
            self._conclude(cut_ending("interrupted", self._fold, None))

    def _conclude(self, ending: Ending) -> None:
        event = ending.event(self.message, self.last_seq + 1, self.error)
        self._events.append(event)
        self._stored = self.last_seq
        self.over.set_result(None)
        self._wake()

    def stop(self, reason: Stop) -> None:
        """End it here; what came so far is kept. Nothing happens where it has ended or is being stored."""
        if self._stop is None:
            self._stop = reason
            if self._reading is not None:
                self._reading.cancel()

    async def wait(self) -> MessageRecord:
        """The stored answer. Raises what went wrong. A caller that gives up waiting has left, as a reader does."""
        self._readers += 1
        try:
            await asyncio.shield(self.over)
        finally:
            self._leave()
        if self.error is not None:
            raise self.error
        return self.message

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Everything from the first event on."""
        async with aclosing(self._frames(0)) as frames:
            async for frame in frames:
                yield frame

    async def resumed(self) -> AsyncGenerator[Frame, None]:
        """What there is, as a snapshot, then everything that follows."""
        snapshot = self._snapshot()
        yield Frame(snapshot, self._acknowledged(snapshot.seq))
        async with aclosing(self._frames(snapshot.seq)) as frames:
            async for frame in frames:
                yield frame

    async def _frames(self, position: int) -> AsyncGenerator[Frame, None]:
        acknowledged = position if position <= self._stored else 0
        self._readers += 1
        try:
            while True:
                while position < self.last_seq:
                    if position < self._dropped:
                        snapshot = self._snapshot()
                        position = snapshot.seq
                        yield Frame(snapshot)
                        continue
                    event = self._events[position - self._dropped]
                    position += 1
                    if position == self.last_seq and self.over.done():
                        yield Frame(event, position)
                        return
                    yield Frame(event, more=position < self.last_seq)
                if self.over.done():
                    return
                if min(position, self._stored) > acknowledged:
                    acknowledged = min(position, self._stored)
                    yield Frame(None, acknowledged)
                else:
                    await self._news()
        finally:
            self._leave()

    async def _read(self, batches: Batches) -> Ending:
        started_at = now_ms()
        if self._stop is not None:
            return cut_ending(self._stop, self._fold, started_at)
        self._reading = asyncio.current_task()
        try:
            reply = await self._take_all(batches)
        except ParleyError as error:
            return failed_ending(error, self._fold, started_at)
        except asyncio.CancelledError:
            if self._stop is None or self._reading is None:
                raise
            self._reading.uncancel()
            return cut_ending(self._stop, self._fold, started_at)
        except Exception as fault:  # noqa: BLE001 - a fault of ours: else the session would stay closed until a restart
            _logger.warning("an answer broke off by a fault of the server", message_id=self.message.id, error=repr(fault))
            return failed_ending(ParleyError("the server failed while it made this answer; try again"), self._fold, started_at)
        finally:
            self._reading = None
        return finished_ending(reply, started_at)

    async def _take_all(self, batches: Batches) -> ChatResponse:
        async with aclosing(batches) as stream:
            async for batch in stream:
                for event in batch:
                    if isinstance(event, ResponseFinished):
                        for numbered in self._translation.unfinished_calls(event.response):
                            self._emit(numbered)
                        return event.response
                    numbered = self._translation.translate(event)
                    if numbered is not None:
                        self._emit(numbered)
        raise ProtocolError("the stream ended without its end")

    def _emit(self, numbered: Numbered) -> None:
        event = numbered(self.message.id, self.last_seq + 1)
        self._fold.add(event)
        self._events.append(event)
        if not self._storing:
            self._write_log()
        elif self.last_seq - self._stored > MAX_UNSTORED_EVENTS:
            self.stop("interrupted")
        self._wake()

    def _snapshot(self) -> SnapshotEvent:
        parts = self._fold.parts()
        seq = self.last_seq - 1 if self.over.done() else self.last_seq
        return SnapshotEvent(message_id=self.message.id, text=text_of(parts), parts=parts, seq=seq)

    def _acknowledged(self, seq: int) -> int | None:
        return seq if 0 < seq <= self._stored else None

    def _leave(self) -> None:
        self._readers -= 1
        self.stop_if_forsaken()

    def stop_if_forsaken(self) -> None:
        """Nobody reads it: end it, where that was asked for."""
        if self._on_disconnect == "cancel" and not self._readers and not self.over.done():
            self.stop("cancelled")

    async def _news(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        if self._waiters:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    def _write_log(self) -> None:
        self._storing = True
        self._log.log(self._take_stretch).add_done_callback(self._logged)

    def _take_stretch(self) -> LoggedEvents | None:
        """What is not stored yet. Nothing once the answer has ended: then the message itself is being stored."""
        if self._reading is None or self._stored == self.last_seq:
            return None
        self._taken = self.last_seq
        events = _encoder.encode(self._events[self._stored - self._dropped :])
        return LoggedEvents(self.message.id, self._stored + 1, self._taken, events)

    def _logged(self, done: asyncio.Future[None]) -> None:
        self._storing = False
        error = done.exception()
        if self._reading is None:
            return
        if error is None:
            self._unstored_since = None
            self._stored = max(self._stored, self._taken)
            self._drop_old()
            self._wake()
            if self._stored < self.last_seq:
                self._write_log()
        elif isinstance(error, AlreadyExistsError) or self._out_of_patience():
            _logger.warning("an answer is ended: its events cannot be stored", message_id=self.message.id, error=error)
            self.stop("interrupted")
        else:
            self._storing = True
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._write_log)

    def _out_of_patience(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._unstored_since is None:
            self._unstored_since = now
        return now - self._unstored_since > STORAGE_PATIENCE_SECONDS

    def _drop_old(self) -> None:
        surplus = min(self._stored, self.last_seq - KEPT_EVENTS) - self._dropped
        if surplus >= KEPT_EVENTS:
            del self._events[:surplus]
            self._dropped += surplus

    async def _store(self, record: MessageRecord, ending: Ending) -> bool:
        """Whether the answer is stored. While the database is away it is tried again, for a while."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STORAGE_PATIENCE_SECONDS
        while True:
            try:
                await self._log.end(record, state=ending.state, last_seq=self.last_seq + 1, at=now_ms())
            except StorageUnavailableError:
                if loop.time() > deadline:
                    return False
                await asyncio.sleep(RETRY_SECONDS)
            except ParleyError as error:
                _logger.warning("an answer cannot be stored", message_id=record.id, error=error)
                return False
            else:
                return True
