"""A user's API keys: made once, shown once."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from parley.server.policy import Route, signed_in
from parley.services.keys import ApiKeys
from parley.services.principals import Principal
from parley.services.times import rfc3339
from parley.storage.keys import ApiKeyRecord


class NewKey(Struct, frozen=True, kw_only=True):
    """Without scopes a key may chat, use `/v1` and read."""

    name: str
    scopes: list[str] | None = None
    expires_at: datetime | None = None


class KeyMade(Struct, frozen=True, kw_only=True):
    """The only time that `key` is shown."""

    id: str
    name: str
    key: str
    scopes: list[str]
    created_at: str
    expires_at: str | None


class KeyView(Struct, frozen=True, kw_only=True):
    """A key as a list shows it: by its beginning."""

    id: str
    name: str
    scopes: list[str]
    shown_prefix: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class KeyList(Struct, frozen=True, kw_only=True):
    """All of a user's keys, newest first; there are few."""

    items: list[KeyView]
    next_cursor: str | None = None


class KeyRoutes:
    """Everything under `/keys`. For people, not for keys: what leaks must not be able to renew itself."""

    def __init__(self, keys: ApiKeys) -> None:
        self._keys = keys

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="POST",
                path="/api/v1/keys",
                handler=self.create,
                policy=signed_in("key", "create"),
                summary="Make an API key; it is shown this once",
                status=201,
            ),
            Route(method="GET", path="/api/v1/keys", handler=self.list, policy=signed_in("key", "list"), summary="One's own API keys"),
            Route(
                method="DELETE",
                path="/api/v1/keys/{key_id}",
                handler=self.remove,
                policy=signed_in("key", "remove"),
                summary="Take an API key back, at once",
                status=204,
            ),
        ]

    async def create(self, principal: Principal, body: NewKey) -> KeyMade:
        """Make a key."""
        record, secret = await self._keys.create(principal, body.name, body.scopes, expires_at=body.expires_at)
        return KeyMade(
            id=record.id,
            name=record.name,
            key=secret,
            scopes=record.scopes,
            created_at=rfc3339(record.created_at),
            expires_at=_shown(record.expires_at),
        )

    async def list(self, principal: Principal) -> KeyList:
        """What keys there are."""
        return KeyList(items=[_view(record) for record in await self._keys.list(principal)])

    async def remove(self, principal: Principal, key_id: str) -> None:
        """End a key."""
        await self._keys.remove(principal, key_id)


def _view(record: ApiKeyRecord) -> KeyView:
    return KeyView(
        id=record.id,
        name=record.name,
        scopes=record.scopes,
        shown_prefix=record.shown_prefix,
        created_at=rfc3339(record.created_at),
        expires_at=_shown(record.expires_at),
        last_used_at=_shown(record.last_used_at),
    )


def _shown(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else rfc3339(milliseconds)
