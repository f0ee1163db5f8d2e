"""Two servers on one Redis: a limit is one limit, an answer is remembered on both, and without Redis each keeps to its share."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..stores import PrivateRedis, own_database
from .server_process import Reply, ServerProcess

pytestmark = pytest.mark.services

LIMITS = """
[limits]
user = {requests_per_minute = 10}
[cache]
enabled = true
"""
SECRETS = {"JWT_SECRET": "j" * 20 + "0123456789abcdef", "PARLEY_SECRET_KEY": "s" * 20 + "0123456789abcdef"}


async def completion(server: ServerProcess, token: str, **fields: object) -> Reply:
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}], **fields}
    return await server.request("POST", "/v1/chat/completions", token=token, json=body)


@pytest.fixture
def database_url() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path)
    server.start()
    yield server
    server.stop()


async def test_two_servers_share_one_limit_and_survive_the_loss_of_redis(tmp_path: Path, database_url: str, redis: PrivateRedis) -> None:
    variables = {"DATABASE_URL": database_url, "REDIS_URL": redis.url, "DEMO": "on", **SECRETS}
    servers: list[ServerProcess] = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "parley.toml").write_text(LIMITS)
        servers.append(ServerProcess(tmp_path / name, variables))
    try:
        await asyncio.gather(*(server.start() for server in servers))
        await _share(servers, redis)
    finally:
        redis.thaw()
        await asyncio.gather(*(server.aclose() for server in servers))


async def _share(servers: list[ServerProcess], redis: PrivateRedis) -> None:
    here, there = servers
    ada = (await here.sign_up("ada")).token
    bob, cleo = (await here.sign_up("bob")).token, (await here.sign_up("cleo")).token
    replies = await asyncio.gather(*(completion(servers[number % 2], ada) for number in range(100)))
    assert Counter(reply.status for reply in replies) == {200: 10, 429: 90}
    assert all(0 < int(reply.headers["retry-after"]) <= 60 for reply in replies if reply.status == 429)

    assert (await completion(here, cleo, temperature=0)).headers["x-parley-cache"] == "miss"
    found = [(await completion(there, cleo, temperature=0)).headers["x-parley-cache"] for _ in range(5)]
    assert "hit" in found  # it is written soon after the answer, not before it

    async with asyncio.timeout(20):
        while "parley_replicas 2.0" not in (await there.request("GET", "/metrics")).body.decode():  # noqa: ASYNC110 - within seconds
            await asyncio.sleep(0.05)
    redis.freeze()
    began = time.monotonic()
    replies = await asyncio.gather(*(completion(there, bob) for _ in range(20)))
    assert Counter(reply.status for reply in replies) == {200: 5, 429: 15}  # half of ten: there are two
    assert time.monotonic() - began < 20
    assert (await there.request("GET", "/health")).json()["limits"] == "local"
    assert "parley_limits_local 1.0" in (await there.request("GET", "/metrics")).body.decode()
    redis.thaw()
    await there.said("limits are shared again")
    assert "limits" not in (await there.request("GET", "/health")).json()
