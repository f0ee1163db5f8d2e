"""One client after another: the next answer is the new one's, an answer under way ends on the one it began on. Knows no setting."""

from __future__ import annotations

import asyncio
from typing import Final

from parley.dispatch.client import Client

IDLE_CHECK_SECONDS: Final = 1.0


class Succession:
    """`generation` counts the clients, from 1."""

    def __init__(self, first: Client) -> None:
        self.client = first
        self.generation = 1
        self._replaced: list[Client] = []
        self._closing: asyncio.Task[None] | None = None

    def replace(self, client: Client) -> None:
        """Let another answer from now on; the old one is closed after the last of its answers."""
        self._replaced.append(self.client)
        self.client = client
        self.generation += 1
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close_replaced())

    async def settle(self) -> None:
        """Wait until every old client has been closed."""
        if self._closing is not None:
            await self._closing

    async def aclose(self) -> None:
        """Close all of them, whoever still answers."""
        if self._closing is not None:
            self._closing.cancel()
            await asyncio.gather(self._closing, return_exceptions=True)
        for client in [*self._replaced, self.client]:
            await client.aclose()

    async def _close_replaced(self) -> None:
        while self._replaced:
            await asyncio.sleep(IDLE_CHECK_SECONDS)
            for client in [client for client in self._replaced if client.idle]:
                self._replaced.remove(client)
                await client.aclose()
