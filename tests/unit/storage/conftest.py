"""A real database of each kind, and a user in it. PostgreSQL's is made once for all tests of a process and emptied after each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from parley.storage.database import Database
from parley.storage.ids import new_id
from parley.storage.tables import metadata
from parley.storage.users import UserRecord, Users

from ...stores import own_database

SQLITE = "sqlite"
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.services)


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture(params=[SQLITE, POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address for each kind; what only one of them has is told by `database.shared`."""
    return f"sqlite:///{tmp_path / 'parley.db'}" if request.param == SQLITE else request.getfixturevalue("postgresql_url")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url)
    yield database
    if database.shared:
        await database._engine.write(_emptied)
    await database.aclose()


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """For what only a file has."""
    database = await Database.open(f"sqlite:///{tmp_path / 'parley.db'}")
    yield database
    await database.aclose()


@pytest.fixture
async def postgresql(postgresql_url: str) -> AsyncIterator[Database]:
    """For what only a server has."""
    database = await Database.open(postgresql_url)
    yield database
    await database._engine.write(_emptied)
    await database.aclose()


@pytest.fixture
async def user(database: Database) -> UserRecord:
    user = UserRecord(id=new_id(), username="Ada", email="ada@example.org", password_hash="-", role="user")
    await Users(database).add(user)
    return user


def _emptied(connection: Connection) -> None:
    with connection.begin():
        for name in set(inspect(connection).get_table_names()) - metadata.tables.keys() - {"alembic_version"}:
            connection.execute(text(f"DROP TABLE {name}"))
        for table in reversed(metadata.sorted_tables):  # for a few rows quicker than TRUNCATE, which makes new files
            connection.execute(table.delete())
