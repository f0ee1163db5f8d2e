"""Clients that hold on and do nothing: they cost little, keep nobody waiting, and lose nothing that was said."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from .server_process import ServerProcess, collected, running_server

READERS = 40
IDLE_SOCKETS = 5_000
# What the test itself, and the server, need beside the connections.
OTHER_FILES = 150
READERS_MEMORY_MB = 80
SOCKET_MEMORY_KB = 12
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads a process's memory from /proc")


def memory_mb(process_id: int) -> float:
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@asynccontextmanager
async def connections(server: ServerProcess, count: int) -> AsyncIterator[list[socket.socket]]:
    """So many connections that take next to nothing in."""
    address, loop = urlsplit(server.url), asyncio.get_running_loop()
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(socket.socket())
            opened[-1].setblocking(False)
            opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            await loop.sock_connect(opened[-1], (address.hostname, address.port))
        yield opened
    finally:
        for connection in opened:
            connection.close()


async def ask_and_read_no_further_than_the_status(connection: socket.socket, token: str, session_id: str) -> None:
    body = json.dumps({"sessionId": session_id, "message": "long"}).encode()
    head = f"POST /api/v1/chat/message HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, request)
    assert (await loop.sock_recv(connection, len("HTTP/1.1 200"))).endswith(b"200")


async def test_who_never_reads_keeps_nobody_waiting_and_the_answer_is_whole(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        token = (await server.sign_up("ada")).token
        sessions = [await server.session(token) for _ in range(READERS)]
        whole = (await server.answer(token, await server.session(token), "long"))["assistantMessage"]["content"]
        before = memory_mb(server.process.pid)
        async with connections(server, READERS) as deaf, asyncio.timeout(PATIENCE_SECONDS):
            for connection, session_id in zip(deaf, sessions, strict=True):
                await ask_and_read_no_further_than_the_status(connection, token, session_id)
            for session_id in sessions:
                events = await collected(server.events("GET", f"/api/v1/chat/sessions/{session_id}/stream", token=token))
                assert events[-1].data["type"] == "done"
                messages = await server.request("GET", f"/api/v1/chat/sessions/{session_id}/messages", token=token)
                assert messages.json()["items"][-1]["content"] == whole
            assert memory_mb(server.process.pid) - before < READERS_MEMORY_MB


async def test_thousands_of_idle_connections_cost_little_and_keep_nobody_out(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = min(hard, IDLE_SOCKETS + OTHER_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, allowed), hard))
    try:
        async with running_server(tmp_path) as server:
            token = (await server.sign_up("ada")).token
            before = memory_mb(server.process.pid)
            count = allowed - OTHER_FILES
            async with connections(server, count), asyncio.timeout(PATIENCE_SECONDS):
                assert (await server.answer(token, await server.session(token), "table"))["success"]
                assert memory_mb(server.process.pid) - before < count * SOCKET_MEMORY_KB / 1024
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
