"""The proxies of `deploy/` before a real server: every token at once, WebSockets, large bodies, and whose address it was."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from parley.server.policy import MEBIBYTE
from parley.testing.replay import Answer, ReplayServer

from ..stores import free_port
from .server_process import PASSWORD, ServerProcess
from .socket_client import socket_of

DEPLOY = Path(__file__).parents[2] / "deploy"
# Another address of this machine than the one that proxies come from.
FROM_ELSEWHERE = "127.0.0.2"
START_SECONDS = 20.0
PIECES = [
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"one "}}]}\n\n',
    b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"two"}}]}\n\n',
    b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
]


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def nginx(directory: Path, *, port: int, upstream: str) -> tuple[list[str], dict[str, str]]:
    """The example as it is, but for its two addresses, within the least that nginx needs around it."""
    text = (DEPLOY / "nginx" / "parley.conf").read_text(encoding="utf-8")
    for given, here in (("listen 80;", f"listen 127.0.0.1:{port};"), ("server 127.0.0.1:4000", f"server {upstream}")):
        assert text.count(given) == 1
        text = text.replace(given, here)
    (directory / "parley.conf").write_text(text, encoding="utf-8")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {directory / kind};" for kind in kinds)
    whole = f"daemon off; master_process off; pid {directory / 'pid'}; error_log {directory / 'errors'};"
    whole += f"events {{}} http {{ access_log off; {paths} include {directory / 'parley.conf'}; }}"
    (directory / "nginx.conf").write_text(whole, encoding="utf-8")
    return [program("nginx"), "-p", str(directory), "-e", str(directory / "errors"), "-c", str(directory / "nginx.conf")], {}


def caddy(directory: Path, *, port: int, upstream: str) -> tuple[list[str], dict[str, str]]:
    """The example as it is, by its own variables."""
    command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(DEPLOY / "caddy" / "Caddyfile")]
    variables = {"PARLEY_SITE": f"http://127.0.0.1:{port}", "PARLEY_UPSTREAMS": upstream}
    places = {"HOME": str(directory), "XDG_DATA_HOME": str(directory), "XDG_CONFIG_HOME": str(directory)}
    return command, {**variables, **places, "CADDY_ADMIN": f"127.0.0.1:{free_port()}"}


class Proxied(ServerProcess):
    """A server that is asked through its proxy."""

    proxy = ""

    @property
    def url(self) -> str:
        return self.proxy or super().url


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One event loop for the module: the server is read on it."""
    return "asyncio"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Proxied, str]]:
    """One for all proxies, with somebody's token; its vendor leaves a second between two words."""
    lengths = [len(piece) for piece in PIECES[:-1]]
    headers = {"content-type": "text/event-stream"}
    slow = Answer(headers=headers, body=b"".join(PIECES), streamed=True, pieces=lengths, gap_seconds=1.0)
    async with ReplayServer(slow, slow) as vendor:
        variables = {"OPENAI_COMPATIBLE_ENDPOINT": vendor.url, "OPENAI_COMPATIBLE_MODEL": "m", "DEMO": "on"}
        server = Proxied(tmp_path_factory.mktemp("server"), {"TRUSTED_PROXIES": "127.0.0.1", **variables})
        try:
            await server.start()
            yield server, (await server.sign_up("ada")).token
        finally:
            await server.aclose()


@asynccontextmanager
async def behind(make: Any, server: Proxied, directory: Path) -> AsyncIterator[None]:
    """As long as this lasts, the server is asked through the proxy."""
    port, upstream = free_port(), server.url.removeprefix("http://")
    command, variables = make(directory, port=port, upstream=upstream)
    with (directory / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **variables}, stdout=log, stderr=log)
    try:
        await listening(port, directory / "log")
        server.proxy = f"http://127.0.0.1:{port}"
        yield
    finally:
        server.proxy = ""
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def listening(port: int, log: Path) -> None:
    """Another process tells nobody when it listens: ask until it does."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                    continue
                writer.close()
                return
    except TimeoutError:
        raise AssertionError(f"the proxy does not listen:\n{told(log)}") from None


def told(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize("make", [nginx, caddy])
async def test_a_proxy_passes_everything_on_as_it_comes(make: Any, server: tuple[Proxied, str], tmp_path: Path) -> None:
    parley, token = server
    async with behind(make, parley, tmp_path):
        assert await gap(parley, token) >= 0.5, "the words came together: something holds them back"
        async with socket_of(parley, token) as socket:
            await socket.say("chat", sessionId=await parley.session(token), message="code")
            assert (await socket.answer())[-1]["type"] == "done"
        large = await parley.request("POST", "/v1/chat/completions", token=token, data=io.BytesIO(b" " * (2 * MEBIBYTE)))
        assert (large.status, large.json()["error"]["code"]) == (400, "malformed_json"), "a proxy refuses what Parley takes"
        assert (await parley.request("GET", "/metrics")).status == 404
        await refused_from_elsewhere(parley)


async def gap(server: Proxied, token: str) -> float:
    """The seconds between the first word of an answer and its second."""
    body = {"model": "openai-compatible/m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{server.url}/v1/chat/completions", json=body, headers={"Authorization": f"Bearer {token}"}) as reply,
    ):
        assert reply.status == 200
        loop = asyncio.get_running_loop()
        times = [loop.time() async for line in reply.content if b'"one' in line or b'"two' in line]
    assert len(times) == 2
    return times[1] - times[0]


async def refused_from_elsewhere(server: Proxied) -> None:
    """Whoever guesses a password is written down under the address of the connection, whatever the request claims."""
    read = len(server.output)
    body = {"username": "ada", "password": PASSWORD + "?"}
    claimed = {"X-Forwarded-For": "203.0.113.99", "Forwarded": "for=203.0.113.99", "X-Real-IP": "203.0.113.99"}
    connector = aiohttp.TCPConnector(local_addr=(FROM_ELSEWHERE, 0))
    async with (
        aiohttp.ClientSession(connector=connector) as client,
        client.post(f"{server.url}/api/v1/auth/login", json=body, headers=claimed) as reply,
    ):
        assert reply.status == 401
    await server.said("sign-in refused", f"address={FROM_ELSEWHERE}", after=read)
    assert "203.0.113.99" not in server.output
