from __future__ import annotations

import pytest

from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.ids import new_id
from parley.storage.keys import ApiKeyRecord, ApiKeys
from parley.storage.users import UserRecord


async def test_a_key_is_found_by_its_hash_and_removed_by_its_owner(database: Database, user: UserRecord) -> None:
    keys = ApiKeys(database)
    key = ApiKeyRecord(id=new_id(), user_id=user.id, name="k", key_hash="h", shown_prefix="pk-1", scopes=["v1", "read"], created_at=1)
    await keys.add(key)
    assert await keys.find_by_hash("h") == key
    assert await keys.find_by_hash("x") is None
    await keys.touch(key.id, at=9)
    assert [found.last_used_at for found in await keys.list(user.id)] == [9]
    with pytest.raises(NotFoundError):
        await keys.remove("somebody else", key.id)
    await keys.remove(user.id, key.id)
    assert await keys.list(user.id) == []
