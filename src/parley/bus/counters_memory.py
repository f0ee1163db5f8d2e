"""Counters of one process: sliding windows and slots in memory. Knows no other process and never waits."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

from parley.bus.counters import BUCKETS, Quota, Receipt, Refusal

TIDY_AT = 4096
"""From so many windows on, those in which nothing counts any more are dropped now and then."""


class _Window:
    """What counts now: pieces of [number of the piece, time of its last entry, amount], the oldest first.

    `pending` is reserved and not settled. A window of 0 seconds holds slots, and has no pieces.
    """

    __slots__ = ("pending", "pieces", "pieces_per_second", "seconds", "used")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.pieces_per_second = BUCKETS / seconds if seconds else 0
        self.used = 0
        self.pending = 0
        self.pieces: deque[list[float]] = deque()

    def forget(self, now: float) -> None:
        """Drop what has left the window."""
        ended = now - self.seconds
        pieces = self.pieces
        while pieces and pieces[0][1] <= ended:
            self.used -= int(pieces.popleft()[2])

    def add(self, now: float, amount: int) -> None:
        """Count so much from now on."""
        self.used += amount
        if self.seconds:
            number = int(now * self.pieces_per_second)
            pieces = self.pieces
            if pieces and pieces[-1][0] == number:
                piece = pieces[-1]
                piece[1] = now
                piece[2] += amount
            else:
                pieces.append([number, now, amount])

    def give_back(self, at: float, amount: int) -> None:
        """Take back what was added then, if it still counts."""
        number = int(at * self.pieces_per_second)
        for piece in reversed(self.pieces):
            if piece[0] == number:
                piece[2] -= amount
                self.used -= amount
                return

    def wait_seconds(self, now: float, surplus: int) -> float:
        """When so much will have left."""
        for _, at, amount in self.pieces:
            surplus -= int(amount)
            if surplus <= 0:
                return max(0.0, at + self.seconds - now)
        return self.seconds


class MemoryCounters:
    """See `Counters`. `now` gives seconds that never go back."""

    lost = False

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self.on_settled: Callable[[], None] = lambda: None
        self._now = now
        self._windows: dict[str, _Window] = {}
        self._tidy_at = TIDY_AT

    async def reserve(self, quotas: Sequence[Quota], tokens: int) -> Receipt | Refusal:
        """Take from all quotas, or from none."""
        return self.take(quotas, tokens)

    def take(self, quotas: Sequence[Quota], tokens: int) -> Receipt | Refusal:
        """The same at once."""
        now = self._now()
        if len(self._windows) >= self._tidy_at:
            self._tidy()
        known = self._windows
        taken: list[tuple[_Window, int]] = []
        for quota in quotas:
            window = known.get(quota.key) or self._window(quota)
            pieces = window.pieces
            if pieces and pieces[0][1] <= now - window.seconds:
                window.forget(now)
            cost = quota.cost(tokens) if quota.unit == "tokens" else 1
            if window.used + cost > quota.limit:
                return self._refusal(quotas, tokens, now)
            taken.append((window, cost))
        for quota, (window, cost) in zip(quotas, taken, strict=True):
            window.add(now, cost)
            if quota.unit == "tokens":
                window.pending += cost
        return Receipt(quotas, tokens, now)

    def note(self, quotas: Sequence[Quota], tokens: int) -> Receipt:
        """Count what somebody else has granted."""
        now = self._now()
        for quota in quotas:
            cost = quota.cost(tokens)
            window = self._window(quota)
            window.add(now, cost)
            if quota.unit == "tokens":
                window.pending += cost
        return Receipt(quotas, tokens, now)

    def settle(self, receipt: Receipt, tokens: int | None) -> None:
        """The real number of tokens takes the place of the reserved."""
        for quota in receipt.quotas:
            window = self._windows.get(quota.key)
            if window is None:
                continue
            if quota.unit == "slots":
                window.used = max(0, window.used - 1)
            elif quota.unit == "requests":
                if tokens is None:
                    window.give_back(receipt.at, 1)
            else:
                reserved = quota.cost(receipt.tokens)
                window.pending = max(0, window.pending - reserved)
                surplus = (tokens or 0) - reserved
                if surplus > 0:
                    window.add(self._now(), surplus)
                elif surplus < 0:
                    window.give_back(receipt.at, -surplus)

    def headroom(self, quotas: Sequence[Quota]) -> float:
        """The share of the tightest quota that is free."""
        now = self._now()
        share = 1.0
        for quota in quotas:
            window = self._windows.get(quota.key)
            if window is not None:
                window.forget(now)
                share = min(share, 1 - window.used / quota.limit)
        return max(0.0, share)

    def pending(self, quota: Quota) -> int:
        """Tokens that are reserved and not settled; for slots, how many are held."""
        window = self._windows.get(quota.key)
        return 0 if window is None else window.used if quota.unit == "slots" else window.pending

    async def aclose(self) -> None:
        """There is nothing to give back."""

    def _refusal(self, quotas: Sequence[Quota], tokens: int, now: float) -> Refusal:
        """Of all that refuse, the one that does so longest; a slot only where nothing else is in the way."""
        found: Refusal | None = None
        for quota in quotas:
            window = self._window(quota)
            window.forget(now)
            surplus = window.used + quota.cost(tokens) - quota.limit
            if surplus <= 0:
                continue
            wait = None if quota.unit == "slots" else window.wait_seconds(now, surplus)
            if found is None or (wait is not None and (found.wait_seconds is None or wait > found.wait_seconds)):
                found = Refusal(quota, wait, quota.unit == "slots" or surplus <= window.pending)
        if found is None:
            raise AssertionError("a refusal has its reason")
        return found

    def _window(self, quota: Quota) -> _Window:
        window = self._windows.get(quota.key)
        if window is None:
            window = self._windows[quota.key] = _Window(quota.seconds)
        return window

    def _tidy(self) -> None:
        now = self._now()
        for window in self._windows.values():
            window.forget(now)
        self._windows = {key: window for key, window in self._windows.items() if window.pieces or window.used or window.pending}
        self._tidy_at = max(TIDY_AT, 2 * len(self._windows))
