"""What users attach to messages, as rows: their bytes, and what they say of themselves. Judges no content."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from sqlalchemy import delete, func, select

from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.statements import insertion, record, records, value, values
from parley.storage.tables import attachments


class AttachmentRecord(Struct, frozen=True, kw_only=True):
    """One attachment without its bytes; `size` in bytes."""

    id: str
    user_id: str
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: int


_described = tuple(column for column in attachments.columns if column.name != "data")
_ADD = insertion(attachments)
_OWN = (attachments.c.id == value("id"), attachments.c.user_id == value("user_id"))
_BY_ID = select(*_described).where(*_OWN)
_DATA = select(attachments.c.data).where(*_OWN)
_OF_USER = (
    select(*_described)
    .where(attachments.c.user_id == value("user_id"), attachments.c.id < value("before"))
    .order_by(attachments.c.id.desc())
    .limit(value("limit"))
)
# Sorts behind every id.
_END = "~"
_SIZE = select(func.coalesce(func.sum(attachments.c.size), 0)).where(attachments.c.user_id == value("user_id"))
_REMOVE = delete(attachments).where(*_OWN)


class Attachments:
    """Every lookup is by owner: another user's attachment is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, attachment: AttachmentRecord, data: bytes) -> None:
        """Store an attachment with its bytes."""
        await self._database.writer.submit(_ADD, {**values(attachment), "data": data})

    async def get(self, user_id: str, attachment_id: str) -> AttachmentRecord:
        """The attachment. Raises NotFoundError."""
        row = await self._database.fetch_one(_BY_ID, {"b_id": attachment_id, "b_user_id": user_id})
        if row is None:
            raise NotFoundError("there is no such attachment")
        return record(AttachmentRecord, row)

    async def data(self, user_id: str, attachment_id: str) -> bytes:
        """Its bytes. Raises NotFoundError."""
        row = await self._database.fetch_one(_DATA, {"b_id": attachment_id, "b_user_id": user_id})
        if row is None:
            raise NotFoundError("there is no such attachment")
        return bytes(row[0])

    async def list(self, user_id: str, *, limit: int, before: str | None = None) -> Sequence[AttachmentRecord]:
        """At most so many of a user's attachments, newest first, from those on that are older than `before`."""
        given = {"b_user_id": user_id, "b_limit": limit, "b_before": before or _END}
        return records(AttachmentRecord, await self._database.fetch(_OF_USER, given))

    async def total_size(self, user_id: str) -> int:
        """The bytes of all attachments of a user."""
        row = await self._database.fetch_one(_SIZE, {"b_user_id": user_id})
        return int(row[0]) if row else 0

    async def remove(self, user_id: str, attachment_id: str) -> None:
        """Forget an attachment of this user. Raises NotFoundError."""
        if not await self._database.writer.submit(_REMOVE, {"b_id": attachment_id, "b_user_id": user_id}):
            raise NotFoundError("there is no such attachment")
