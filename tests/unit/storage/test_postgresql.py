"""What PostgreSQL alone can get wrong: an address, a server that goes away, replicas that start or write at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from parley.contract.errors import ConfigurationError
from parley.storage.database import Database
from parley.storage.errors import StorageUnavailableError
from parley.storage.ids import new_id
from parley.storage.users import UserRecord, Users

from ...stores import execute, own_database

pytestmark = pytest.mark.services


@pytest.fixture
def empty_url() -> Iterator[str]:
    with own_database() as url:
        yield url


def admin(name: str) -> UserRecord:
    return UserRecord(id=new_id(), username=name, email=f"{name}@example.org", password_hash="-", role="admin")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda url: f"{url}_gone", "does not exist"),
        (lambda url: url.replace("postgres@", "nobody-here@"), "nobody-here"),
        (lambda url: f"{url}?sslmode=sometimes", "sslmode"),
    ],
)
async def test_an_address_that_is_wrong_for_good_is_refused_in_words(postgresql_url: str, change: object, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Database.open(change(postgresql_url))  # type: ignore[operator]
    assert caught.value.fields[0].path == "DATABASE_URL"
    assert said in caught.value.message


async def test_a_server_that_is_not_there_is_named_and_its_password_is_not() -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        await Database.open("postgresql://me:s3cret-pass@127.0.0.1:1/parley")
    assert "127.0.0.1:1" in caught.value.message
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql+asyncpg"])
async def test_both_spellings_of_the_address_are_taken(postgresql_url: str, scheme: str) -> None:
    database = await Database.open(postgresql_url.replace("postgresql", scheme))
    assert await Users(database).count() == 0
    await database.aclose()


async def test_replicas_that_start_together_migrate_once(empty_url: str) -> None:
    databases = await asyncio.gather(*(Database.open(empty_url) for _ in range(4)))
    assert await databases[0].fetch_one(text("SELECT count(*) FROM alembic_version")) == (1,)
    await asyncio.gather(*(database.aclose() for database in databases))


async def test_of_many_first_accounts_on_many_replicas_one_is_made(postgresql_url: str, postgresql: Database) -> None:
    others = await asyncio.gather(*(Database.open(postgresql_url) for _ in range(3)))
    made = await asyncio.gather(*(Users(other).add_first(admin(f"a{place}{n}")) for n in range(5) for place, other in enumerate(others)))
    assert sum(made) == 1
    assert await Users(postgresql).count() == 1
    await asyncio.gather(*(other.aclose() for other in others))


async def test_connections_that_the_server_ended_are_replaced_without_a_failure(postgresql_url: str, postgresql: Database) -> None:
    await Users(postgresql).add(admin("ada"))
    await execute(
        postgresql_url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert await Users(postgresql).count() == 1
    await Users(postgresql).add(admin("eve"))
