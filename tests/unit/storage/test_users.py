from __future__ import annotations

import asyncio

import pytest

from parley.contract.errors import InvalidRequestError
from parley.storage.database import Database
from parley.storage.errors import AlreadyExistsError, NotFoundError
from parley.storage.ids import new_id
from parley.storage.users import UserRecord, Users


def person(name: str) -> UserRecord:
    return UserRecord(id=new_id(), username=name, email=f"{name}@example.org", password_hash="-", role="user", preferences={"a": 1})


async def test_a_user_is_found_by_name_or_address_in_any_case(database: Database, user: UserRecord) -> None:
    users = Users(database)
    for identifier in ("ada", "ADA", "Ada@Example.ORG"):
        found = await users.find_by_identifier(identifier)
        assert found is not None
        assert (found.id, found.username) == (user.id, "Ada")
    assert await users.find_by_identifier("' OR 1=1 --") is None


async def test_names_and_addresses_are_unique_in_any_case(database: Database, user: UserRecord) -> None:
    users = Users(database)
    with pytest.raises(AlreadyExistsError):
        await users.add(person("ADA"))
    other = person("bob")
    await users.add(other)
    with pytest.raises(AlreadyExistsError):
        await users.update(other.id, {"username": "aDa"})


async def test_of_a_hundred_first_users_one_is_first(database: Database) -> None:
    users = Users(database)
    outcomes = await asyncio.gather(*(users.add_first(person(f"user{number}")) for number in range(100)))
    assert sum(outcomes) == 1
    assert await users.count() == 1


async def test_only_known_fields_change(database: Database, user: UserRecord) -> None:
    users = Users(database)
    await users.update(user.id, {"role": "admin", "preferences": {"x": [1]}, "id": "other", "created_at": 0})
    changed = await users.get(user.id)
    assert (changed.role, changed.preferences, changed.username) == ("admin", {"x": [1]}, "Ada")
    assert [found.id for found in await users.list()] == [user.id]
    with pytest.raises(NotFoundError):
        await users.update("nobody", {"role": "admin"})
    with pytest.raises(NotFoundError):
        await users.get("nobody")


async def test_what_no_database_holds_is_refused_in_words(database: Database) -> None:
    with pytest.raises(InvalidRequestError):
        await Users(database).add(person("half a \ud800 pair"))
    with pytest.raises(InvalidRequestError):
        await Users(database).find_by_identifier("\ud800")
