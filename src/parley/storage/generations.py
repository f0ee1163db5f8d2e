"""Generations as rows, and the log of their events: begun, followed, ended. Knows no task and no event's meaning."""

from __future__ import annotations

from asyncio import Future
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

from msgspec import Struct
from sqlalchemy import bindparam, delete, select, text

from parley.storage.database import Database
from parley.storage.ids import first_id, now_ms
from parley.storage.messages import MessageRecord, written_message
from parley.storage.statements import change, insertion, record, records, value, values
from parley.storage.tables import generation_events, generations, messages, sessions
from parley.storage.writer import Change

IDEMPOTENCY_MS = 24 * 60 * 60 * 1000
LOG_KEPT_MS = 24 * 60 * 60 * 1000
MAX_REMOVED_LOGS = 200

State: TypeAlias = Literal["running", "finished", "cancelled", "interrupted", "failed"]


class GenerationRecord(Struct, frozen=True, kw_only=True):
    """The making of one answer. `last_seq` is its last event's, once it has ended; `seen_at` when its process last said it lives."""

    message_id: str
    session_id: str
    user_id: str
    state: State
    idempotency_key: str | None
    body_hash: str
    last_seq: int = 0
    created_at: int
    seen_at: int
    finished_at: int | None = None
    cancel_asked_at: int | None = None


class Beginning(Struct, frozen=True, kw_only=True):
    """What is stored before a provider is called: the user's message, if it is new, the answer's place, and the generation."""

    question: MessageRecord | None
    answer: MessageRecord
    generation: GenerationRecord
    title: str


class LoggedEvents(NamedTuple):
    """A stretch of one generation's events; `events` is a JSON array."""

    message_id: str
    first_seq: int
    last_seq: int
    events: bytes


_ADD_MESSAGE = insertion(messages)
_ADD = insertion(generations)
_ADD_EVENTS = insertion(generation_events)
_BEGIN_SESSION = change(sessions, ["shown_leaf_id", "title", "title_folded", "active_at"]).where(sessions.c.id == value("id"))
_FORGET_KEY = change(generations, ["idempotency_key"]).where(
    generations.c.session_id == value("session_id"),
    generations.c.idempotency_key == value("idempotency_key"),
    generations.c.created_at < value("before"),
)
_ENDED = ("content", "folded", "provider", "model", "finish_reason", "details", "prompt_tokens", "completion_tokens", "cost")
_END_MESSAGE = change(messages, _ENDED).where(messages.c.id == value("id"))
_END = change(generations, ["state", "last_seq", "finished_at"]).where(generations.c.message_id == value("message_id"))
_END_SESSION = change(sessions, ["active_at"]).where(sessions.c.id == value("id"))
_SEEN = change(generations, ["seen_at"]).where(generations.c.message_id == value("message_id"), generations.c.state == "running")
_BY_KEY = select(generations).where(
    generations.c.session_id == value("session_id"),
    generations.c.idempotency_key == value("idempotency_key"),
    generations.c.created_at >= value("since"),
)
_BY_MESSAGE = select(generations).where(generations.c.message_id == value("message_id"), generations.c.user_id == value("user_id"))
_LAST = (
    select(generations)
    .where(generations.c.session_id == value("session_id"), generations.c.user_id == value("user_id"))
    .order_by(generations.c.message_id.desc())
    .limit(1)
)
_RUNNING_IN = select(generations).where(generations.c.session_id == value("session_id"), generations.c.state == "running")
_ASK_TO_CANCEL = change(generations, ["cancel_asked_at"]).where(
    generations.c.message_id == value("message_id"), generations.c.state == "running"
)
_CANCELLED = select(generations.c.message_id).where(
    generations.c.message_id.in_(bindparam("b_message_ids", expanding=True)), generations.c.cancel_asked_at.is_not(None)
)
_INTERRUPT = change(generations, ["state", "last_seq", "finished_at"]).where(
    generations.c.message_id == value("message_id"),
    generations.c.state == "running",
    generations.c.seen_at == value("seen_at"),
)
# Only after the statement above has changed its row: whoever was faster has stored the whole answer, and that stays.
_INTERRUPT_MESSAGE = change(messages, ["content", "folded", "finish_reason", "details"]).where(
    messages.c.id == value("id"),
    messages.c.finish_reason.is_(None),
    select(generations.c.message_id)
    .where(generations.c.message_id == value("id"), generations.c.state == "interrupted", generations.c.finished_at == value("at"))
    .exists(),
)
_RUNNING = select(generations).where(generations.c.state == "running", generations.c.seen_at < value("seen_before"))
_EVENTS = (
    select(generation_events)
    .where(generation_events.c.message_id == value("message_id"), generation_events.c.last_seq > value("after"))
    .order_by(generation_events.c.first_seq)
)
_CLOCK = text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)")
# An id begins with its time: what is younger is not even looked at.
_OLD = (
    select(generation_events.c.message_id)
    .distinct()
    .join(generations, generations.c.message_id == generation_events.c.message_id)
    .where(generation_events.c.message_id < value("first_younger"), generations.c.finished_at < value("before"))
    .limit(bindparam("limit"))
)
_REMOVE_EVENTS = delete(generation_events).where(generation_events.c.message_id == value("message_id"))
_FORGET_OLD_KEYS = change(generations, ["idempotency_key"]).where(
    generations.c.created_at < value("before"), generations.c.idempotency_key.is_not(None)
)


class Generations:
    """At most one runs in a session: the table itself refuses a second."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, beginning: Beginning) -> None:
        """Store the question and the answer's place. Raises AlreadyExistsError where one runs, or the idempotency key is taken."""
        generation, answer = beginning.generation, beginning.answer
        changes: list[Change] = []
        if generation.idempotency_key is not None:
            expired = {
                "idempotency_key": None,
                "b_session_id": generation.session_id,
                "b_idempotency_key": generation.idempotency_key,
                "b_before": generation.created_at - IDEMPOTENCY_MS,
            }
            changes.append(Change(_FORGET_KEY, expired))
        asked = [answer] if beginning.question is None else [beginning.question, answer]
        changes.append(Change(_ADD_MESSAGE, [written_message(message) for message in asked]))
        changes.append(Change(_ADD, values(generation)))
        session = {
            "b_id": generation.session_id,
            "shown_leaf_id": answer.id,
            "title": beginning.title,
            "title_folded": beginning.title.casefold(),
            "active_at": generation.created_at,
        }
        changes.append(Change(_BEGIN_SESSION, session))
        await self._database.writer.submit_together(changes)

    async def end(self, answer: MessageRecord, *, state: State, last_seq: int, at: int) -> None:
        """Store the answer as it became."""
        written = written_message(answer)
        await self._database.writer.submit_together(
            [
                Change(_END_MESSAGE, {name: written[name] for name in _ENDED} | {"b_id": answer.id}),
                Change(_END, {"state": state, "last_seq": last_seq, "finished_at": at, "b_message_id": answer.id}),
                Change(_END_SESSION, {"active_at": at, "b_id": answer.session_id}),
            ]
        )

    def log(self, make: Callable[[], LoggedEvents | None]) -> Future[None]:
        """Write a stretch of events, made when its group is written; see `Writer.log`."""

        def changed() -> Change | None:
            events = make()
            return None if events is None else Change(_ADD_EVENTS, events._asdict())

        return self._database.writer.log(changed)

    async def find(self, user_id: str, message_id: str) -> GenerationRecord | None:
        """The generation of an answer, or None."""
        row = await self._database.fetch_one(_BY_MESSAGE, {"b_message_id": message_id, "b_user_id": user_id})
        return None if row is None else record(GenerationRecord, row)

    async def find_by_key(self, session_id: str, idempotency_key: str, *, now: int) -> GenerationRecord | None:
        """What an idempotency key was used for in the last 24 hours, or None."""
        given = {"b_session_id": session_id, "b_idempotency_key": idempotency_key, "b_since": now - IDEMPOTENCY_MS}
        row = await self._database.fetch_one(_BY_KEY, given)
        return None if row is None else record(GenerationRecord, row)

    async def find_last(self, user_id: str, session_id: str) -> GenerationRecord | None:
        """The newest generation of a session, or None."""
        row = await self._database.fetch_one(_LAST, {"b_session_id": session_id, "b_user_id": user_id})
        return None if row is None else record(GenerationRecord, row)

    async def list_running(self, *, seen_before: int) -> list[GenerationRecord]:
        """Those that are said to run and whose process has not been heard of since."""
        return records(GenerationRecord, await self._database.fetch(_RUNNING, {"b_seen_before": seen_before}))

    async def seen(self, message_ids: Sequence[str], *, at: int) -> None:
        """Say that these live."""
        if not message_ids:
            return
        await self._database.writer.submit(_SEEN, [{"seen_at": at, "b_message_id": message_id} for message_id in message_ids])

    async def find_running(self, session_id: str) -> GenerationRecord | None:
        """What is said to run in a session, whoever makes it, or None."""
        row = await self._database.fetch_one(_RUNNING_IN, {"b_session_id": session_id})
        return None if row is None else record(GenerationRecord, row)

    async def ask_to_cancel(self, message_id: str, *, at: int) -> None:
        """Note for whoever makes it that it is to end."""
        await self._database.writer.submit(_ASK_TO_CANCEL, {"cancel_asked_at": at, "b_message_id": message_id})

    async def list_cancelled(self, message_ids: Sequence[str]) -> list[str]:
        """Those of these that somebody has asked to end."""
        if not message_ids:
            return []
        return [row.message_id for row in await self._database.fetch(_CANCELLED, {"b_message_ids": list(message_ids)})]

    async def interrupt(self, dead: GenerationRecord, kept: MessageRecord, *, last_seq: int, at: int) -> bool:
        """Store what is left of one whose process is gone. False where it was alive after all, or another replica was faster."""
        written = written_message(kept)
        ended = {"state": "interrupted", "last_seq": last_seq, "finished_at": at}
        fields = {name: written[name] for name in ("content", "folded", "finish_reason", "details")}
        counts = await self._database.writer.submit_all(
            [
                Change(_INTERRUPT, ended | {"b_message_id": dead.message_id, "b_seen_at": dead.seen_at}),
                Change(_INTERRUPT_MESSAGE, fields | {"b_id": kept.id, "b_at": at}),
            ]
        )
        return counts == [1, 1]

    async def clock(self) -> int:
        """The time that all replicas agree on: the database's own, where there may be several."""
        row = await self._database.fetch_one(_CLOCK) if self._database.shared else None
        return now_ms() if row is None else int(row[0])

    async def events(self, message_id: str, *, after: int = 0) -> list[bytes]:
        """The log of a generation, stretch by stretch, each a JSON array; the first may begin before what is asked for."""
        rows = await self._database.fetch(_EVENTS, {"b_message_id": message_id, "b_after": after})
        return [bytes(row.events) for row in rows]

    async def remove_old(self, *, now: int) -> bool:
        """Forget logs and idempotency keys after 24 hours; the answers stay. True where there is more: nobody waits for so much at once."""
        before = now - LOG_KEPT_MS
        rows = await self._database.fetch(_OLD, {"b_first_younger": first_id(before + 1), "b_before": before, "limit": MAX_REMOVED_LOGS})
        changes = [Change(_FORGET_OLD_KEYS, {"idempotency_key": None, "b_before": now - IDEMPOTENCY_MS})]
        if rows:
            changes.append(Change(_REMOVE_EVENTS, [{"b_message_id": row.message_id} for row in rows]))
        await self._database.writer.submit_all(changes)
        return len(rows) == MAX_REMOVED_LOGS
