"""Two servers on one PostgreSQL and one Redis: an answer is read, stopped and survived on whichever of them somebody asks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from ..stores import REDIS_URL, execute, own_database, own_prefix
from .server_process import Account, ServerProcess, StreamedEvent, collected
from .socket_client import SocketClient, folded, socket_of, soon

pytestmark = pytest.mark.services

STREAMS = 50
TOKENS = 6
WORD_SECONDS = 0.4
DEAD_AFTER_SECONDS = 2.0
SECRETS = {"JWT_SECRET": "j" * 20 + "0123456789abcdef", "PARLEY_SECRET_KEY": "s" * 20 + "0123456789abcdef"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the servers are read on it."""
    return "asyncio"


class Upstream:
    """A vendor that says a word now and then, for ever; `left_at` is when somebody hung up on it last."""

    def __init__(self) -> None:
        self.left_at = 0.0
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split()[0]))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        hanging_up = asyncio.create_task(reader.read())
        while not hanging_up.done():
            choices = [{"index": 0, "delta": {"content": "word "}}]
            chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
            body = b"data: " + json.dumps(chunk).encode() + b"\n\n"
            writer.write(b"%x\r\n%s\r\n" % (len(body), body))
            await asyncio.wait({hanging_up}, timeout=WORD_SECONDS)
        self.left_at = time.monotonic()
        self.left.set()
        writer.close()


class Pair:
    """`here` and `there` serve the same people."""

    def __init__(self, here: ServerProcess, there: ServerProcess, *, database_url: str, upstream: Upstream) -> None:
        self.here = here
        self.there = there
        self.database_url = database_url
        self.upstream = upstream
        self.account = Account("", "", "", "")

    @property
    def token(self) -> str:
        return self.account.token

    @asynccontextmanager
    async def asking(self, session_id: str, message: str) -> AsyncIterator[Any]:
        """The events of an answer that `here` makes."""
        body = {"sessionId": session_id, "message": message}
        async with aclosing(self.here.events("POST", "/api/v1/chat/message", token=self.token, json=body)) as events:
            yield events

    async def messages(self, session_id: str) -> list[dict[str, Any]]:
        """As `there` shows them, oldest first."""
        reply = await self.there.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=self.token)
        return sorted(reply.json()["items"], key=lambda message: message["id"])


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with own_database() as url:
        yield url


@pytest.fixture(scope="module")
def redis_prefix() -> Iterator[str]:
    with own_prefix() as prefix:
        yield prefix


@pytest.fixture(scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory, database_url: str, redis_prefix: str) -> AsyncIterator[Pair]:
    upstream = Upstream()
    listening = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    variables = {
        "DATABASE_URL": database_url.replace("postgresql://", "postgresql+asyncpg://"),
        "REDIS_URL": REDIS_URL,
        "REDIS_PREFIX": redis_prefix,
        "ANSWER_HEARTBEAT_SECONDS": "0.5",
        "ANSWER_DEAD_AFTER_SECONDS": str(DEAD_AFTER_SECONDS),
        "DEMO": "on",
        "OPENAI_COMPATIBLE_ENDPOINT": f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1",
        "OPENAI_COMPATIBLE_MODEL": "m",
        **SECRETS,
    }
    servers = [ServerProcess(tmp_path_factory.mktemp(name), variables) for name in ("here", "there")]
    try:
        await asyncio.gather(*(server.start() for server in servers))
        pair = Pair(*servers, database_url=database_url, upstream=upstream)
        pair.account = await pair.here.sign_up("ada")
        yield pair
    finally:
        await asyncio.gather(*(server.aclose() for server in servers))
        listening.close()


def acknowledged(events: list[StreamedEvent]) -> tuple[str, int]:
    last = next((event.id for event in reversed(events) if event.id), ":0")
    message_id, _, seq = last.rpartition(":")
    return message_id, int(seq)


async def read_until_acknowledged(events: Any, count: int) -> list[StreamedEvent]:
    seen: list[StreamedEvent] = []
    async for event in events:
        seen.append(event)
        if acknowledged(seen)[1] >= count:
            return seen
    raise AssertionError(f"it ended before that: {seen[-3:]}")


async def test_an_answer_is_read_on_the_other_server_over_sse_and_websocket_while_it_is_made(pair: Pair) -> None:
    session_id = await pair.there.session(pair.token)
    async with pair.asking(session_id, "slow") as events, socket_of(pair.there, pair.token) as socket:
        seen = await read_until_acknowledged(events, 2)
        message_id, seq = acknowledged(seen)
        second = await pair.there.request("POST", "/api/v1/chat/message", token=pair.token, json={"sessionId": session_id, "message": "x"})
        assert (second.status, second.json()["code"]) == (409, "generation_running")
        path = f"/api/v1/chat/sessions/{session_id}"
        assert (await pair.there.request("GET", path, token=pair.token)).json()["running"] is True
        assert (await pair.there.request("DELETE", f"{path}/context", token=pair.token)).status == 409
        await socket.say("resume", sessionId=session_id)
        stream = f"/api/v1/chat/sessions/{session_id}/stream"
        last_event_id = {"Last-Event-ID": f"{message_id}:{seq}"}
        other = asyncio.create_task(collected(pair.there.events("GET", stream, token=pair.token, headers=last_event_id)))
        on_socket = asyncio.create_task(arrivals(socket))
        arrived: dict[int, float] = {}
        async for event in events:
            seen.append(event)
            arrived[event.data.get("seq", 0)] = time.monotonic()
            if len(arrived) == TOKENS:
                await socket.say("cancel", sessionId=session_id)
        lags = [at - arrived[seq] for seq, at in (await on_socket).items() if seq in arrived]
        over_sse = await other
    here, there = folded([event.data for event in seen]), folded([event.data for event in over_sse])
    assert over_sse[0].data["type"] == "snapshot"
    assert there.parts == here.parts == folded(socket.heard).parts
    assert there.ending == here.ending
    assert here.ending["finishReason"] == "cancelled"
    assert over_sse[-1].id == f"{message_id}:{here.ending['seq']}"
    assert (await pair.messages(session_id))[-1]["content"] == here.text
    assert sorted(lags)[len(lags) // 2] < 0.2, "live, and sooner than the log is stored"


async def arrivals(socket: SocketClient) -> dict[int, float]:
    """When each token came, by its number."""
    arrived: dict[int, float] = {}
    while (event := await socket.until("token", "done"))["type"] == "token":
        arrived[event["seq"]] = time.monotonic()
    return arrived


async def test_stop_on_the_other_server_closes_the_upstream_at_once(pair: Pair) -> None:
    seconds: list[float] = []
    while len(seconds) < 3 and min(seconds, default=1.0) > 0.2:  # a busy machine may be late once, and is no worse for it
        session_id = await pair.here.session(pair.token, provider="openai-compatible")
        async with pair.asking(session_id, "x") as events:
            await read_until_acknowledged(events, 1)
            pair.upstream.left.clear()
            asked_at = time.monotonic()
            cancelled = await pair.there.request("POST", f"/api/v1/chat/sessions/{session_id}/cancel", token=pair.token)
            assert cancelled.json() == {"cancelled": True}
            await soon(pair.upstream.left.wait())
            seconds.append(pair.upstream.left_at - asked_at)
            ending = [event.data async for event in events][-1]
        assert ending["finishReason"] == "cancelled"
        assert (await pair.messages(session_id))[-1]["content"].startswith("word")
    assert min(seconds) < 0.2, "100 ms, and the way there"


async def test_a_provider_that_is_set_up_on_one_server_answers_on_the_other(pair: Pair) -> None:
    changes = {"provider": "demo", "enabled": True}
    assert (await pair.here.request("PUT", "/api/v1/admin/providers/stage", token=pair.token, json=changes)).status == 200
    async with asyncio.timeout(5):
        while "stage" not in (await pair.there.request("GET", "/api/v1/providers", token=pair.token)).body.decode():
            pass
    session_id = await pair.there.session(pair.token, provider="stage")
    assert (await pair.there.answer(pair.token, session_id, "code"))["assistantMessage"]["content"]
    await pair.here.request("DELETE", "/api/v1/admin/providers/stage", token=pair.token)


class Reader:
    """Reads an answer until its server is gone."""

    def __init__(self) -> None:
        self.seen: list[StreamedEvent] = []
        self.ready = asyncio.Event()

    async def read(self, pair: Pair, session_id: str) -> None:
        try:
            async with pair.asking(session_id, "x") as events:
                async for event in events:
                    self.seen.append(event)
                    if acknowledged(self.seen)[1] >= 2:
                        self.ready.set()
        except aiohttp.ClientError:
            return

    @property
    def acknowledged_text(self) -> str:
        seq = acknowledged(self.seen)[1]
        tokens = [event.data for event in self.seen if event.data.get("type") == "token"]
        return "".join(token["content"] for token in tokens if token["seq"] <= seq)


async def test_a_server_killed_amid_many_streams_loses_nothing_acknowledged(pair: Pair) -> None:
    sessions = [await pair.here.session(pair.token, provider="openai-compatible") for _ in range(STREAMS)]
    readers = [Reader() for _ in sessions]
    reading = [asyncio.create_task(reader.read(pair, session_id)) for reader, session_id in zip(readers, sessions, strict=True)]
    await soon(asyncio.gather(*(reader.ready.wait() for reader in readers)))
    await pair.here.kill()
    killed_at = time.monotonic()
    await asyncio.gather(*reading)

    async def resume(session_id: str, reader: Reader) -> list[StreamedEvent]:
        message_id, seq = acknowledged(reader.seen)
        headers = {"Last-Event-ID": f"{message_id}:{seq}"}
        return await collected(pair.there.events("GET", f"/api/v1/chat/sessions/{session_id}/stream", token=pair.token, headers=headers))

    resumed = await asyncio.gather(*map(resume, sessions, readers))
    seconds = time.monotonic() - killed_at
    for reader, events in zip(readers, resumed, strict=True):
        fold = folded([event.data for event in events])
        assert fold.text.startswith(reader.acknowledged_text)
        assert reader.acknowledged_text
        assert fold.ending["finishReason"] == "interrupted"
        assert fold.ending["messageId"] == acknowledged(reader.seen)[0]

    assert seconds < DEAD_AFTER_SECONDS + 4, "within the reaper's time, and the time of a beat and a look"
    assert await execute(pair.database_url, "SELECT 1 FROM generations WHERE state = 'running'") == []
    for session_id, events in zip(sessions[:3], resumed, strict=False):
        assert (await pair.messages(session_id))[-1]["content"] == folded([event.data for event in events]).text

    await pair.here.start()
    assert (await pair.here.answer(pair.token, await pair.there.session(pair.token), "code"))["assistantMessage"]["content"]
    goes_on = Reader()
    going_on = asyncio.create_task(goes_on.read(pair, sessions[0]))
    await soon(goes_on.ready.wait())
    await pair.there.request("POST", f"/api/v1/chat/sessions/{sessions[0]}/cancel", token=pair.token)
    await soon(going_on)


async def test_servers_of_this_version_go_on_when_a_newer_one_has_changed_the_tables(pair: Pair) -> None:
    """As migrations may: they add what older servers neither write nor miss."""
    session_id = await pair.here.session(pair.token)
    async with pair.asking(session_id, "slow") as events:
        seen = await read_until_acknowledged(events, 1)
        await execute(
            pair.database_url,
            *(f"ALTER TABLE {table} ADD COLUMN of_the_future TEXT" for table in ("sessions", "messages", "generations", "users")),
            "CREATE TABLE things_of_the_future (id TEXT PRIMARY KEY)",
            "UPDATE alembic_version SET version_num = '9999'",
        )
        await pair.there.request("POST", f"/api/v1/chat/sessions/{session_id}/cancel", token=pair.token)
        seen += [event async for event in events]
    assert seen[-1].data["finishReason"] == "cancelled"
    for server in (pair.here, pair.there):
        assert (await server.answer(pair.token, session_id, "code"))["assistantMessage"]["content"]
        await server.sign_up(f"eve-{server is pair.here}")


async def test_what_is_set_on_one_is_in_force_on_the_other(pair: Pair) -> None:
    body = {"targets": [{"model": "demo/demo"}]}
    assert (await pair.here.request("PUT", "/api/v1/admin/routes/wide", token=pair.token, json=body)).status == 200
    question = {"model": "wide", "messages": [{"role": "user", "content": "code"}]}
    async with asyncio.timeout(10):
        while (await pair.there.request("POST", "/v1/chat/completions", token=pair.token, json=question)).status == 404:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    audit = await pair.there.request("GET", "/api/v1/admin/audit", token=pair.token)
    assert audit.json()["items"][0]["subject"] == "wide"


async def test_a_server_that_is_told_to_end_finishes_what_is_read_elsewhere(pair: Pair) -> None:
    session_id = await pair.here.session(pair.token, provider="openai-compatible")
    reader = Reader()
    reading = asyncio.create_task(reader.read(pair, session_id))
    await soon(reader.ready.wait())
    async with socket_of(pair.there, pair.token) as socket:
        await socket.say("resume", sessionId=session_id)
        await socket.until("token")
        ending = asyncio.create_task(pair.here.stop())
        await pair.here.said("ending")
        for _ in range(2):
            await socket.until("token")
        await socket.say("cancel", sessionId=session_id)
        assert (await socket.until("done"))["finishReason"] == "cancelled"
        assert await soon(ending) == 0
        await soon(reading)
        assert folded(socket.heard).text == (await pair.messages(session_id))[-1]["content"]

    # The tables are of a newer version since a test before: whoever is started anew does not guess what they mean.
    with pytest.raises(AssertionError, match="another version"):
        await pair.here.start()
