"""Which bus there is: Redis's where an address is given, else the one of a process by itself. Knows no setting but these."""

from __future__ import annotations

from parley.bus.connection import open_redis
from parley.bus.memory import MemoryBus
from parley.bus.redis import RedisBus


async def open_bus(url: str, *, prefix: str) -> MemoryBus | RedisBus:
    """The bus, listening. Raises ConfigurationError where the address is wrong or nobody answers there."""
    if not url:
        return MemoryBus()
    bus = RedisBus(await open_redis(url), prefix=prefix)
    await bus.start()
    return bus
