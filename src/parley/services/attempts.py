"""How often somebody may try something (to sign in, to register): counted in memory, within bounds. Knows not what is tried."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from parley.contract.errors import LimitExceededError

MAX_REMEMBERED = 50_000


class Attempts:
    """At most `limit` attempts for each key within `seconds`, counted from the first of them.

    An attempt counts when it begins, so that a thousand at once are no way around; one that succeeds can be forgiven.
    """

    def __init__(self, limit: int, *, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._now = now
        self._counted: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def begin(self, key: str) -> None:
        """Count one. Raises LimitExceededError, with the time to wait, where there were too many."""
        now = self._now()
        started, count = self._counted.get(key, (now, 0))
        if now - started >= self._seconds:
            started, count = now, 0
        if count >= self._limit:
            wait = max(1, math.ceil(started + self._seconds - now))
            raise LimitExceededError(f"too many attempts; try again in {_in_words(wait)}", retry_after=float(wait))
        if count == 0:
            # Oldest first: what is forgotten under pressure is what would expire next.
            self._counted.pop(key, None)
            while len(self._counted) >= MAX_REMEMBERED:
                self._counted.popitem(last=False)
        self._counted[key] = (started, count + 1)

    def give_back(self, key: str) -> None:
        """One of them does not count after all."""
        started, count = self._counted.get(key, (0.0, 0))
        if count > 1:
            self._counted[key] = (started, count - 1)
        else:
            self._counted.pop(key, None)

    def forgive(self, key: str) -> None:
        """Forget this key's attempts."""
        self._counted.pop(key, None)


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 that a single IPv6 customer has to itself."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{math.ceil(seconds / 60)} minutes"
