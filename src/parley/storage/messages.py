"""Messages as rows of a tree: each knows the one before it, siblings are branches. Knows no provider and builds no request."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Connection, Row, Select, bindparam, func, or_, select

from parley.contract.errors import Action
from parley.contract.messages import Part, TextPart
from parley.contract.pricing import Price
from parley.contract.response import Attempt, Citation, Fallback, FinishReason, ResponseWarning
from parley.contract.usage import Usage
from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.sessions import BY_ID, SessionRecord, read_session
from parley.storage.statements import value
from parley.storage.tables import messages, sessions


class StoredError(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ended an answer, as its reader was told; `retry_after` in seconds."""

    code: str
    message: str
    retryable: bool
    action: Action = "give_up"
    retry_after: float | None = None


class MessageDetails(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of an answer besides its content; times in milliseconds, `price` is what its cost was reckoned with.

    `attempts` are the tries that failed before it, each with what it cost; `fallback` says that another target answered,
    `cached` that the answer was given before.
    """

    usage: Usage | None = None
    response_time_ms: int | None = None
    time_to_first_token_ms: int | None = None
    request_id: str | None = None
    raw_finish_reason: str | None = None
    refusal: str | None = None
    citations: list[Citation] = []
    warnings: list[ResponseWarning] = []
    complete: bool = True
    error: StoredError | None = None
    price: Price | None = None
    attempts: list[Attempt] = []
    fallback: Fallback | None = None
    cached: bool = False


class MessageRecord(Struct, frozen=True, kw_only=True):
    """One message. `finish_reason` is None while an answer is being written, and for everything that is no answer."""

    id: str
    session_id: str
    parent_id: str | None
    role: str
    content: str | list[Part]
    created_at: int
    provider: str | None = None
    model: str | None = None
    finish_reason: FinishReason | None = None
    details: MessageDetails = MessageDetails()
    cost: float | None = None

    @property
    def parts(self) -> list[Part]:
        """The content as parts."""
        if isinstance(self.content, str):
            return [TextPart(text=self.content)] if self.content else []
        return self.content

    @property
    def text(self) -> str:
        """All text parts joined."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


class UsageTotals(Struct, frozen=True, kw_only=True):
    """What all stored answers of a user came to; `cost` in US dollars, of those whose cost is known; None where no answer's is."""

    messages: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


_content = json.Decoder(str | list[Part])
_details = json.Decoder(MessageDetails)
NO_DETAILS = MessageDetails()


def _path(*, bounded: bool) -> Select[Any]:
    """From a leaf upwards, the leaf first; past `b_until` it goes no further."""
    step = select(messages).where(messages.c.id == value("leaf_id")).cte("path", recursive=True)
    above = select(messages).join(step, messages.c.id == step.c.parent_id).where(step.c.id != value("until"))
    whole = select(step.union_all(above))
    return whole.limit(bindparam("limit")) if bounded else whole


_PATH = _path(bounded=False)
_PAGE = _path(bounded=True)
_OWN = select(messages).join(sessions).where(messages.c.id == value("id"), sessions.c.user_id == value("user_id"))
_SIBLINGS = (
    select(messages.c.id, messages.c.parent_id, messages.c.role)
    .where(
        messages.c.session_id == value("session_id"),
        or_(messages.c.parent_id.is_(None), messages.c.parent_id.in_(bindparam("b_parents", expanding=True))),
    )
    .order_by(messages.c.id)
)
_TREE = select(messages.c.id, messages.c.parent_id).where(messages.c.session_id == value("session_id")).order_by(messages.c.id)
_OF_SESSION = select(messages).where(messages.c.session_id == value("session_id")).order_by(messages.c.id)
_TOTALS = (
    select(
        func.count(messages.c.id).label("counted"),
        func.coalesce(func.sum(messages.c.prompt_tokens), 0).label("prompt"),
        func.coalesce(func.sum(messages.c.completion_tokens), 0).label("completion"),
        func.sum(messages.c.cost).label("cost"),
    )
    .join(sessions)
    .where(sessions.c.user_id == value("user_id"), messages.c.role == "assistant")
)


class Messages:
    """Reads only: messages are written together with the generation that makes or follows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, user_id: str, message_id: str) -> MessageRecord:
        """The message. Raises NotFoundError, also for another user's."""
        row = await self._database.fetch_one(_OWN, {"b_id": message_id, "b_user_id": user_id})
        if row is None:
            raise NotFoundError("there is no such message")
        return read_message(row)

    async def context(self, user_id: str, session_id: str, *, leaf_id: str | None = None) -> tuple[SessionRecord, list[MessageRecord]]:
        """The session, and what of its shown branch (or the one that ends in `leaf_id`) is still sent, oldest first.

        The first of the messages is the one the fresh context begins after, where that lies on the branch. Raises NotFoundError.
        """

        def work(connection: Connection) -> tuple[Row[Any] | None, Sequence[Row[Any]]]:
            session = connection.execute(BY_ID, {"b_id": session_id, "b_user_id": user_id}).first()
            last = leaf_id or (session and session.shown_leaf_id)
            if session is None or last is None:
                return session, ()
            path = connection.execute(_PATH, {"b_leaf_id": last, "b_until": session.context_after_id or ""})
            return session, path.fetchall()

        session, rows = await self._database.read(work)
        if session is None:
            raise NotFoundError("there is no such session")
        return read_session(session), [read_message(row) for row in reversed(rows)]

    async def branch(self, leaf_id: str, *, limit: int | None = None) -> list[MessageRecord]:
        """A branch from its leaf upwards, newest first."""
        if limit is None:
            rows = await self._database.fetch(_PATH, {"b_leaf_id": leaf_id, "b_until": ""})
        else:
            rows = await self._database.fetch(_PAGE, {"b_leaf_id": leaf_id, "b_until": "", "limit": limit})
        return [read_message(row) for row in rows]

    async def siblings(self, session_id: str, shown: Iterable[MessageRecord]) -> dict[str, list[str]]:
        """For each of these messages the ids of all that stand in its place, itself included, oldest first."""
        shown = list(shown)
        parents = [message.parent_id for message in shown if message.parent_id is not None]
        rows = await self._database.fetch(_SIBLINGS, {"b_session_id": session_id, "b_parents": parents})
        places: defaultdict[tuple[str | None, str], list[str]] = defaultdict(list)
        for row in rows:
            places[row.parent_id, row.role].append(row.id)
        return {message.id: places[message.parent_id, message.role] for message in shown}

    async def newest_leaf(self, session_id: str, message_id: str) -> str:
        """The end of the branch that begins with a message and takes the newest turn wherever there are several."""
        rows = await self._database.fetch(_TREE, {"b_session_id": session_id})
        newest = {row.parent_id: row.id for row in rows}
        while message_id in newest:
            message_id = newest[message_id]
        return message_id

    async def list(self, session_id: str) -> list[MessageRecord]:
        """All messages of a session on all branches, oldest first."""
        return [read_message(row) for row in await self._database.fetch(_OF_SESSION, {"b_session_id": session_id})]

    async def totals(self, user_id: str) -> UsageTotals:
        """What a user's stored answers came to."""
        row = await self._database.fetch_one(_TOTALS, {"b_user_id": user_id})
        if row is None:
            return UsageTotals(messages=0, prompt_tokens=0, completion_tokens=0, cost=None)
        return UsageTotals(messages=row.counted, prompt_tokens=int(row.prompt), completion_tokens=int(row.completion), cost=row.cost)


def read_message(row: Row[Any]) -> MessageRecord:
    """A row as its record."""
    return MessageRecord(
        id=row.id,
        session_id=row.session_id,
        parent_id=row.parent_id,
        role=row.role,
        content=_content.decode(row.content),
        created_at=row.created_at,
        provider=row.provider,
        model=row.model,
        finish_reason=row.finish_reason,
        details=NO_DETAILS if row.details is None else _details.decode(row.details),
        cost=row.cost,
    )


def read_content(content: str) -> str | list[Part]:
    """A message's content as it is stored."""
    return _content.decode(content)


def written_message(message: MessageRecord) -> Mapping[str, Any]:
    """A record as the values of its columns."""
    usage = message.details.usage
    return {
        "id": message.id,
        "session_id": message.session_id,
        "parent_id": message.parent_id,
        "role": message.role,
        "content": json.encode(message.content).decode(),
        "folded": message.text.casefold().replace("\0", ""),
        "created_at": message.created_at,
        "provider": message.provider,
        "model": message.model,
        "finish_reason": message.finish_reason,
        "details": json.encode(message.details).decode() if message.details is not NO_DETAILS else None,
        "prompt_tokens": usage and usage.prompt_tokens,
        "completion_tokens": usage and usage.completion_tokens,
        "cost": message.cost,
    }
