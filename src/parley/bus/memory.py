"""The bus of one process: there is nobody else. Several of them on one hub stand for replicas, in one process. Knows no network."""

from __future__ import annotations

import asyncio

from parley.bus.protocol import Handler, new_replica_id


class Hub:
    """Where the buses of one process meet. `cut` parts them, as a lost server would."""

    def __init__(self) -> None:
        self.buses: dict[str, MemoryBus] = {}
        self.cut = False


class MemoryBus:
    """Without a hub it is alone and says so: `shared` is False, and what it publishes nobody hears."""

    def __init__(self, hub: Hub | None = None) -> None:
        self.replica_id = new_replica_id()
        self.shared = hub is not None
        self._hub = hub or Hub()
        self._hub.buses[self.replica_id] = self
        self._handlers: dict[str, Handler] = {}

    @property
    def connected(self) -> bool:
        """Whether the hub is whole; one that is alone lacks nothing."""
        return not self._hub.cut

    @property
    def replicas(self) -> int:
        """How many buses there are on the hub."""
        return len(self._hub.buses)

    def on(self, topic: str, handler: Handler) -> None:
        """Call `handler` for what others say about a topic."""
        self._handlers[topic] = handler

    async def publish(self, topic: str, data: bytes) -> bool:
        """Tell every other bus of the hub."""
        if self._hub.cut:
            return False
        for bus in list(self._hub.buses.values()):
            if bus is not self:
                bus.hear(self.replica_id, topic, data)
        return True

    async def send(self, replica_id: str, topic: str, data: bytes) -> bool:
        """Tell one bus of the hub."""
        bus = self._hub.buses.get(replica_id)
        if bus is None or self._hub.cut:
            return False
        bus.hear(self.replica_id, topic, data)
        return True

    async def aclose(self) -> None:
        """Leave the hub."""
        self._hub.buses.pop(self.replica_id, None)

    def hear(self, sender: str, topic: str, data: bytes) -> None:
        """What another says; handled in the loop's next turn, as over a network."""
        if (handler := self._handlers.get(topic)) is not None:
            asyncio.get_running_loop().call_soon(handler, sender, data)
