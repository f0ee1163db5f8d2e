"""What a vendor's own headers say is left, brought up to date by what was sent since. Knows no other process and no limit of ours."""

from __future__ import annotations

from msgspec import Struct

from parley.bus.counters import Quota, Refusal, Unit
from parley.contract.response import RateLimits


class _Side(Struct):
    """What was left of one kind at some time, and when all of it will be there again. `limit` 0 = not said."""

    left: float
    limit: int
    at: float
    full_at: float

    def available(self, now: float) -> float:
        """Vendors fill up evenly; where none says how far, nothing is taken for granted before the reset."""
        if not self.limit:
            return self.left
        return self.left + (self.limit - self.left) * max(0.0, now - self.at) / (self.full_at - self.at)

    def wait_seconds(self, now: float) -> float:
        """When there will be something."""
        short = 1 - self.available(now)
        if not self.limit or self.limit <= self.left:
            return self.full_at - now
        return min(self.full_at - now, short * (self.full_at - self.at) / (self.limit - self.left))


class VendorView:
    """One key at one vendor, as its last reply described it. Says nothing until a vendor has said something."""

    __slots__ = ("_awaited", "_name", "_sides", "key")

    def __init__(self, name: str) -> None:
        self.key = f"vendor:{name}"
        self._sides: dict[Unit, _Side] = {}
        self._awaited: list[int] = [0, 0]

    def refusal(self, now: float) -> Refusal | None:
        """Why a request would be refused there; None where anything is left: how the vendor will count it only the vendor knows."""
        if not self._sides:
            return None
        for unit in tuple(self._sides):
            side = self._sides[unit]
            if now >= side.full_at:
                del self._sides[unit]
                continue
            if side.available(now) < 1:
                return Refusal(Quota(self.key, unit, side.limit, 60), side.wait_seconds(now), may_free_sooner=False)
        return None

    def sent(self, tokens: int) -> None:
        """A request is on its way; whether the next reply counts it already, nobody knows."""
        self._awaited[0] += 1
        self._awaited[1] += tokens
        for unit, side in self._sides.items():
            side.left -= 1 if unit == "requests" else tokens

    def answered(self, tokens: int) -> None:
        """It was answered, or will not be."""
        self._awaited[0] -= 1
        self._awaited[1] -= tokens

    def learn(self, limits: RateLimits, now: float) -> None:
        """What a reply says, which counts the request that it answers; those still on their way are taken off."""
        self._learn("requests", (limits.limit_requests, limits.remaining_requests, limits.reset_requests_seconds), now, self._awaited[0])
        self._learn("tokens", (limits.limit_tokens, limits.remaining_tokens, limits.reset_tokens_seconds), now, self._awaited[1])

    def share(self, now: float) -> float:
        """How much of what the vendor allows is left, 0 to 1."""
        shares = [side.available(now) / side.limit for side in self._sides.values() if side.limit and now < side.full_at]
        return max(0.0, min(shares, default=1.0))

    def _learn(self, unit: Unit, said: tuple[int | None, int | None, float | None], now: float, awaited: int) -> None:
        limit, left, reset_seconds = said
        if left is None or not reset_seconds or reset_seconds <= 0:
            return
        self._sides[unit] = _Side(left=left - awaited, limit=limit or 0, at=now, full_at=now + reset_seconds)
