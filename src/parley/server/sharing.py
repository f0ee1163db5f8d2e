"""Where this server keeps counts and remembered answers, and what is seen of them. Knows no limit and no answer."""

from __future__ import annotations

from parley.bus.memory import MemoryBus
from parley.bus.redis import RedisBus
from parley.dispatch.shared import Shared
from parley.server.metrics import Metrics


def shared_by(metrics: Metrics, bus: MemoryBus | RedisBus) -> Shared:
    """What all clients of the server share; with Redis, what all replicas do."""
    counters = cache = None
    if isinstance(bus, RedisBus):
        from parley.bus.cache_redis import RedisCache
        from parley.bus.counters_shared import SharedCounters

        counters = SharedCounters(bus.redis, prefix=bus.prefix, known_replicas=lambda: bus.replicas)
        cache = RedisCache(bus.redis, prefix=bus.prefix)
    shared = Shared(counters=counters, cache=cache, on_refused=metrics.refused, on_lookup=metrics.looked_up)
    metrics.watch("parley_queue_waiting", "Requests that wait for room under a limit", lambda: shared.limiter.waiting)
    metrics.watch("parley_limits_local", "1 while limits hold for each replica by itself: Redis is lost", lambda: int(shared.local))
    return shared
