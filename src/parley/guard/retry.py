"""When the same target is tried again, and after how long. Knows no other target: failing over is not decided here."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from msgspec import Struct

from parley.contract.errors import ParleyError, ProviderTimeoutError


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """At most `tries` of one target, the last begun within `window_seconds` of its first failure.

    The wait grows from `base_seconds` to `max_seconds` with full jitter (`jitter` gives a number from 0 to 1), and is never shorter
    than a vendor's Retry-After.
    """

    tries: int = 3
    window_seconds: float = 20.0
    base_seconds: float = 0.5
    max_seconds: float = 8.0
    jitter: Callable[[], float] = random.random


class RetryBudget:
    """What is left of one request's tries. No try begins after `ends_at`, when the request's own time is over."""

    __slots__ = ("_ends_at", "_failed_at", "_failures", "_policy", "_tries")

    def __init__(self, policy: RetryPolicy, *, tries: int | None = None, ends_at: float = math.inf) -> None:
        self._policy = policy
        self._tries = policy.tries if tries is None else tries
        self._ends_at = ends_at
        self._failures = 0
        self._failed_at: float | None = None

    def delay_after(self, error: ParleyError, *, now: float) -> float | None:
        """Seconds to wait before the next try; None where the error must be raised."""
        self._failures += 1
        if self._failed_at is None:
            self._failed_at = now
        if self._failures >= self._tries or not _worth_another_try(error):
            return None
        backoff = min(self._policy.max_seconds, self._policy.base_seconds * 2 ** (self._failures - 1))
        delay = max(error.retry_after or 0.0, backoff * self._policy.jitter())
        begins_at = now + delay
        return delay if begins_at <= self._failed_at + self._policy.window_seconds and begins_at < self._ends_at else None


def _worth_another_try(error: ParleyError) -> bool:
    # A target that accepted and stayed silent is not asked again; one that could not be connected to is.
    return error.retryable or (isinstance(error, ProviderTimeoutError) and error.phase == "connect")
