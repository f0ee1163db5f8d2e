"""A real `parley serve` in a process of its own, with its own data: started, asked over HTTP, stopped by SIGTERM or killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

START_SECONDS = 60.0
STOP_SECONDS = 30.0
REPLY_SECONDS = 60.0
PASSWORD = "correct horse battery staple"
# What a process needs to run at all. Keys and settings of whoever runs the tests are not among it.
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "SYSTEMROOT")


class Reply(Struct, frozen=True):
    """A whole answer. Header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Account(Struct, frozen=True):
    """Somebody who has signed up."""

    id: str
    username: str
    token: str
    refresh_token: str


class StreamedEvent(Struct, frozen=True):
    """One event of an answer, and the id up to which everything is stored, where it brought one."""

    data: dict[str, Any]
    id: str = ""


class ServerProcess:
    """Everything that it wrote is in `output`; `url` is where it listens, `link` what it asks people to open."""

    def __init__(self, directory: Path, variables: Mapping[str, str], *, flags: tuple[str, ...] = ()) -> None:
        self.data_directory = directory / "data"
        self.output = ""
        self.link = ""
        self._directory = directory
        self._flags = flags
        self.variables = {
            **{name: os.environ[name] for name in INHERITED if name in os.environ},
            "HOST": "127.0.0.1",
            "PORT": "0",
            "PARLEY_ENV": "development",
            "PARLEY_DATA_DIR": str(self.data_directory),
            **variables,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._wrote = asyncio.Condition()
        self._client: aiohttp.ClientSession | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "the server was not started"
        return self._process

    @property
    def url(self) -> str:
        return self.link.partition("/setup")[0]

    async def start(self) -> None:
        """Start it, on the same data as before where it has run before, and wait until it says that it is ready."""
        program = Path(sys.executable).with_name("parley")
        self._process = await asyncio.create_subprocess_exec(
            str(program),
            "serve",
            *self._flags,
            cwd=self._directory,
            env=self.variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(listening))
        try:
            async with asyncio.timeout(START_SECONDS):
                self.link = await listening
        except TimeoutError:
            raise AssertionError(f"parley serve was not ready after {START_SECONDS:.0f} s:\n{self.output}") from None
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_SECONDS))
        assert (await self.request("GET", "/ready")).status == 200

    async def stop(self) -> int:
        """Ask it to end, as a service manager would; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                status = await self.process.wait()
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"parley serve did not end within {STOP_SECONDS:.0f} s of SIGTERM:\n{self.output}") from None
        await self._cleared()
        return status

    async def kill(self) -> None:
        """End it without a word, as a crash or a power cut would."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()
        await self._cleared()

    async def aclose(self) -> None:
        """Stop it where it still runs."""
        if self._process is not None and self._process.returncode is None:
            await self.stop()
        await self._cleared()

    async def said(self, *words: str, after: int = 0) -> None:
        """Wait until a line of its output, from this position on, has all of these words."""
        try:
            async with asyncio.timeout(REPLY_SECONDS), self._wrote:
                await self._wrote.wait_for(lambda: any(all(map(line.__contains__, words)) for line in self.output[after:].splitlines()))
        except TimeoutError:
            raise AssertionError(f"parley serve never said {words}:\n{self.output[after:]}") from None

    async def request(self, method: str, path: str, *, token: str | None = None, **options: Any) -> Reply:
        """One request and its whole answer; `options` are aiohttp's (json, data, headers, params)."""
        async with self._ask(method, path, token, options) as response:
            return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, await response.read())

    async def events(self, method: str, path: str, *, token: str, **options: Any) -> AsyncGenerator[StreamedEvent, None]:
        """The events of an answer as they come; close it to leave in the middle."""
        async with self._ask(method, path, token, options) as response:
            assert response.status == 200, await response.text()
            parser = _EventReader()
            async for data in response.content.iter_any():
                for event in parser.feed(data):
                    yield event

    async def sign_up(self, username: str, *, password: str = PASSWORD) -> Account:
        """A new account; the first is the administrator."""
        body = {"username": username, "email": f"{username}@example.com", "password": password}
        reply = await self.request("POST", "/api/v1/auth/register", json=body)
        assert reply.status == 201, reply.body
        signed_in = reply.json()
        return Account(signed_in["user"]["id"], username, signed_in["token"], signed_in["refreshToken"])

    async def session(self, token: str, **settings: Any) -> str:
        """A new session with the demo unless told otherwise; its id."""
        reply = await self.request("POST", "/api/v1/chat/session", token=token, json={"provider": "demo", **settings})
        assert reply.status == 201, reply.body
        return reply.json()["sessionId"]

    async def answer(self, token: str, session_id: str, message: str) -> dict[str, Any]:
        """A question and its whole answer."""
        body = {"sessionId": session_id, "message": message}
        reply = await self.request("POST", "/api/v1/chat/message/simple", token=token, json=body)
        assert reply.status == 200, reply.body
        return reply.json()

    def _ask(self, method: str, path: str, token: str | None, options: dict[str, Any]) -> Any:
        assert self._client is not None, "the server was not started"
        headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **options.pop("headers", {})}
        return self._client.request(method, self.url + path, headers=headers, allow_redirects=False, **options)

    async def _read(self, listening: asyncio.Future[str]) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := (await stream.readline()).decode("utf-8", "replace"):
            async with self._wrote:
                self.output += line
                self._wrote.notify_all()
            step, _, link = line.strip().partition(" ")
            if step == "ready" and not listening.done():
                listening.set_result(link.strip())
        if not listening.done():
            listening.set_exception(AssertionError(f"parley serve ended before it was ready:\n{self.output}"))

    async def _cleared(self) -> None:
        if self._client is not None:
            await self._client.close()
            self._client = None
        if self._reading is not None:
            await self._reading
            self._reading = None


class _EventReader:
    """Server-sent events with their ids, which the wires' own parser has no use for."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[StreamedEvent]:
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        found: list[StreamedEvent] = []
        for block in whole:
            lines = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            found.append(StreamedEvent(json.loads(lines.get(b"data", b"{}")), lines.get(b"id", b"").decode()))
        return found


@asynccontextmanager
async def running_server(directory: Path, *flags: str, **variables: str) -> AsyncIterator[ServerProcess]:
    """A server on data of its own; `variables` are its environment's, over the defaults for a test, `flags` its command line's."""
    server = ServerProcess(directory, variables, flags=flags)
    try:
        await server.start()
        yield server
    finally:
        await server.aclose()


async def collected(events: AsyncGenerator[StreamedEvent, None]) -> list[StreamedEvent]:
    """All events to the end."""
    async with aclosing(events):
        return [event async for event in events]
