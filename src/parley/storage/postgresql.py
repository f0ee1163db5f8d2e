"""PostgreSQL as `Database` uses it: one connection writes, a few read, all on the event loop. Knows no statement and no table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from parley.contract.errors import ConfigurationError, FieldProblem
from parley.storage.errors import StorageUnavailableError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

READERS: Final = 8
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 20.0
"""A statement that takes longer than this is given up: a server that hangs is as good as away."""
POOL_SECONDS: Final = 10.0

# Classes of the standard's codes that no waiting mends: who we are, and what the address names.
_WRONG_FOR_GOOD: Final = ("28", "3D", "42")

_Result = TypeVar("_Result")


class CannotConnectError(OSError):
    """No connection was to be had. `permanent` says that the address is wrong, so that trying again is useless."""

    def __init__(self, message: str, *, permanent: bool) -> None:
        super().__init__(message)
        self.permanent = permanent


class PostgreSQL:
    """Two pools: however many read, whoever writes finds a connection; and readers cannot write."""

    def __init__(self, address: URL) -> None:
        # It brings the ORM along, for which SQLite's start has no time.
        from sqlalchemy.ext.asyncio import create_async_engine

        self._dsn = address.set(drivername="postgresql").render_as_string(hide_password=False)
        self._place = f"{address.host or 'localhost'}:{address.port or 5432}"

        def engine(connections: int, *, isolation: Any, **settings: str) -> AsyncEngine:
            async def connect() -> Any:
                return await self._connect(settings)

            return create_async_engine(
                "postgresql+asyncpg://",
                async_creator=connect,
                pool_size=connections,
                max_overflow=0,
                pool_timeout=POOL_SECONDS,
                pool_pre_ping=True,
                isolation_level=isolation,
            )

        self._writing = engine(1, isolation="READ COMMITTED")
        # Each statement sees what is committed by then; a transaction around it would be two trips more.
        self._reading = engine(READERS, isolation="AUTOCOMMIT", default_transaction_read_only="on")

    async def check(self) -> None:
        """Look at the server once. Raises ConfigurationError for what only another address mends, else StorageUnavailableError."""
        from sqlalchemy import text

        try:
            encoding = await self.read(lambda connection: connection.execute(text("SHOW server_encoding")).scalar())
        except CannotConnectError as error:
            if error.permanent:
                raise _wrong_address(f"PostgreSQL at {self._place} refuses it: {error}") from error
            message = f"DATABASE_URL: PostgreSQL at {self._place} cannot be reached: {error}; start it, or give another address"
            raise StorageUnavailableError(message) from error
        if encoding != "UTF8":
            raise _wrong_address(f"the database's encoding is {encoding}; make one with ENCODING 'UTF8'")

    async def read(self, work: Callable[[Connection], _Result]) -> _Result:
        """What the function returns, on a connection for reading."""
        async with self._reading.connect() as connection:
            return await connection.run_sync(work)

    async def write(self, work: Callable[[Connection], _Result]) -> _Result:
        """What the function returns, on the connection for writing."""
        async with self._writing.connect() as connection:
            return await connection.run_sync(work)

    async def aclose(self) -> None:
        """Let go of every connection."""
        await self._reading.dispose()
        await self._writing.dispose()

    async def _connect(self, settings: dict[str, str]) -> Any:
        import asyncpg

        open_connection: Any = asyncpg.connect  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - it has no types
        try:
            return await open_connection(
                self._dsn,
                timeout=CONNECT_SECONDS,
                command_timeout=STATEMENT_SECONDS,
                server_settings={"application_name": "parley", **settings},
            )
        except asyncpg.PostgresError as error:
            code = str(getattr(error, "sqlstate", ""))
            raise CannotConnectError(str(error), permanent=code.startswith(_WRONG_FOR_GOOD)) from error
        except (asyncpg.InterfaceError, ValueError) as error:
            raise CannotConnectError(str(error), permanent=True) from error
        except TimeoutError as error:
            raise CannotConnectError(f"no answer within {CONNECT_SECONDS:.0f} s", permanent=False) from error
        except OSError as error:
            raise CannotConnectError(error.strerror or str(error), permanent=False) from error


def _wrong_address(problem: str) -> ConfigurationError:
    return ConfigurationError(f"DATABASE_URL: {problem}", fields=[FieldProblem(path="DATABASE_URL", message=problem)])
