from __future__ import annotations

import asyncio

from parley.storage.database import Database
from parley.storage.ids import new_id
from parley.storage.tokens import RefreshTokenRecord, RefreshTokens, RevokedTokenRecord, RevokedTokens
from parley.storage.users import UserRecord


def token(user: UserRecord, token_hash: str, family: str = "f") -> RefreshTokenRecord:
    return RefreshTokenRecord(id=new_id(), user_id=user.id, family_id=family, token_hash=token_hash, created_at=1, expires_at=100)


async def test_a_refresh_token_is_used_once_however_many_try(database: Database, user: UserRecord) -> None:
    tokens = RefreshTokens(database)
    stored = token(user, "h")
    await tokens.add(stored)
    used = await asyncio.gather(*(tokens.use(stored.id, at=5) for _ in range(20)))
    assert sum(used) == 1
    found = await tokens.find_by_hash("h")
    assert found is not None
    assert found.used_at == 5
    assert await tokens.find_by_hash("other") is None


async def test_revoking_reaches_the_family_or_the_user_and_no_other(database: Database, user: UserRecord) -> None:
    tokens = RefreshTokens(database)
    first, second = token(user, "1", "f"), token(user, "2", "g")
    await tokens.add(first)
    await tokens.add(second)
    await tokens.revoke_family("f", at=7)
    assert not await tokens.use(first.id, at=8)
    assert await tokens.use(second.id, at=8)
    await tokens.revoke_user(user.id, at=9)
    found = await tokens.find_by_hash("2")
    assert found is not None
    assert found.revoked_at == 9
    assert await tokens.remove_expired(before=101) == 2


async def test_an_access_token_is_taken_back_once(database: Database, user: UserRecord) -> None:
    revoked = RevokedTokens(database)
    record = RevokedTokenRecord(token_id="t", user_id=user.id, revoked_at=5, expires_at=50)
    await revoked.add(record)
    await revoked.add(record)
    assert await revoked.list() == [record]
    assert await revoked.list(since=6) == []
    assert await revoked.remove_expired(before=51) == 1
