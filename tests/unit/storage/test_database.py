from __future__ import annotations

import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from parley.contract.errors import ConfigurationError
from parley.storage.database import Database
from parley.storage.errors import StorageUnavailableError
from parley.storage.migration import migrate
from parley.storage.users import UserRecord, Users


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "http://localhost"])
async def test_a_url_that_names_no_database_is_explained(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Database.open(url)
    assert caught.value.fields[0].path == "DATABASE_URL"
    assert "sqlite:///" in caught.value.message


async def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        await Database.open("mysql://me:s3cret-pass@host/db")
    assert "s3cret" not in str(caught.value)


async def test_the_url_may_name_an_asynchronous_driver(tmp_path: Path) -> None:
    database = await Database.open(f"sqlite+aiosqlite:///{tmp_path / 'parley.db'}")
    assert await Users(database).count() == 0
    await database.aclose()


async def test_the_file_is_its_owners_alone_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "parley.db"
    database = await Database.open(f"sqlite:///{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await database.aclose()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'parley.db'}"
    for expected in (0, 1):
        database = await Database.open(url)
        users = Users(database)
        assert await users.count() == expected
        if not expected:
            await users.add(UserRecord(id="u", username="u", email="e", password_hash="-", role="user"))
        await database.aclose()


async def test_a_commit_survives_a_crash_of_the_machine(sqlite: Database) -> None:
    def settings(connection: Connection) -> tuple[str, int, int]:
        values = (connection.execute(text(f"PRAGMA {name}")).scalar() for name in ("journal_mode", "synchronous", "foreign_keys"))
        return tuple(values)

    assert await sqlite._engine.write(settings) == ("wal", 2, 1)


async def test_readers_of_a_file_do_not_block_the_loop(sqlite: Database) -> None:
    assert await sqlite.read(lambda _connection: threading.current_thread()) is not threading.current_thread()


async def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(StorageUnavailableError):
        await database.read(lambda connection: connection.execute(text("DELETE FROM users")))


async def test_a_file_that_is_no_database_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "parley.db").write_text("this is not a database, but long enough to be looked at as one. " * 40, encoding="utf-8")
    with pytest.raises(StorageUnavailableError):
        await Database.open(f"sqlite:///{tmp_path / 'parley.db'}")


async def test_two_processes_may_share_it(database_url: str, database: Database) -> None:
    other = await Database.open(database_url)
    await Users(other).add(UserRecord(id="u", username="u", email="e", password_hash="-", role="user"))
    await Users(database).add(UserRecord(id="v", username="v", email="f", password_hash="-", role="user"))
    assert await Users(database).count() == await Users(other).count() == 2
    await other.aclose()


async def test_migrating_twice_is_migrating_once(database: Database) -> None:
    await database._engine.write(migrate)
    assert await database.fetch_one(text("SELECT count(*) FROM alembic_version")) == (1,)


async def test_a_database_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'parley.db'}"
    await (await Database.open(url)).aclose()
    with sqlite3.connect(tmp_path / "parley.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError) as caught:
        await Database.open(url)
    assert "another version" in caught.value.message
