"""What is counted against a limit, and how a reservation is asked for and settled. Knows neither whose limit it is nor where it is kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import Struct

Unit: TypeAlias = Literal["requests", "tokens", "slots"]

BUCKETS = 60
"""A window is kept in so many pieces: what was counted leaves it a piece at a time, up to a sixtieth of the window late, never early."""


class CountersLostError(Exception):
    """The place where the counters are kept does not answer."""


class Quota(Struct, frozen=True):
    """At most `limit` of a unit within any `seconds`; slots are held at the same time, and their seconds are 0."""

    key: str
    unit: Unit
    limit: int
    seconds: float = 0

    def cost(self, tokens: int) -> int:
        """What one request takes. One that may need more than there ever is takes all there is, and settles to the truth later."""
        return min(tokens, self.limit) if self.unit == "tokens" else 1


class Refusal(Struct, frozen=True):
    """The quota that is in the way longest. `wait_seconds` None: nobody knows when a slot will be free.

    `may_free_sooner` says that what is under way may give something back before that time.
    """

    quota: Quota
    wait_seconds: float | None
    may_free_sooner: bool


class Receipt(Struct, frozen=True):
    """What a request took, for giving it back: `at` is the time of its keeper, `lease` names it among others."""

    quotas: Sequence[Quota]
    tokens: int
    at: float
    lease: str = ""


class Counters(Protocol):
    """Takes from all quotas of a request, or from none.

    `lost`: others that count the same cannot be asked now. `on_settled` is called when something was given back there.
    """

    lost: bool
    on_settled: Callable[[], None]

    async def reserve(self, quotas: Sequence[Quota], tokens: int) -> Receipt | Refusal:
        """Take a request, a slot and so many tokens from each quota that counts them. Raises CountersLostError."""
        ...

    def settle(self, receipt: Receipt, tokens: int | None) -> None:
        """It is over and has used so many tokens; None: it was never sent. Gives the slots back; never waits, never raises."""
        ...

    def headroom(self, quotas: Sequence[Quota]) -> float:
        """The share of the tightest quota that is free as far as this process knows, 0 to 1."""
        ...

    async def aclose(self) -> None:
        """Give back what is held."""
        ...
