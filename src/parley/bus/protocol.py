"""What replicas can say to each other, whatever carries it. Knows no message's meaning and no server."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol, TypeAlias

Handler: TypeAlias = Callable[[str, bytes], None]
"""Takes who sent it and what; must not wait and must not raise."""


class Bus(Protocol):
    """Messages arrive at most once, in the order in which one replica sent them. Whoever needs more looks into the database.

    `shared` says that there may be other replicas; `connected` that they can be reached now; `replicas` how many lived when that was
    last known, this one included, at least 1.
    """

    replica_id: str
    shared: bool

    @property
    def connected(self) -> bool:
        """Whether what is said now is heard."""
        ...

    @property
    def replicas(self) -> int:
        """How many replicas live, as far as this one knows."""
        ...

    def on(self, topic: str, handler: Handler) -> None:
        """Call `handler` for what others say about a topic; one handler for each."""
        ...

    async def publish(self, topic: str, data: bytes) -> bool:
        """Tell every other replica. False where nobody can be told; never raises for that."""
        ...

    async def send(self, replica_id: str, topic: str, data: bytes) -> bool:
        """Tell one replica. False where it is not there, as far as anybody can say."""
        ...

    async def aclose(self) -> None:
        """Say nothing more and listen no longer."""
        ...


def new_replica_id() -> str:
    """A name for this process; a restarted one has another."""
    return secrets.token_hex(8)
