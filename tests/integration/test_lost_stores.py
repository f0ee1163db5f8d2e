"""PostgreSQL and Redis of the test's own are stopped and started under load: what is refused, what goes on, and that nothing is lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ..stores import PrivatePostgres, PrivateRedis
from .server_process import Reply, ServerProcess, StreamedEvent
from .socket_client import folded, socket_of, soon

pytestmark = pytest.mark.services

STREAMS = 10
SECRETS = {"JWT_SECRET": "j" * 20 + "0123456789abcdef", "PARLEY_SECRET_KEY": "s" * 20 + "0123456789abcdef"}
SLOW = "slow"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the servers are read on it."""
    return "asyncio"


@pytest.fixture(scope="module")
def postgres() -> Iterator[PrivatePostgres]:
    server = PrivatePostgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path_factory.mktemp("redis"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


class Pair:
    """`here` makes the answers; `key` opens `/v1`."""

    def __init__(self, here: ServerProcess, there: ServerProcess) -> None:
        self.here = here
        self.there = there
        self.token = self.key = ""

    async def sign_up(self) -> None:
        self.token = (await self.here.sign_up("ada")).token
        made = await self.here.request("POST", "/api/v1/keys", token=self.token, json={"name": "script"})
        self.key = made.json()["key"]

    async def completion(self) -> Reply:
        body = {"model": "demo", "messages": [{"role": "user", "content": "code"}]}
        return await self.here.request("POST", "/v1/chat/completions", token=self.key, json=body)

    async def metric(self, name: str) -> float:
        lines = (await self.there.request("GET", "/metrics")).body.decode().splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory, postgres: PrivatePostgres, redis_server: PrivateRedis) -> AsyncIterator[Pair]:
    variables = {"DATABASE_URL": postgres.url, "REDIS_URL": redis_server.url, "ANSWER_HEARTBEAT_SECONDS": "1", "DEMO": "on", **SECRETS}
    servers = [ServerProcess(tmp_path_factory.mktemp(name), variables) for name in ("here", "there")]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        pair = Pair(*servers)
        await pair.sign_up()
        yield pair
    finally:
        await asyncio.gather(*(server.aclose() for server in servers))


class Reader:
    """Reads an answer in the background."""

    def __init__(self, pair: Pair, session_id: str) -> None:
        self.session_id = session_id
        self.seen: list[StreamedEvent] = []
        self._news = asyncio.Condition()
        self.task = asyncio.create_task(self._read(pair))

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(30), self._news:
            await self._news.wait_for(condition)

    @property
    def tokens(self) -> int:
        return sum(event.data.get("type") == "token" for event in self.seen)

    @property
    def acknowledged(self) -> int:
        return max((int(event.id.rpartition(":")[2]) for event in self.seen if event.id), default=0)

    async def _read(self, pair: Pair) -> None:
        body = {"sessionId": self.session_id, "message": SLOW}
        async with aclosing(pair.here.events("POST", "/api/v1/chat/message", token=pair.token, json=body)) as events:
            async for event in events:
                async with self._news:
                    self.seen.append(event)
                    self._news.notify_all()


async def test_without_the_database_what_runs_goes_on_and_what_is_new_is_refused(pair: Pair, postgres: PrivatePostgres) -> None:
    assert (await pair.completion()).status == 200
    readers = [Reader(pair, await pair.here.session(pair.token)) for _ in range(STREAMS)]
    fresh = await pair.here.session(pair.token)
    for reader in readers:
        await reader.until(lambda reader=reader: reader.acknowledged >= 1)
    await asyncio.to_thread(postgres.stop)

    refused = await pair.here.request("POST", "/api/v1/chat/message", token=pair.token, json={"sessionId": fresh, "message": "code"})
    assert (refused.status, refused.json()["code"], refused.json()["retryable"]) == (503, "storage_unavailable", True)
    assert refused.headers["retry-after"]
    assert (await pair.here.request("GET", "/ready")).status == 503
    assert (await pair.here.request("GET", "/health")).status == 200
    assert (await pair.completion()).status == 200, "what needs no storage goes on"
    before = [(reader.tokens, reader.acknowledged) for reader in readers]
    for reader, (tokens, _) in zip(readers, before, strict=True):
        await reader.until(lambda reader=reader, tokens=tokens: reader.tokens >= tokens + 2)

    await asyncio.to_thread(postgres.start)
    for reader, (tokens, _) in zip(readers, before, strict=True):
        await reader.until(lambda reader=reader, tokens=tokens: reader.acknowledged >= tokens + 2)
    for reader in readers:
        await pair.here.request("POST", f"/api/v1/chat/sessions/{reader.session_id}/cancel", token=pair.token)
        await soon(reader.task)
        fold = folded([event.data for event in reader.seen])
        assert fold.ending["finishReason"] == "cancelled"
        messages = await pair.there.request("GET", f"/api/v1/chat/sessions/{reader.session_id}/messages", token=pair.token)
        assert max(messages.json()["items"], key=lambda message: message["id"])["content"] == fold.text
    assert (await pair.here.answer(pair.token, fresh, "code"))["assistantMessage"]["content"]


async def test_without_redis_readers_elsewhere_follow_by_the_database_and_stop_still_stops(pair: Pair, redis_server: PrivateRedis) -> None:
    reader = Reader(pair, await pair.here.session(pair.token))
    await reader.until(lambda: reader.acknowledged >= 1)
    async with socket_of(pair.there, pair.token) as socket:
        await socket.say("resume", sessionId=reader.session_id)
        await socket.until("token")
        await asyncio.to_thread(redis_server.stop)
        for _ in range(3):
            await socket.until("token")
        assert await pair.metric("parley_bus_connected") == 0
        assert (await pair.there.request("GET", "/api/v1/providers", token=pair.token)).json()["serversApart"] is True
        assert (await pair.there.answer(pair.token, await pair.there.session(pair.token), "code"))["assistantMessage"]["content"]
        asked_at = time.monotonic()
        await socket.say("cancel", sessionId=reader.session_id)
        await soon(reader.task)
        assert time.monotonic() - asked_at < 4, "by the note in the database"
        assert (await socket.until("done"))["finishReason"] == "cancelled"
        assert folded(socket.heard).text == folded([event.data for event in reader.seen]).text
    await asyncio.to_thread(redis_server.start)
    deadline = time.monotonic() + 10
    while await pair.metric("parley_bus_connected") != 1 or await pair.metric("parley_replicas") != 2:
        assert time.monotonic() < deadline, "both are back on the bus by themselves"


@pytest.mark.parametrize("variable", ["DATABASE_URL", "REDIS_URL"])
async def test_a_server_with_a_wrong_address_says_so_and_does_not_start(tmp_path: Path, pair: Pair, variable: str) -> None:
    wrong = {"DATABASE_URL": "postgresql://me:s3cret-pass@127.0.0.1:1/x", "REDIS_URL": "redis://:s3cret-pass@127.0.0.1:1/0"}
    server = ServerProcess(tmp_path, {**pair.here.variables, "PARLEY_DATA_DIR": str(tmp_path / "data"), variable: wrong[variable]})
    with pytest.raises(AssertionError, match="ended before it was ready"):
        await server.start()
    await server.aclose()
    assert variable in server.output
    assert "127.0.0.1:1" in server.output
    assert "s3cret" not in server.output
    assert "Traceback" not in server.output
