"""Keeps what administrators set the same on every server: told over the bus, and looked up now and then. Knows no provider's settings."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from parley.bus.protocol import Bus
from parley.contract.errors import ParleyError
from parley.telemetry import get_logger

CHANGED: Final = "settings.changed"
LOOK_SECONDS: Final = 15.0

_logger = get_logger(__name__)


class Agreement:
    """`refresh` takes what others have stored since. Only where the database is `shared` is there anybody to agree with."""

    def __init__(self, bus: Bus, refresh: Callable[[], Awaitable[object]], *, shared: bool) -> None:
        self._bus = bus
        self._refresh = refresh
        self._shared = shared
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        bus.on(CHANGED, lambda _sender, _data: self._told.set())

    def start(self) -> None:
        """Listen to the others."""
        if self._shared:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def tell(self) -> None:
        """Something was changed here. Where the others cannot be told, they look."""
        await self._bus.publish(CHANGED, b"")

    async def aclose(self) -> None:
        """Listen no longer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._told.wait()
            except TimeoutError:
                pass
            self._told.clear()
            try:
                await self._refresh()
            except ParleyError as error:
                _logger.warning("what other servers have set could not be taken; it is tried again", error=error)
