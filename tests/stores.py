"""PostgreSQL and Redis for tests: a database and a prefix of their own on servers that are reachable, else the test is skipped.

`PARLEY_TEST_POSTGRES_URL` and `PARLEY_TEST_REDIS_URL` name others than the usual ones of this machine.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


class PrivateRedis:
    """A Redis of a test's own, which may be stopped and started on the same port."""

    def __init__(self, directory: Path) -> None:
        self._program = shutil.which("redis-server") or shutil.which("valkey-server")
        if self._program is None:
            missing("Redis", "neither redis-server nor valkey-server is installed")
        self._directory = directory
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        command = [str(self._program), "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(command, cwd=self._directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as connection:
            wait_until(lambda: _pings(connection), "redis-server answers")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """The worst way to be lost: connections stand, and nobody answers."""
        assert self._process is not None, "it was not started"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None, "it was not started"
        self._process.send_signal(signal.SIGCONT)


class PrivatePostgres:
    """A PostgreSQL of a test's own, which may be stopped and started on the same port. Its programs refuse to run as root."""

    def __init__(self) -> None:
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        control = shutil.which("pg_ctl")
        programs = installed[-1] if installed else Path(control).parent if control else None
        if programs is None or not (programs / "initdb").exists():
            missing("PostgreSQL", "its programs are not installed")
        self._programs = programs
        self._user: list[str] = []
        self._data = Path(tempfile.mkdtemp(prefix="parley-postgres-"))
        if os.getuid() == 0:
            account = next((account for account in pwd.getpwall() if account.pw_name == "postgres"), None)
            if account is None or shutil.which("setpriv") is None:
                missing("PostgreSQL", "there is no user postgres, or no setpriv to become it")
            self._user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups", "--"]
            os.chown(self._data, account.pw_uid, account.pw_gid)
        self._port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self._port}/postgres"
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C", "-D", str(self._data))

    def start(self) -> None:
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self._data} -c fsync=off"
        self._run("pg_ctl", "start", "-w", "-D", str(self._data), "-o", options, "-l", str(self._data / "log"))

    def stop(self) -> None:
        """At once, as a crash would; nothing where it does not run."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", str(self._data))

    def remove(self) -> None:
        """Stop it and forget its data."""
        self.stop()
        shutil.rmtree(self._data)

    def _run(self, program: str, *arguments: str) -> None:
        # Its children keep what they inherit: a pipe would never end.
        command = [*self._user, str(self._programs / program), *arguments]
        subprocess.run(command, cwd=self._data, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def _pings(connection: redis.Redis) -> bool:
    try:
        return bool(connection.ping())
    except redis.RedisError:
        return False


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 20.0) -> None:
    """Ask until it is so. For other processes, which have no event to wait for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"in {seconds:.0f} s it never came to this: {what}"
        time.sleep(0.02)


async def eventually(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    """Ask until it is so. For what a connection notices by itself, and tells nobody."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
