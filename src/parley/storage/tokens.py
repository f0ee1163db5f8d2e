"""Refresh tokens, by hash and family, and access tokens that were taken back. Knows no signature."""

from __future__ import annotations

from msgspec import Struct
from sqlalchemy import bindparam, delete, insert, select

from parley.storage.database import Database
from parley.storage.statements import change, insertion, record, records, value, values
from parley.storage.tables import refresh_tokens, revoked_tokens


class RefreshTokenRecord(Struct, frozen=True, kw_only=True):
    """One refresh token. A family is what one sign-in became by rotation; times in milliseconds, None = has not happened."""

    id: str
    user_id: str
    family_id: str
    token_hash: str
    created_at: int
    expires_at: int
    used_at: int | None = None
    revoked_at: int | None = None


class RevokedTokenRecord(Struct, frozen=True, kw_only=True):
    """An access token, by its `jti`, that no longer counts; kept until it would have expired anyway."""

    token_id: str
    user_id: str
    revoked_at: int
    expires_at: int


_unrevoked = refresh_tokens.c.revoked_at.is_(None)
_ADD = insertion(refresh_tokens)
_BY_HASH = select(refresh_tokens).where(refresh_tokens.c.token_hash == value("token_hash"))
_USE = change(refresh_tokens, ["used_at"]).where(refresh_tokens.c.id == value("id"), refresh_tokens.c.used_at.is_(None), _unrevoked)
_REVOKE_FAMILY = change(refresh_tokens, ["revoked_at"]).where(refresh_tokens.c.family_id == value("family_id"), _unrevoked)
_REVOKE_USER = change(refresh_tokens, ["revoked_at"]).where(refresh_tokens.c.user_id == value("user_id"), _unrevoked)
_REMOVE_EXPIRED = delete(refresh_tokens).where(refresh_tokens.c.expires_at < value("before"))
_ADD_REVOKED = insert(revoked_tokens).from_select(
    [column.name for column in revoked_tokens.columns],
    select(*(bindparam(column.name, type_=column.type) for column in revoked_tokens.columns)).where(
        ~select(revoked_tokens.c.token_id).where(revoked_tokens.c.token_id == value("token_id")).exists()
    ),
)
_REVOKED_SINCE = select(revoked_tokens).where(revoked_tokens.c.revoked_at >= value("since"))
_REMOVE_EXPIRED_REVOKED = delete(revoked_tokens).where(revoked_tokens.c.expires_at < value("before"))


class RefreshTokens:
    """Each is used once; whoever uses it twice gives its family away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: RefreshTokenRecord) -> None:
        """Store a new token."""
        await self._database.writer.submit(_ADD, values(token))

    async def find_by_hash(self, token_hash: str) -> RefreshTokenRecord | None:
        """The token, used and revoked ones included, or None."""
        row = await self._database.fetch_one(_BY_HASH, {"b_token_hash": token_hash})
        return None if row is None else record(RefreshTokenRecord, row)

    async def use(self, token_id: str, *, at: int) -> bool:
        """Mark it as used; False where it was used or revoked before, even a moment ago."""
        return await self._database.writer.submit(_USE, {"used_at": at, "b_id": token_id}) == 1

    async def revoke_family(self, family_id: str, *, at: int) -> None:
        """End one sign-in."""
        await self._database.writer.submit(_REVOKE_FAMILY, {"revoked_at": at, "b_family_id": family_id})

    async def revoke_user(self, user_id: str, *, at: int) -> None:
        """End every sign-in of a user."""
        await self._database.writer.submit(_REVOKE_USER, {"revoked_at": at, "b_user_id": user_id})

    async def remove_expired(self, *, before: int) -> int:
        """Forget what expired before this time; how many those were."""
        return await self._database.writer.submit(_REMOVE_EXPIRED, {"b_before": before})


class RevokedTokens:
    """What every process reads to know which access tokens no longer count."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, token: RevokedTokenRecord) -> None:
        """Take a token back; twice is once."""
        await self._database.writer.submit(_ADD_REVOKED, {**values(token), "b_token_id": token.token_id})

    async def list(self, *, since: int = 0) -> list[RevokedTokenRecord]:
        """What was taken back at this time or later."""
        return records(RevokedTokenRecord, await self._database.fetch(_REVOKED_SINCE, {"b_since": since}))

    async def remove_expired(self, *, before: int) -> int:
        """Forget what expired before this time; how many those were."""
        return await self._database.writer.submit(_REMOVE_EXPIRED_REVOKED, {"b_before": before})
