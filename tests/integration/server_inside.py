"""The server on a real socket, in the test's own process: starts in a moment, and may be given any provider."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import uvicorn

from parley.config import load_settings
from parley.guard.clock import Clock
from parley.registry.loading import Registry
from parley.server.app import build_app
from parley.server.composition import Services
from parley.server.rereading import rereading
from parley.server.websocket import MAX_FRAME_BYTES

from .server_process import REPLY_SECONDS, ServerProcess


class _Announcing(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class ServerInside(ServerProcess):
    """As a process, but `services` can be reached."""

    services: Services

    def __init__(self, directory: Path, variables: Mapping[str, str], *, clock: Clock | None = None) -> None:
        super().__init__(directory, variables)
        self._clock = clock
        self._environ = {"PARLEY_ENV": "development", "PARLEY_DATA_DIR": str(self.data_directory), "DEMO": "on", **variables}

    async def start(self) -> None:
        """Serve on a free port until `aclose`."""
        settings = load_settings(environ=self._environ, directory=self._directory)
        registry = Registry.from_environment(environ=self._environ, directory=self._directory, clock=self._clock)
        read = rereading(settings, environ=self._environ, directory=self._directory)
        self.services = await Services.open(settings, registry, read=read)
        self._listening = listening = socket.create_server(("127.0.0.1", 0))
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        app = build_app(settings, self.services)
        socket_options: dict[str, Any] = {"ws": "websockets-sansio", "ws_max_size": MAX_FRAME_BYTES, "ws_per_message_deflate": False}
        config = uvicorn.Config(app, lifespan="on", log_config=None, access_log=False, **socket_options)
        self._server = _Announcing(config)
        self._serving = asyncio.create_task(self._server._serve([listening]))
        await self._server.ready.wait()
        self.link = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_SECONDS))

    async def aclose(self) -> None:
        """Stop what runs, then the server."""
        await self._cleared()
        await self.services.drain(0)
        self._server.should_exit = True
        await self._serving
        self._listening.close()


@asynccontextmanager
async def server_inside(directory: Path, *, clock: Clock | None = None, **variables: str) -> AsyncIterator[ServerInside]:
    """A server on data of its own; `variables` are its environment's, `clock` the time that its providers are held to."""
    server = ServerInside(directory, variables, clock=clock)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()
