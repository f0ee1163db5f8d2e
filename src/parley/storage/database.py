"""The database: opened and migrated once, read by many, written by one. Knows no table and no subject."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Engine, Executable, Row, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from parley.contract.errors import ConfigurationError, FieldProblem, ParleyError
from parley.storage.faults import DATABASE_ERRORS, told
from parley.storage.migration import migrate
from parley.storage.postgresql import PostgreSQL
from parley.storage.writer import Parameters, Writer

READERS = 4
BUSY_SECONDS = 10

_Result = TypeVar("_Result")


class _Engine(Protocol):
    """Where connections live: in threads of our own, or on the event loop."""

    async def read(self, work: Callable[[Connection], _Result]) -> _Result: ...

    async def write(self, work: Callable[[Connection], _Result]) -> _Result: ...

    async def check(self) -> None: ...

    async def aclose(self) -> None: ...


class Database:
    """What repositories are given. `shared` says that other processes may use it at the same time."""

    def __init__(self, engine: _Engine, *, shared: bool) -> None:
        self._engine = engine
        self.shared = shared
        self.writer = Writer(engine.write)

    @classmethod
    async def open(cls, url: str) -> Database:
        """Connect and bring the tables up to date. `url` is `sqlite:///path/to/parley.db` or `postgresql://user:password@host/name`.

        Raises ConfigurationError for another kind of URL, StorageUnavailableError where the database does not answer.
        """
        address = _address(url)
        shared = address.get_backend_name() != "sqlite"
        engine: _Engine | None = None
        try:
            engine = PostgreSQL(address) if shared else _SQLite(address)
            await engine.check()
            await engine.write(migrate)
        except (ParleyError, *DATABASE_ERRORS) as error:
            if engine is not None:
                await engine.aclose()
            raise error if isinstance(error, ParleyError) else told(error) from error
        return cls(engine, shared=shared)

    async def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """What a function reads on one connection, which is given back before this returns. Raises StorageUnavailableError."""
        try:
            return await self._engine.read(work)
        except DATABASE_ERRORS as error:
            raise told(error) from error

    async def fetch(self, statement: Executable, parameters: Parameters = None) -> Sequence[Row[Any]]:
        """All rows of one statement."""
        return await self.read(lambda connection: connection.execute(statement, parameters).fetchall())

    async def fetch_one(self, statement: Executable, parameters: Parameters = None) -> Row[Any] | None:
        """The first row of one statement, or None."""
        return await self.read(lambda connection: connection.execute(statement, parameters).first())

    async def aclose(self) -> None:
        """Write what is waiting and let go of every connection."""
        await self.writer.aclose()
        await self._engine.aclose()


class _SQLite:
    """One thread writes, a few read, each on a connection of the standard library's driver.

    A thread is crossed once for a group of statements: an asynchronous driver crosses it several times for each.
    """

    def __init__(self, address: URL) -> None:
        _prepare(address)
        arguments = {"check_same_thread": False, "timeout": BUSY_SECONDS}
        self._writing = create_engine(address, pool_size=1, max_overflow=0, connect_args=arguments)
        self._reading = create_engine(address, pool_size=READERS, max_overflow=0, connect_args=arguments)
        event.listen(self._writing, "connect", _set_up_writing)
        event.listen(self._writing, "begin", _begin_writing)
        event.listen(self._reading, "connect", _set_up_reading)
        self._writers = ThreadPoolExecutor(1, "parley-writer")
        self._readers = ThreadPoolExecutor(READERS, "parley-reader")

    async def read(self, work: Callable[[Connection], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._readers, _on, self._reading, work)

    async def write(self, work: Callable[[Connection], _Result]) -> _Result:
        return await asyncio.get_running_loop().run_in_executor(self._writers, _on, self._writing, work)

    async def check(self) -> None:
        """The file was looked at when it was opened."""

    async def aclose(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._readers.shutdown()
        self._reading.dispose()
        self._writers.shutdown()
        self._writing.dispose()


def _on(engine: Engine, work: Callable[[Connection], _Result]) -> _Result:
    with engine.connect() as connection:
        return work(connection)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise _unusable("it is not a URL") from None
    match address.get_backend_name():
        case "sqlite" if address.database and address.database != ":memory:":
            return address.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise _unusable("it names no file")
        case "postgresql" | "postgres":
            return address
        case other:
            raise _unusable(f'"{other}" is not supported')


def _unusable(problem: str) -> ConfigurationError:
    message = f"{problem}; expected sqlite:///path/to/parley.db or postgresql://user:password@host/name"
    return ConfigurationError(f"DATABASE_URL: {message}", fields=[FieldProblem(path="DATABASE_URL", message=message)])


def _prepare(address: URL) -> None:
    """The file holds conversations and hashes: nobody else on the machine may read it."""
    path = Path(address.database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))


def _set_up_writing(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    # FULL: a commit is on the disk when it is acknowledged. Groups make that one flush for many messages.
    _pragmas(connection, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000")


def _set_up_reading(connection: Any, _record: Any) -> None:
    _pragmas(connection, "query_only=ON", "foreign_keys=ON", "cache_size=-8000")


def _begin_writing(connection: Connection) -> None:
    # The driver would begin later and as a reader, and then fail where another process writes.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _pragmas(connection: Any, *settings: str) -> None:
    cursor = connection.cursor()
    for setting in settings:
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()
