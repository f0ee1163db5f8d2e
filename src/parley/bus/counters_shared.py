"""Counters in Redis that survive its loss: each process then goes on with its own share. Knows no limit's owner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from msgspec import structs
from redis.asyncio import Redis

from parley.bus.counters import CountersLostError, Quota, Receipt, Refusal
from parley.bus.counters_memory import MemoryCounters
from parley.bus.counters_redis import BEAT_SECONDS, COMMAND_SECONDS, RedisCounters
from parley.telemetry import get_logger

RETURN_SECONDS = 1.0
"""So often a lost Redis is asked whether it is back."""

_logger = get_logger(__name__)


class _Shared(Receipt, frozen=True):
    """A receipt of Redis, with that of the copy in memory."""

    copy: Receipt | None = None


class SharedCounters:
    """See `Counters`. Everything that Redis grants is counted in memory too, so that the share is right from the first moment on.

    While Redis is lost, each limit is that limit over the last known number of processes, at least 1.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str,
        now: Callable[[], float] | None = None,
        command_seconds: float = COMMAND_SECONDS,
        return_seconds: float = RETURN_SECONDS,
        known_replicas: Callable[[], int] = lambda: 1,
    ) -> None:
        """`known_replicas`: how many processes others have heard of; the more of them count."""
        self.on_settled: Callable[[], None] = lambda: None
        self._counted = 1
        self._known_replicas = known_replicas
        self.lost = False
        self._return_seconds = return_seconds
        self._redis = RedisCounters(redis, prefix=prefix, now=now, command_seconds=command_seconds)
        self._redis.on_settled = self._settled
        self._memory = MemoryCounters(now or time.monotonic)
        self._shares: dict[Quota, Quota] = {}
        self._beating: asyncio.Task[None] | None = None

    @property
    def replicas(self) -> int:
        """How many processes count together, as was last known."""
        return max(1, self._counted, self._known_replicas())

    async def reserve(self, quotas: Sequence[Quota], tokens: int) -> Receipt | Refusal:
        """From Redis, else from this process's share. Never waits longer than a command may take."""
        if self._beating is None:
            self._beating = asyncio.get_running_loop().create_task(self._beat())
        if not self.lost:
            try:
                given = await self._redis.reserve(quotas, tokens)
            except CountersLostError as error:
                self._lose(error)
            else:
                return self._copied(given) if isinstance(given, Receipt) else self._explained(given)
        return self._memory.take([self._share(quota) for quota in quotas], tokens)

    def settle(self, receipt: Receipt, tokens: int | None) -> None:
        """There, and in the copy."""
        if isinstance(receipt, _Shared) and receipt.copy is not None:
            self._memory.settle(receipt.copy, tokens)
            self._redis.settle(receipt, tokens)
        else:
            self._memory.settle(receipt, tokens)

    def headroom(self, quotas: Sequence[Quota]) -> float:
        """As far as this process knows: of its own use."""
        return self._memory.headroom(quotas)

    async def aclose(self) -> None:
        """Give back what is held, and leave."""
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.gather(self._beating, return_exceptions=True)
            self._beating = None
        await self._redis.aclose()

    async def _beat(self) -> None:
        while True:
            try:
                self._counted = await self._redis.beat()
            except CountersLostError as error:
                self._lose(error)
            else:
                if self.lost:
                    _logger.info("limits are shared again", replicas=self.replicas)
                    self.lost = False
                    self._settled()
            await asyncio.sleep(self._return_seconds if self.lost else BEAT_SECONDS)

    def _lose(self, error: CountersLostError) -> None:
        if not self.lost:
            self.lost = True
            self._shares = {}
            _logger.warning("limits are no longer shared: each process keeps to its own part", parts=self.replicas, error=error)
            if self._beating is not None and self._beating is not asyncio.current_task():
                self._beating.cancel()
                self._beating = asyncio.get_running_loop().create_task(self._beat())

    def _copied(self, receipt: Receipt) -> Receipt:
        copy = self._memory.note(receipt.quotas, receipt.tokens)
        return _Shared(receipt.quotas, receipt.tokens, receipt.at, receipt.lease, copy)

    def _explained(self, refusal: Refusal) -> Refusal:
        """Whether something may come back sooner is known of what this process has under way itself."""
        return structs.replace(refusal, may_free_sooner=refusal.may_free_sooner or bool(self._memory.pending(refusal.quota)))

    def _share(self, quota: Quota) -> Quota:
        share = self._shares.get(quota)
        if share is None:
            share = self._shares[quota] = structs.replace(quota, limit=max(1, quota.limit // self.replicas))
        return share

    def _settled(self) -> None:
        self.on_settled()
