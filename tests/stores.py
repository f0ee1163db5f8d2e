"""PostgreSQL and Redis for tests: a database and a prefix of their own on servers that are reachable, else the test is skipped.

`PARLEY_TEST_POSTGRES_URL` and `PARLEY_TEST_REDIS_URL` name others than the usual ones of this machine.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import asyncpg
import pytest
import redis

POSTGRES_URL = os.environ.get("PARLEY_TEST_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432/test").replace("+asyncpg", "")
REDIS_URL = os.environ.get("PARLEY_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")
REACH_SECONDS = 5.0


@contextmanager
def own_database() -> Iterator[str]:
    """The URL of an empty database, which is gone afterwards."""
    name = f"parley_test_{uuid.uuid4().hex}"
    try:
        asyncio.run(execute(POSTGRES_URL, f"CREATE DATABASE {name}"))
    except (OSError, asyncpg.PostgresError) as error:
        missing("PostgreSQL", error)
    try:
        yield f"{POSTGRES_URL.rpartition('/')[0]}/{name}"
    finally:
        asyncio.run(execute(POSTGRES_URL, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


@contextmanager
def own_prefix() -> Iterator[str]:
    """A prefix for keys of one's own in Redis; what begins with it is gone afterwards."""
    prefix = f"parley-test-{uuid.uuid4().hex}:"
    with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=REACH_SECONDS) as connection:
        try:
            connection.ping()
        except redis.RedisError as error:
            missing("Redis", error)
        try:
            yield prefix
        finally:
            for key in connection.scan_iter(f"{prefix}*", count=1000):
                connection.delete(key)


async def execute(url: str, *statements: str) -> list[Any]:
    """Run statements by themselves, outside a transaction; the rows of the last."""
    connection = await asyncpg.connect(url, timeout=REACH_SECONDS)
    try:
        rows: list[Any] = []
        for statement in statements:
            rows = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def missing(server: str, error: object) -> NoReturn:
    """Skip, unless this run is one where every server has to be there."""
    reason = f"{server} is not reachable: {error}"
    if os.environ.get("PARLEY_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
