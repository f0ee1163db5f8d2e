"""Counters of many processes, in Redis or Valkey: each reservation is one script there. Knows no limit's owner.

A window is one packed list of times and amounts, slots are leases that end by themselves when their holder does not renew them.
Times are Redis's own: the replicas' clocks need not agree.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any, Final

from redis.asyncio import Redis

from parley.bus.counters import BUCKETS, CountersLostError, Quota, Receipt, Refusal
from parley.bus.scripting import Argument, RedisLostError, Script, Scripting

LEASE_SECONDS: Final = 30.0
BEAT_SECONDS: Final = 10.0
"""Held slots are renewed so often, and so often each process says that it is there."""
COMMAND_SECONDS: Final = 2.0

_WINDOW: Final = f"""
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local function number(at, seconds) return math.floor(at * {BUCKETS} / seconds) end
local function kept(key, seconds)
  local packed, entries, used = redis.call('GET', key), {{}}, 0
  if packed then
    local sound, all = pcall(cmsgpack.unpack, packed)
    if sound and type(all) == 'table' then
      for i = 1, #all, 2 do
        if all[i] + seconds > now then
          entries[#entries + 1] = all[i]
          entries[#entries + 1] = all[i + 1]
          used = used + all[i + 1]
        end
      end
    end
  end
  return entries, used
end
local function keep(key, seconds, entries)
  redis.call('SET', key, cmsgpack.pack(entries), 'PX', math.ceil(seconds * 1000))
end
local function add(entries, seconds, amount)
  local last = #entries - 1
  if last > 0 and number(entries[last], seconds) == number(now, seconds) then
    entries[last] = now
    entries[last + 1] = entries[last + 1] + amount
  else
    entries[#entries + 1] = now
    entries[#entries + 1] = amount
  end
end
"""
# Arguments: now (empty: Redis's own), lease, its seconds, then for each key its unit, limit, seconds, cost.
_RESERVE: Final = Script(
    _WINDOW
    + """
local windows, refused, wait = {}, 0, -2
for i, key in ipairs(KEYS) do
  local unit, limit, seconds, cost = ARGV[4 * i], tonumber(ARGV[4 * i + 1]), tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3])
  local entries, used
  if unit == 'slots' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.6f', now))
    used = redis.call('ZCARD', key)
  else
    entries, used = kept(key, seconds)
  end
  windows[i] = entries or false
  local surplus = used + cost - limit
  if surplus > 0 then
    local mine = -1
    if entries then
      mine = seconds
      for j = 1, #entries, 2 do
        surplus = surplus - entries[j + 1]
        if surplus <= 0 then
          mine = entries[j] + seconds - now
          break
        end
      end
    end
    if mine > wait then refused, wait = i, mine end
  end
end
if refused > 0 then return {refused, string.format('%.6f', wait)} end
for i, key in ipairs(KEYS) do
  local seconds, cost = tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3])
  if windows[i] then
    add(windows[i], seconds, cost)
    keep(key, seconds, windows[i])
  else
    redis.call('ZADD', key, string.format('%.6f', now + ARGV[3]), ARGV[2])
    redis.call('PEXPIRE', key, math.ceil(ARGV[3] * 2000))
  end
end
return {0, string.format('%.6f', now)}
"""
)
# Arguments: now, lease, when it was reserved, then for each key its unit, seconds, and by how much it changes.
_SETTLE: Final = Script(
    _WINDOW
    + """
local at = tonumber(ARGV[3])
for i, key in ipairs(KEYS) do
  local unit, seconds, change = ARGV[3 * i + 1], tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  if unit == 'slots' then
    redis.call('ZREM', key, ARGV[2])
  elseif change ~= 0 then
    local entries = kept(key, seconds)
    if change > 0 then
      add(entries, seconds, change)
    else
      for j = #entries - 1, 1, -2 do
        if number(entries[j], seconds) == number(at, seconds) then
          entries[j + 1] = entries[j + 1] + change
          break
        end
      end
    end
    if #entries > 0 then keep(key, seconds, entries) end
  end
end
return 0
"""
)
# The first key is the list of processes. Arguments: now, a lease's seconds, this process, then a lease for each further key.
_BEAT: Final = Script(
    _WINDOW
    + """
local ends = string.format('%.6f', now + ARGV[2])
redis.call('ZADD', KEYS[1], ends, ARGV[3])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] * 2000))
for i = 2, #KEYS do
  redis.call('ZADD', KEYS[i], ends, ARGV[i + 2])
  redis.call('PEXPIRE', KEYS[i], math.ceil(ARGV[2] * 2000))
end
return redis.call('ZCARD', KEYS[1])
"""
)
_LEAVE: Final = Script("return redis.call('ZREM', KEYS[1], ARGV[1])")


class RedisCounters:
    """See `Counters`; `headroom` is not asked of it. `beat` is to be called every BEAT_SECONDS by who owns it.

    `now` is only for tests: Redis's own time is used without it.
    """

    lost = False

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str,
        now: Callable[[], float] | None = None,
        command_seconds: float = COMMAND_SECONDS,
    ) -> None:
        self._scripting = Scripting(redis, timeout_seconds=command_seconds)
        # One hash tag, so that a cluster keeps everything that a script touches in one place.
        self._prefix = f"{prefix}{{limits}}:"
        self._now = now
        self.on_settled: Callable[[], None] = lambda: None
        self._replica = secrets.token_hex(8)
        self._numbers = count(1)
        self._leases: dict[str, list[str]] = {}

    async def reserve(self, quotas: Sequence[Quota], tokens: int) -> Receipt | Refusal:
        """Take from all quotas, or from none. Raises CountersLostError. Who is cancelled meanwhile has taken nothing."""
        lease = f"{self._replica}:{next(self._numbers)}"
        arguments: list[Argument] = [self._time(), lease, LEASE_SECONDS]
        for quota in quotas:
            arguments += (quota.unit, quota.limit, quota.seconds, quota.cost(tokens))
        sent = self._scripting.start(_RESERVE, [self._prefix + quota.key for quota in quotas], arguments)
        self._leases[lease] = [self._prefix + quota.key for quota in quotas if quota.unit == "slots"]
        try:
            answer: tuple[int, bytes] = await asyncio.shield(sent)
        except RedisLostError as error:
            self._leases.pop(lease, None)
            raise CountersLostError(str(error)) from error
        except BaseException:
            sent.add_done_callback(lambda done: self._return(done, quotas, tokens, lease))
            raise
        refused, told = answer
        seconds = float(told)
        if refused:
            del self._leases[lease]
            return Refusal(quotas[refused - 1], None if seconds < 0 else seconds, may_free_sooner=seconds < 0)
        return Receipt(quotas, tokens, seconds, lease)

    def settle(self, receipt: Receipt, tokens: int | None) -> None:
        """Sent with the next trip; where Redis is lost, what was reserved counts until it leaves its window by itself."""
        self._leases.pop(receipt.lease, None)
        keys: list[str] = []
        arguments: list[Argument] = [self._time(), receipt.lease, f"{receipt.at:.6f}"]
        for quota in receipt.quotas:
            change = 0
            if quota.unit == "tokens":
                change = (tokens or 0) - quota.cost(receipt.tokens)
            elif quota.unit == "requests":
                change = -1 if tokens is None else 0
            if change or quota.unit == "slots":
                keys.append(self._prefix + quota.key)
                arguments += (quota.unit, quota.seconds, change)
        if keys:
            self._scripting.start(_SETTLE, keys, arguments).add_done_callback(lambda _done: self.on_settled())

    def headroom(self, quotas: Sequence[Quota]) -> float:
        """Unknown here."""
        return 1.0

    async def beat(self) -> int:
        """Renew what is held; how many processes are there. Raises CountersLostError."""
        held = [(key, lease) for lease, keys in self._leases.items() for key in keys]
        keys = [f"{self._prefix}replicas", *(key for key, _ in held)]
        arguments: list[Argument] = [self._time(), LEASE_SECONDS, self._replica, *(lease for _, lease in held)]
        try:
            return int(await self._scripting.run(_BEAT, keys, arguments))
        except RedisLostError as error:
            raise CountersLostError(str(error)) from error

    async def aclose(self) -> None:
        """Send what is to be given back, and leave the list of processes."""
        self._scripting.start(_LEAVE, [f"{self._prefix}replicas"], [self._replica])
        await self._scripting.aclose()

    def _return(self, done: asyncio.Future[Any], quotas: Sequence[Quota], tokens: int, lease: str) -> None:
        """Nobody waits for this reservation any more: what it took goes back."""
        if done.cancelled() or done.exception() is not None:
            self._leases.pop(lease, None)
            return
        refused, told = done.result()
        if refused:
            self._leases.pop(lease, None)
        else:
            self.settle(Receipt(quotas, tokens, float(told), lease), None)

    def _time(self) -> str:
        return "" if self._now is None else f"{self._now():.6f}"
