"""All answers that this process is making, and how to get at one that it made. Knows no provider and no request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from msgspec import structs

from parley.contract.errors import ParleyError, QueueFullError
from parley.services.answers import Answer, Batches, Stop
from parley.services.endings import cut_ending, last_event, raised_error
from parley.services.errors import ConflictError, NotFoundError, StorageUnavailableError
from parley.services.events import Frame, SnapshotEvent, shown_parts, text_of
from parley.services.folding import fold_log
from parley.storage.generations import Beginning, GenerationRecord
from parley.storage.generations import Generations as StoredGenerations
from parley.storage.ids import now_ms
from parley.storage.messages import MessageRecord, Messages
from parley.telemetry import get_logger

SEEN_SECONDS = 10.0
DEAD_AFTER_MS = 30_000
TIDY_SECONDS = 3600.0

_logger = get_logger(__name__)

OnEnd: TypeAlias = Callable[[MessageRecord, ParleyError | None], None]
"""Is told of each answer that this process has made, when it is stored, and what went wrong with it. Must not raise."""


class Generation:
    """One answer for one caller: being made, or stored. `resumed` begins with a snapshot instead of the first event."""

    def __init__(
        self, message: MessageRecord, question: MessageRecord | None, *, answer: Answer | None, resumed: bool, last_seq: int = 0
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
        return self._answer.resumed() if self._resumed else self._answer.frames()

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

    def __init__(self, stored: StoredGenerations, messages: Messages, *, shared: bool, on_end: OnEnd | None = None) -> None:
        self._stored = stored
        self._messages = messages
        self._shared = shared
        self._on_end = on_end
        self._live: dict[str, Answer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False
        self._keeper: asyncio.Task[None] | None = None

    def live(self, session_id: str) -> Answer | None:
        """The answer that is being made in a session."""
        return self._live.get(session_id)

    async def begin(self, answer: Answer, beginning: Beginning, *, batches: Batches) -> None:
        """Store the question, then let the provider be called. Raises ConflictError, QueueFullError, StorageUnavailableError."""
        session_id = answer.message.session_id
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
            return Generation(live.message, live.question, answer=live, resumed=True)
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
            return Generation(live.message, live.question, answer=live, resumed=True)
        message = await self._messages.get(record.user_id, record.message_id)
        question = None if message.parent_id is None else await self._messages.get(record.user_id, message.parent_id)
        return Generation(message, question, answer=None, resumed=True, last_seq=record.last_seq)

    async def stop(self, session_id: str, reason: Stop = "cancelled") -> bool:
        """End what runs in a session and wait until that is stored; False where nothing runs."""
        answer = self._live.get(session_id)
        if answer is None:
            return False
        answer.stop(reason)
        await asyncio.shield(answer.over)
        return True

    async def recover(self) -> int:
        """Mark what died with an earlier process as interrupted, its text kept; how many those were. Then keep watch."""
        recovered = await self._reap(seen_before=now_ms() - DEAD_AFTER_MS if self._shared else now_ms() + 1)
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

    async def _keep_watch(self) -> None:
        """Say that ours live, end those of processes that have gone silent, forget old logs."""
        tidy_at = 0.0
        while True:
            try:
                if self._shared:
                    await self._stored.seen([answer.message.id for answer in self._live.values()], at=now_ms())
                    await self._reap(seen_before=now_ms() - DEAD_AFTER_MS)
                if time.monotonic() >= tidy_at:
                    await self._stored.remove_old(now=now_ms())
                    tidy_at = time.monotonic() + TIDY_SECONDS
            except StorageUnavailableError as error:
                _logger.warning("the database is away; watching goes on", error=error)
            await asyncio.sleep(SEEN_SECONDS)

    async def _reap(self, *, seen_before: int) -> int:
        dead = await self._stored.list_running(seen_before=seen_before)
        for record in dead:
            message = await self._messages.get(record.user_id, record.message_id)
            fold, seq = fold_log(await self._stored.events(record.message_id))
            ending = cut_ending("interrupted", fold, None)
            kept = structs.replace(message, content=ending.content, finish_reason=ending.finish_reason, details=ending.details)
            await self._stored.end(kept, state=ending.state, last_seq=seq + 1, at=now_ms())
        if dead:
            _logger.info("answers were interrupted by the end of their server", count=len(dead))
        return len(dead)


def running_already() -> ConflictError:
    """The conflict of two answers at once."""
    return ConflictError("an answer is being written in this session; wait for it or stop it")
