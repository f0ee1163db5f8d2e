"""An address of this machine that listens, refuses, or lets nobody in, and can be made well afterwards. Knows no provider."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress

from parley.testing.fault_trials import Listening, NotExpressible
from parley.testing.replay import Answer, ReceivedRequest, ReplayServer

HOST = "127.0.0.1"
FULL_AFTER_CONNECTIONS = 8
TRIAL_SECONDS = 0.05


class Address:
    """An async context manager. Raises NotExpressible where this system cannot be made to behave so."""

    def __init__(self, listening: Listening, answers: Sequence[Answer]) -> None:
        self._listening = listening
        self._answers = answers
        self._server: ReplayServer | None = None
        self._held: list[socket.socket] = []
        self._port = 0

    async def __aenter__(self) -> Address:
        if self._listening == "open":
            self._server = await ReplayServer(*self._answers).__aenter__()
            self._port = self._server.port
            return self
        listener = socket.socket()
        self._held.append(listener)
        listener.bind((HOST, 0))
        self._port = listener.getsockname()[1]
        if self._listening == "full":
            listener.listen(0)
            try:
                await self._fill()
            except BaseException:
                self._let_go()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go()
        if self._server is not None:
            await self._server.__aexit__()

    @property
    def url(self) -> str:
        """A base URL for a provider's `endpoint`."""
        return f"http://{HOST}:{self._port}/v1"

    @property
    def requests(self) -> Sequence[ReceivedRequest]:
        """What was asked."""
        return tuple(self._server.requests) if self._server is not None else ()

    async def recover(self, answer: Answer) -> None:
        """From now on answer like this."""
        self._let_go()
        if self._server is None:
            self._server = await ReplayServer(answer, port=self._port).__aenter__()
        else:
            self._server.answer_with(answer)

    async def _fill(self) -> None:
        """Connect until a connection hangs: the queue of those that nobody accepts is full."""
        loop = asyncio.get_running_loop()
        for _ in range(FULL_AFTER_CONNECTIONS):
            visitor = socket.socket()
            visitor.settimeout(0)
            self._held.append(visitor)
            try:
                await asyncio.wait_for(loop.sock_connect(visitor, (HOST, self._port)), TRIAL_SECONDS)
            except TimeoutError:
                return
            except OSError as refused:
                raise NotExpressible("this system refuses connections where it has no room for them") from refused
        raise NotExpressible("this system takes every connection, whether there is room or not")

    def _let_go(self) -> None:
        for held in self._held:
            with suppress(OSError):
                held.close()
        self._held.clear()
