"""A real database in a temporary directory, and a user in it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parley.storage.database import Database
from parley.storage.ids import new_id
from parley.storage.users import UserRecord, Users


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(f"sqlite:///{tmp_path / 'parley.db'}")
    yield database
    await database.aclose()


@pytest.fixture
async def user(database: Database) -> UserRecord:
    user = UserRecord(id=new_id(), username="Ada", email="ada@example.org", password_hash="-", role="user")
    await Users(database).add(user)
    return user
