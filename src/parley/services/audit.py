"""What administrators and the operator did, as it is written down and read again. Knows no route of HTTP and no secret."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct

from parley.services.cursors import DEFAULT_PAGE, Page, check_limit, read_cursor, written_cursor
from parley.services.principals import Principal
from parley.services.times import rfc3339
from parley.storage.audit import AuditEntries, AuditRecord, FieldChange
from parley.storage.database import Database
from parley.storage.ids import new_id, now_ms
from parley.storage.users import Users
from parley.telemetry import scrub

Action: TypeAlias = Literal[
    "provider.configured", "provider.removed", "route.set", "route.removed", "configuration.reloaded", "configuration.refused"
]
MAX_TEXT: Final = 2000


class AuditActor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whose account it was, under the name that it had then; `api_key_id` where one of its keys was used."""

    user_id: str
    username: str
    api_key_id: str | None = None


class AuditView(Struct, frozen=True, kw_only=True):
    """One act. `by` is null for the operator's signal to the process. Of a secret only whether it was set is told."""

    id: str
    at: str
    by: AuditActor | None
    action: str
    subject: str
    changes: list[FieldChange]


class Audit:
    """Entries are only ever added."""

    def __init__(self, database: Database) -> None:
        self._entries = AuditEntries(database)
        self._users = Users(database)

    async def entry(
        self, action: Action, subject: str, changes: Sequence[FieldChange], *, by: Principal | None, version: int | None = None
    ) -> AuditRecord:
        """An entry that is still to be stored. `version` is the state of the configuration that it makes."""
        user = await self._users.find(by.user_id) if by is not None else None
        return AuditRecord(
            id=new_id(),
            version=version,
            action=action,
            subject=subject,
            user_id=by.user_id if by is not None else None,
            username=user.username if user is not None else None,
            api_key_id=by.token_id if by is not None and by.kind == "key" else None,
            changes=list(changes),
            created_at=now_ms(),
        )

    async def list(self, *, limit: int = DEFAULT_PAGE, cursor: str | None = None) -> Page[AuditView]:
        """The newest first."""
        check_limit(limit)
        found = await self._entries.list(limit=limit + 1, before=read_cursor(cursor, str))
        more = written_cursor(found[limit - 1].id) if len(found) > limit else None
        return Page(items=[_view(entry) for entry in found[:limit]], next_cursor=more)


def changes_between(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[FieldChange]:
    """The fields that differ, in their order."""
    names = dict.fromkeys([*old, *new])
    return [
        FieldChange(field=name, old=_shown(old.get(name)), new=_shown(new.get(name))) for name in names if old.get(name) != new.get(name)
    ]


def told_changes(field: str, texts: Iterable[str]) -> list[FieldChange]:
    """What was found, one entry for each, where nothing has an old value."""
    return [FieldChange(field=field, new=_shown(text)) for text in texts]


def _shown(value: Any) -> Any:
    return scrub(value)[:MAX_TEXT] if isinstance(value, str) else value


def _view(entry: AuditRecord) -> AuditView:
    by = None
    if entry.user_id is not None:
        by = AuditActor(user_id=entry.user_id, username=entry.username or "", api_key_id=entry.api_key_id)
    return AuditView(id=entry.id, at=rfc3339(entry.created_at), by=by, action=entry.action, subject=entry.subject, changes=entry.changes)
