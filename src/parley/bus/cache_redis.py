"""A cache of many processes, in Redis or Valkey. Knows nothing of what it holds, and is never waited for long.

Beside the entries stand their sizes, the order in which they were used last, and the sum: who puts something in clears up for it.
"""

from __future__ import annotations

import time
from typing import Final

from redis.asyncio import Redis

from parley.bus.cache_memory import ENTRY_BYTES
from parley.bus.scripting import RedisLostError, Script, Scripting
from parley.telemetry import get_logger

COMMAND_SECONDS: Final = 0.5
REST_SECONDS: Final = 2.0
"""So long a cache that did not answer is not asked again: an answer can be had without it."""
MAX_TIDIED: Final = 1000

_logger = get_logger(__name__)

# Keys: order of use, sizes, the entry. Arguments: its name, the time.
_GET: Final = Script(
    """
local value = redis.call('GET', KEYS[3])
if value then redis.call('ZADD', KEYS[1], 'XX', ARGV[2], ARGV[1]) end
return value
"""
)
# Keys: order of use, sizes, the entry. Arguments: its name, the time, the value ("" forgets it), its seconds, its size, all bytes, prefix.
_PUT: Final = Script(
    f"""
local order, sizes, prefix = KEYS[1], KEYS[2], ARGV[7]
local function forget(name)
  local size = redis.call('HGET', sizes, name)
  if size then
    redis.call('HDEL', sizes, name)
    redis.call('HINCRBY', sizes, '', -size)
  end
  redis.call('ZREM', order, name)
  redis.call('DEL', prefix .. name)
end
forget(ARGV[1])
local size, most = tonumber(ARGV[5]), tonumber(ARGV[6])
if ARGV[3] == '' or size > most then return 0 end
redis.call('SET', KEYS[3], ARGV[3], 'PX', math.ceil(ARGV[4] * 1000))
redis.call('ZADD', order, ARGV[2], ARGV[1])
redis.call('HSET', sizes, ARGV[1], size)
local all = redis.call('HINCRBY', sizes, '', size)
for _ = 1, {MAX_TIDIED} do
  if all <= most then break end
  local oldest = redis.call('ZRANGE', order, 0, 0)[1]
  if not oldest then break end
  forget(oldest)
  all = tonumber(redis.call('HGET', sizes, '') or 0)
end
return 1
"""
)


class RedisCache:
    """See `Cache`."""

    def __init__(self, redis: Redis, *, prefix: str, command_seconds: float = COMMAND_SECONDS) -> None:
        self._scripting = Scripting(redis, timeout_seconds=command_seconds)
        # One hash tag, so that a cluster keeps everything that a script touches in one place.
        self._prefix = f"{prefix}{{cache}}:"
        self._rests_until = 0.0

    async def get(self, key: str) -> bytes | None:
        """What was put there; nothing where Redis does not answer at once."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            return await self._scripting.run(_GET, self._keys(key), [key, _now()])
        except RedisLostError as error:
            self._rests_until = time.monotonic() + REST_SECONDS
            _logger.warning("the cache does not answer", error=error)
            return None

    def put(self, key: str, value: bytes, *, ttl_seconds: float, max_bytes: int) -> None:
        """Sent with the next trip."""
        if time.monotonic() >= self._rests_until:
            arguments = [key, _now(), value, ttl_seconds, len(value) + ENTRY_BYTES, max_bytes, f"{self._prefix}entry:"]
            self._scripting.start(_PUT, self._keys(key), arguments)

    def remove(self, key: str) -> None:
        """Sent with the next trip."""
        self._scripting.start(_PUT, self._keys(key), [key, _now(), "", 0, 0, 0, f"{self._prefix}entry:"])

    async def aclose(self) -> None:
        """Wait until everything is sent."""
        await self._scripting.aclose()

    def _keys(self, key: str) -> list[str]:
        return [f"{self._prefix}order", f"{self._prefix}sizes", f"{self._prefix}entry:{key}"]


def _now() -> str:
    return f"{time.time():.6f}"
