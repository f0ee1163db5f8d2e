"""What was done to the configuration, by whom and when, as rows that are only added. Knows no value that is a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, json
from sqlalchemy import Row, func, select

from parley.storage.database import Database
from parley.storage.statements import insertion, value
from parley.storage.tables import audit_entries
from parley.storage.writer import Change


class FieldChange(Struct, frozen=True, kw_only=True):
    """One field before and after, as it may be shown: of a secret only whether there was one."""

    field: str
    old: Any = None
    new: Any = None


class AuditRecord(Struct, frozen=True, kw_only=True):
    """One act. Without a `user_id` it was the operator, by a signal to the process; `version` is None where nothing changed by it."""

    id: str
    version: int | None
    action: str
    subject: str
    user_id: str | None
    username: str | None
    api_key_id: str | None
    changes: list[FieldChange]
    created_at: int


_ADD = insertion(audit_entries)
_LATEST = select(func.max(audit_entries.c.version))
_PAGE = select(audit_entries).order_by(audit_entries.c.id.desc()).limit(value("limit"))
_BEFORE = _PAGE.where(audit_entries.c.id < value("before"))
_ACTIONS = (
    select(audit_entries.c.action).where(audit_entries.c.version > value("version")).order_by(audit_entries.c.version).limit(value("limit"))
)
MAX_ACTIONS = 1000


class AuditEntries:
    """Entries stay for ever: by their `version` every replica knows which state of the configuration it has."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def version(self) -> int:
        """How often the configuration has been changed here."""
        row = await self._database.fetch_one(_LATEST)
        return (row[0] if row else None) or 0

    async def actions_since(self, version: int) -> Sequence[str]:
        """What has been done since that state."""
        rows = await self._database.fetch(_ACTIONS, {"b_version": version, "b_limit": MAX_ACTIONS})
        return [row.action for row in rows]

    async def add(self, entry: AuditRecord, changes: Sequence[Change] = ()) -> None:
        """Store an entry together with what it is about, both or neither.

        Raises AlreadyExistsError where somebody else has made this version.
        """
        fields = {name: getattr(entry, name) for name in AuditRecord.__struct_fields__}
        # First the entry: on PostgreSQL whoever comes second waits here until the first is done.
        await self._database.writer.submit_all(
            [Change(_ADD, fields | {"changes": json.encode(entry.changes).decode()}), *changes],
        )

    async def list(self, *, limit: int, before: str | None = None) -> list[AuditRecord]:
        """The newest first; with `before`, those older than that entry."""
        rows = await self._database.fetch(*((_BEFORE, {"b_before": before, "b_limit": limit}) if before else (_PAGE, {"b_limit": limit})))
        return [_read(row) for row in rows]


def _read(row: Row[Any]) -> AuditRecord:
    fields: dict[str, Any] = {name: getattr(row, name) for name in AuditRecord.__struct_fields__}
    fields["changes"] = json.decode(row.changes, type=list[FieldChange])
    return AuditRecord(**fields)
