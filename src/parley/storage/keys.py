"""API keys as rows: their hash, and what a list may show. The key itself is never stored."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, json
from sqlalchemy import Row, delete, select

from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.statements import change, insertion, value
from parley.storage.tables import api_keys


class ApiKeyRecord(Struct, frozen=True, kw_only=True):
    """One key. `shown_prefix` is its beginning, for people to tell keys apart; times in milliseconds, None = never."""

    id: str
    user_id: str
    name: str
    key_hash: str
    shown_prefix: str
    scopes: list[str]
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None


_ADD = insertion(api_keys)
_BY_HASH = select(api_keys).where(api_keys.c.key_hash == value("key_hash"))
_OF_USER = select(api_keys).where(api_keys.c.user_id == value("user_id")).order_by(api_keys.c.id.desc())
_REMOVE = delete(api_keys).where(api_keys.c.id == value("id"), api_keys.c.user_id == value("user_id"))
_TOUCH = change(api_keys, ["last_used_at"]).where(api_keys.c.id == value("id"))


class ApiKeys:
    """Keys of users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKeyRecord) -> None:
        """Store a new key."""
        fields = {name: getattr(key, name) for name in ApiKeyRecord.__struct_fields__}
        await self._database.writer.submit(_ADD, fields | {"scopes": json.encode(key.scopes).decode()})

    async def find_by_hash(self, key_hash: str) -> ApiKeyRecord | None:
        """The key, expired ones included, or None."""
        row = await self._database.fetch_one(_BY_HASH, {"b_key_hash": key_hash})
        return None if row is None else _read(row)

    async def list(self, user_id: str) -> list[ApiKeyRecord]:
        """A user's keys, newest first."""
        return [_read(row) for row in await self._database.fetch(_OF_USER, {"b_user_id": user_id})]

    async def remove(self, user_id: str, key_id: str) -> None:
        """Forget a key of this user. Raises NotFoundError."""
        if not await self._database.writer.submit(_REMOVE, {"b_id": key_id, "b_user_id": user_id}):
            raise NotFoundError("there is no such key")

    async def touch(self, key_id: str, *, at: int) -> None:
        """Note when it was last used."""
        await self._database.writer.submit(_TOUCH, {"b_id": key_id, "last_used_at": at})


def _read(row: Row[Any]) -> ApiKeyRecord:
    fields = {name: getattr(row, name) for name in ApiKeyRecord.__struct_fields__}
    return ApiKeyRecord(**fields | {"scopes": json.decode(row.scopes)})
