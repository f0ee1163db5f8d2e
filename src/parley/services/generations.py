"""All answers that this process is making, and how to get at any other: stored, or made elsewhere. Knows no provider and no request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from msgspec import Struct, structs

from parley.bus.memory import MemoryBus
from parley.bus.protocol import Bus
from parley.contract.errors import ParleyError, QueueFullError
from parley.services.answers import Answer, Batches, Stop
from parley.services.endings import cut_ending, last_event, raised_error
from parley.services.errors import ConflictError, NotFoundError
from parley.services.events import Frame, SnapshotEvent, shown_parts, text_of
from parley.services.folding import fold_log
from parley.services.following import Followed, Watches
from parley.services.relays import CANCEL, Relays, cancelling
from parley.storage.generations import Beginning, GenerationRecord
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.ids import now_ms
from parley.storage.messages import MessageRecord, Messages
from parley.telemetry import get_logger

TIDY_SECONDS = 3600.0
CANCEL_CHECK_SECONDS = 1.0
"""While the bus is away, what others have asked to end is looked up so often."""
CANCEL_SECONDS = 10.0
"""So long whoever stops an answer of another replica waits until that is stored."""

_logger = get_logger(__name__)

OnEnd: TypeAlias = Callable[[MessageRecord, ParleyError | None], None]
"""Is told of each answer that this process has made, when it is stored, and what went wrong with it. Must not raise."""


class Heartbeat(Struct, frozen=True, kw_only=True):
    """How often a process says that its answers live, and after what silence others take them for dead."""

    seconds: float = 5.0
    dead_after_seconds: float = 30.0


class Generation:
    """One answer for one caller: being made, or stored. `resumed` begins with a snapshot instead of the first event."""

    def __init__(
        self,
        message: MessageRecord,
        question: MessageRecord | None,
        *,
        answer: Answer | Followed | None,
        resumed: bool = True,
        last_seq: int = 0,
    ) -> None:
        self.session_id = message.session_id
        self.message_id = message.id
        self.question = question
        self._message = message
        self._answer = answer
        self._resumed = resumed
        self._last_seq = last_seq

    def frames(self) -> AsyncGenerator[Frame, None]:
        """What its reader is told, to the end. Close it when the reader goes."""
        if self._answer is None:
            return self._stored_frames()
        return self._answer.resumed() if self._resumed and isinstance(self._answer, Answer) else self._answer.frames()

    async def wait(self) -> MessageRecord:
        """The answer, stored. Raises what went wrong while it was made."""
        if self._answer is not None:
            return await self._answer.wait()
        if self._message.details.error is not None:
            raise raised_error(self._message.details.error)
        return self._message

    async def _stored_frames(self) -> AsyncGenerator[Frame, None]:
        parts = shown_parts(self._message.parts)
        seq = max(0, self._last_seq - 1)
        yield Frame(SnapshotEvent(message_id=self.message_id, text=text_of(parts), parts=parts, seq=seq), seq or None)
        yield Frame(last_event(self._message, self._last_seq), self._last_seq)


class Generations:
    """At most one for each session. They end by themselves, by `stop`, or when the server goes away."""

    def __init__(
        self,
        stored: StoredGenerations,
        messages: Messages,
        *,
        shared: bool,
        bus: Bus | None = None,
        heartbeat: Heartbeat | None = None,
        on_end: OnEnd | None = None,
    ) -> None:
        self._stored = stored
        self._messages = messages
        self._shared = shared
        self._bus = bus or MemoryBus()
        self._heartbeat = heartbeat or Heartbeat()
        self._on_end = on_end
        self._live: dict[str, Answer] = {}
        self._relays = Relays(self._bus, self._made_here)
        self._watches = Watches(self._bus)
        self._clock_ahead_ms = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._keeper: asyncio.Task[None] | None = None

    def live(self, session_id: str) -> Answer | None:
        """The answer that is being made in a session."""
        return self._live.get(session_id)

    async def runs(self, session_id: str) -> bool:
        """Whether an answer is being made in a session, here or by another server."""
        return session_id in self._live or (self._shared and await self._stored.find_running(session_id) is not None)

    async def begin(self, answer: Answer, beginning: Beginning, *, batches: Batches) -> None:
        """Store the question, then let the provider be called. Raises ConflictError, QueueFullError, StorageUnavailableError."""
        session_id = answer.message.session_id
        if self._clock_ahead_ms:
            seen_at = beginning.generation.seen_at + self._clock_ahead_ms
            beginning = structs.replace(beginning, generation=structs.replace(beginning.generation, seen_at=seen_at))
        if self._draining:
            raise QueueFullError("the server is shutting down; try again in a moment", retry_after=5.0)
        if session_id in self._live:
            raise running_already()
        self._live[session_id] = answer
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.get_running_loop().create_task(self._make(answer, beginning, batches, begun=begun))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            # A caller that goes away now must not leave a stored question without its answer.
            await asyncio.shield(begun)
        except asyncio.CancelledError:
            answer.stop_if_forsaken()
            raise

    async def find(self, user_id: str, session_id: str, *, message_id: str | None = None) -> Generation:
        """The generation of an answer, else the newest of the session. Raises NotFoundError."""
        live = self._live.get(session_id)
        if live is not None and live.generation.user_id == user_id and message_id in {None, live.message.id}:
            return Generation(live.message, live.question, answer=live)
        if message_id is None:
            record = await self._stored.find_last(user_id, session_id)
        else:
            record = await self._stored.find(user_id, message_id)
        if record is None or record.session_id != session_id:
            raise NotFoundError("there is no such answer")
        return await self.stored(record)

    async def stored(self, record: GenerationRecord) -> Generation:
        """A generation of which the row is known."""
        live = self._live.get(record.session_id)
        if live is not None and live.message.id == record.message_id:
            return Generation(live.message, live.question, answer=live)
        message = await self._messages.get(record.user_id, record.message_id)
        question = None if message.parent_id is None else await self._messages.get(record.user_id, message.parent_id)
        if self._shared and record.state == "running":
            followed = Followed(record, stored=self._stored, messages=self._messages, watches=self._watches)
            return Generation(message, question, answer=followed)
        return Generation(message, question, answer=None, last_seq=record.last_seq)

    async def stop(self, session_id: str, reason: Stop = "cancelled") -> bool:
        """End what runs in a session and wait until that is stored; False where nothing runs."""
        answer = self._live.get(session_id)
        if answer is None:
            return self._shared and await self._stop_elsewhere(session_id)
        answer.stop(reason)
        await asyncio.shield(answer.over)
        return True

    async def recover(self) -> int:
        """Mark what died with an earlier process as interrupted, its text kept; how many those were. Then keep watch."""
        recovered = await self._reap(await self._dead_before() if self._shared else now_ms() + 1)
        self._keeper = asyncio.get_running_loop().create_task(self._keep_watch())
        return recovered

    async def drain(self, seconds: float) -> None:
        """Begin nothing more, let what runs finish for so long, then end the rest as interrupted."""
        self._draining = True
        if self._keeper is not None:
            self._keeper.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for answer in list(self._live.values()):
            answer.stop("interrupted")
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._relays.finish()

    async def _make(self, answer: Answer, beginning: Beginning, batches: Batches, *, begun: asyncio.Future[None]) -> None:
        try:
            await self._stored.begin(beginning)
        except ParleyError as error:
            del self._live[answer.message.session_id]
            answer.abandon(error)
            begun.set_exception(error)
            return
        begun.set_result(None)
        try:
            await answer.make(batches, before_end=lambda: self._live.pop(answer.message.session_id))
            if self._on_end is not None:
                self._on_end(answer.message, answer.error)
        finally:
            self._live.pop(answer.message.session_id, None)
            answer.abandon()

    def _made_here(self, message_id: str) -> Answer | None:
        return next((answer for answer in self._live.values() if answer.message.id == message_id), None)

    async def _stop_elsewhere(self, session_id: str) -> bool:
        """Tell whoever makes it, over the bus and by a note in the database, and wait until it has ended there."""
        record = await self._stored.find_running(session_id)
        if record is None:
            return False
        await self._bus.publish(CANCEL, cancelling(record.message_id))
        await self._stored.ask_to_cancel(record.message_id, at=now_ms())
        pause, waited = 0.02, 0.0
        while waited < CANCEL_SECONDS:
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(pause * 2, 0.5)
            now = await self._stored.find(record.user_id, record.message_id)
            if now is None or now.state != "running":
                return True
        _logger.warning("an answer of another replica has not ended yet; it is noted that it must", message_id=record.message_id)
        return True

    async def _keep_watch(self) -> None:
        """Say that ours live, end those of processes that have gone silent and those that others have stopped, forget old logs."""
        tidy_at, beat_at = 0.0, 0.0
        while True:
            try:
                if self._shared:
                    await self._end_cancelled()
                    if time.monotonic() >= beat_at:
                        beat_at = time.monotonic() + self._heartbeat.seconds
                        await self._beat()
                if time.monotonic() >= tidy_at:
                    more = await self._stored.remove_old(now=now_ms())
                    tidy_at = time.monotonic() + (0.0 if more else TIDY_SECONDS)
            except ParleyError as error:
                _logger.warning("the database is away; watching goes on", error=error)
            wait = self._heartbeat.seconds
            if self._live and not (self._bus.shared and self._bus.connected):
                wait = min(wait, CANCEL_CHECK_SECONDS)
            await asyncio.sleep(wait)

    async def _beat(self) -> None:
        dead_before = await self._dead_before()
        await self._stored.seen([answer.message.id for answer in self._live.values()], at=now_ms() + self._clock_ahead_ms)
        await self._reap(dead_before)

    async def _end_cancelled(self) -> None:
        by_id = {answer.message.id: answer for answer in self._live.values()}
        for message_id in await self._stored.list_cancelled(list(by_id)):
            by_id[message_id].stop("cancelled")

    async def _dead_before(self) -> int:
        """By the database's clock, as the times are that this is compared with."""
        now = await self._stored.clock()
        self._clock_ahead_ms = now - now_ms()
        return now - round(self._heartbeat.dead_after_seconds * 1000)

    async def _reap(self, seen_before: int) -> int:
        """What was not heard of since is marked interrupted; its text is kept. How many those were."""
        reaped = 0
        for record in await self._stored.list_running(seen_before=seen_before):
            if self._shared and self._made_here(record.message_id) is not None:
                continue  # ours, though the database was away for long: it says so now
            message = await self._messages.get(record.user_id, record.message_id)
            fold, seq = fold_log(await self._stored.events(record.message_id))
            ending = cut_ending("interrupted", fold, None)
            kept = structs.replace(message, content=ending.content, finish_reason=ending.finish_reason, details=ending.details)
            reaped += await self._stored.interrupt(record, kept, last_seq=seq + 1, at=now_ms())
        if reaped:
            _logger.info("answers were interrupted by the end of their server", count=reaped)
        return reaped


def running_already() -> ConflictError:
    """The conflict of two answers at once."""
    return ConflictError("an answer is being written in this session; wait for it or stop it")
