"""What is remembered for a while, by key, within a bound. Knows nothing of what it is."""

from __future__ import annotations

from typing import Protocol


class Cache(Protocol):
    """The least recently used goes first. A cache that is lost has nothing; it never keeps anybody waiting, and never raises."""

    async def get(self, key: str) -> bytes | None:
        """What was put there, if its time is not over."""
        ...

    def put(self, key: str, value: bytes, *, ttl_seconds: float, max_bytes: int) -> None:
        """Remember it, soon; all entries together stay within `max_bytes`, and what is larger than that alone is not kept."""
        ...

    def remove(self, key: str) -> None:
        """Forget it, soon."""
        ...

    async def aclose(self) -> None:
        """Write what is still to be written."""
        ...
