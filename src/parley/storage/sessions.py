"""Conversations as rows: whose they are, what they are set to, where their shown branch ends. Knows no message's content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, json
from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, or_, select

from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.statements import change, insertion, value
from parley.storage.tables import generations, messages, sessions


class SessionRecord(Struct, frozen=True, kw_only=True):
    """One conversation. `title` is empty until the first message; `shown_leaf_id` is the last message of the branch shown.

    Messages up to and including `context_after_id` are not sent any more; `context_summary` stands for them, if there is one.
    """

    id: str
    user_id: str
    title: str = ""
    provider: str
    model: str
    system_prompt: str | None = None
    settings: dict[str, Any] = {}
    shown_leaf_id: str | None = None
    context_after_id: str | None = None
    context_summary: str | None = None
    created_at: int
    updated_at: int
    active_at: int


class ListedSession(Struct, frozen=True, kw_only=True):
    """A conversation in a list. `found_message_id` is its newest message that holds what was searched for, with its content."""

    session: SessionRecord
    running: bool
    found_message_id: str | None = None
    found_content: str | None = None


class SessionPosition(Struct, frozen=True, array_like=True):
    """Where a page of the list ends."""

    active_at: int
    id: str


CHANGEABLE = frozenset({"title", "provider", "model", "system_prompt", "settings", "shown_leaf_id", "context_after_id", "context_summary"})

_ADD = insertion(sessions)
_OWN = (sessions.c.id == value("id"), sessions.c.user_id == value("user_id"))
BY_ID = select(sessions).where(*_OWN)
_REMOVE = delete(sessions).where(*_OWN)
_running = select(generations.c.message_id).where(generations.c.session_id == sessions.c.id, generations.c.state == "running").exists()


class Sessions:
    """Every lookup is by owner: another user's session is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: SessionRecord) -> None:
        """Store a new session."""
        await self._database.writer.submit(_ADD, _written({name: getattr(session, name) for name in SessionRecord.__struct_fields__}))

    async def get(self, user_id: str, session_id: str) -> SessionRecord:
        """The session. Raises NotFoundError."""
        row = await self._database.fetch_one(BY_ID, {"b_id": session_id, "b_user_id": user_id})
        if row is None:
            raise NotFoundError("there is no such session")
        return read_session(row)

    async def list(
        self, user_id: str, *, limit: int, after: SessionPosition | None = None, words: Sequence[str] = ()
    ) -> list[ListedSession]:
        """Newest activity first. With `words` only sessions whose title or one of whose messages holds them all, in any case."""
        statement = (
            select(sessions, _running.label("running"))
            .where(sessions.c.user_id == user_id)
            .order_by(sessions.c.active_at.desc(), sessions.c.id.desc())
            .limit(limit)
        )
        if after is not None:
            earlier = and_(sessions.c.active_at == after.active_at, sessions.c.id < after.id)
            statement = statement.where(or_(sessions.c.active_at < after.active_at, earlier))
        if not words:
            return [_listed(row) for row in await self._database.fetch(statement)]
        folded = [word.casefold() for word in words]
        return await self._search(statement, folded)

    async def update(self, user_id: str, session_id: str, *, changes: Mapping[str, Any], at: int) -> None:
        """Change some of the fields in CHANGEABLE. Raises NotFoundError."""
        written = _written({name: changes[name] for name in sorted(CHANGEABLE & changes.keys())} | {"updated_at": at})
        statement = change(sessions, written).where(*_OWN)
        if not await self._database.writer.submit(statement, {**written, "b_id": session_id, "b_user_id": user_id}):
            raise NotFoundError("there is no such session")

    async def remove(self, user_id: str, session_id: str) -> None:
        """Forget a session with everything in it. Raises NotFoundError."""
        if not await self._database.writer.submit(_REMOVE, {"b_id": session_id, "b_user_id": user_id}):
            raise NotFoundError("there is no such session")

    async def _search(self, statement: Select[Any], words: Sequence[str]) -> list[ListedSession]:
        held = _holds(messages.c.folded, words)
        in_messages = select(messages.c.id).where(messages.c.session_id == sessions.c.id, held).exists()
        rows = await self._database.fetch(statement.where(or_(_holds(sessions.c.title_folded, words), in_messages)))
        newest = (
            select(func.max(messages.c.id)).where(messages.c.session_id.in_([row.id for row in rows]), held).group_by(messages.c.session_id)
        )
        found = await self._database.fetch(
            select(messages.c.session_id, messages.c.id, messages.c.content).where(messages.c.id.in_(newest))
        )
        by_session = {row.session_id: row for row in found}
        return [_listed(row, by_session.get(row.id)) for row in rows]


def read_session(row: Row[Any]) -> SessionRecord:
    """A row as its record."""
    fields = {name: getattr(row, name) for name in SessionRecord.__struct_fields__}
    return SessionRecord(**fields | {"settings": json.decode(row.settings)})


def _written(fields: Mapping[str, Any]) -> dict[str, Any]:
    written = dict(fields)
    if "title" in written:
        written["title_folded"] = written["title"].casefold()
    if "settings" in written:
        written["settings"] = json.encode(written["settings"]).decode()
    return written


def _holds(column: ColumnElement[str], words: Sequence[str]) -> ColumnElement[bool]:
    return and_(*(column.contains(word, autoescape=True) for word in words))


def _listed(row: Row[Any], found: Row[Any] | None = None) -> ListedSession:
    session = read_session(row)
    if found is None:
        return ListedSession(session=session, running=bool(row.running))
    return ListedSession(session=session, running=bool(row.running), found_message_id=found.id, found_content=found.content)
