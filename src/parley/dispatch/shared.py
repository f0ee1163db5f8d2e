"""What the clients of a process share and hand on to the next: counts, those who wait, and remembered answers. Knows no provider."""

from __future__ import annotations

from collections.abc import Callable

from parley.bus.cache import Cache
from parley.bus.cache_memory import MemoryCache
from parley.bus.counters import Counters
from parley.dispatch.admission import Admission
from parley.dispatch.cache import AnswerCache
from parley.dispatch.limits import Limiter, rules_of
from parley.guard.clock import Clock
from parley.registry.loading import Registry


class Shared:
    """In memory, unless other keepers are given. `on_refused` and `on_lookup`: see Limiter and AnswerCache."""

    def __init__(
        self,
        *,
        counters: Counters | None = None,
        cache: Cache | None = None,
        clock: Clock | None = None,
        on_refused: Callable[[str, str], None] = lambda _whose, _code: None,
        on_lookup: Callable[[bool], None] = lambda _hit: None,
    ) -> None:
        self.limiter = Limiter(counters, clock=clock, on_refused=on_refused)
        self._cache = cache or MemoryCache()
        self._on_lookup = on_lookup

    def admission(self, registry: Registry) -> Admission:
        """The door under the limits of this configuration."""
        return self.limiter.under(rules_of(registry))

    def answers(self, registry: Registry) -> AnswerCache | None:
        """The remembered answers, where this configuration has any."""
        table = registry.file.cache
        return AnswerCache(self._cache, table, on_lookup=self._on_lookup) if table.enabled else None

    @property
    def local(self) -> bool:
        """Whether limits that should be shared with other processes are not: their keeper is lost."""
        return self.limiter.counters.lost

    async def aclose(self) -> None:
        """Give back what is held elsewhere, and write what is still to be written."""
        await self.limiter.aclose()
        await self._cache.aclose()
