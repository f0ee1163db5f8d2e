"""Who may be asked now: the door that each try of a target passes, and what is given back afterwards. Counts nothing itself."""

from __future__ import annotations

from math import inf
from typing import Protocol

from msgspec import Struct

from parley.contract.response import RateLimits
from parley.contract.usage import Usage


class Caller(Struct, frozen=True, kw_only=True):
    """Who asks. Empty where nobody is known: a program that uses the library. A higher `priority` waits less."""

    user_id: str = ""
    api_key_id: str = ""
    tenant: str = ""
    priority: int = 0


NOBODY = Caller()


class Subject(Struct, frozen=True, kw_only=True):
    """One try, as limits see it. `key` says which of a provider's keys it takes ("" = its only one), never the key itself.

    `may_wait`: nobody else can answer, so it is worth waiting for room at this provider; `patience_seconds` is for how long at most.
    `tokens` is what it may use at most, as nearly as that is known: the prompt, estimated, and the longest answer.
    """

    provider: str
    model: str = ""
    key: str = ""
    user: str = ""
    api_key: str = ""
    tokens: int = 0
    priority: int = 0
    may_wait: bool = True
    patience_seconds: float = inf


class Reservation(Protocol):
    """A place that one try holds. Exactly one of `settle` and `release` ends it."""

    def settle(self, usage: Usage) -> None:
        """The real usage takes the place of what was reserved, and the place is free."""
        ...

    def release(self) -> None:
        """Nothing was used: it was refused, or given up before it was sent."""
        ...

    def learn(self, limits: RateLimits) -> None:
        """What the vendor's headers say is left."""
        ...


class Admission(Protocol):
    """Lets tries in."""

    async def admit(self, subject: Subject) -> Reservation:
        """Wait for a place. Raises LimitExceededError, QueueFullError or BudgetExceededError; `provider` is set where it is the
        provider's limit, so that another target may have room.
        """
        ...

    async def admit_now(self, subject: Subject) -> Reservation | None:
        """The same without waiting: None where one would have to."""
        ...

    def headroom(self, provider: str) -> float:
        """How much of a provider's limits is free, from 0 to 1."""
        ...


class Place:
    """A reservation that was made before its request was begun, for whom the first try will most likely ask. Dropped, it is given back."""

    __slots__ = ("_reservation", "_subject")

    def __init__(self, subject: Subject, reservation: Reservation) -> None:
        self._subject = subject
        self._reservation: Reservation | None = reservation

    def take(self, subject: Subject) -> Reservation | None:
        """The reservation, where it is for the same provider, model and key; else it is given back."""
        known = self._subject
        if (known.provider, known.model, known.key) != (subject.provider, subject.model, subject.key):
            self.release()
        reservation, self._reservation = self._reservation, None
        return reservation

    def release(self) -> None:
        """It is not needed, or was taken."""
        reservation, self._reservation = self._reservation, None
        if reservation is not None:
            reservation.release()

    def __del__(self) -> None:
        self.release()


class Unlimited:
    """Nobody is counted. Dispatch knows it and does not even ask."""

    async def admit(self, subject: Subject) -> Reservation:
        """At once."""
        return _NOTHING

    async def admit_now(self, subject: Subject) -> Reservation | None:
        """At once."""
        return _NOTHING

    def headroom(self, provider: str) -> float:
        """All of it."""
        return 1.0


class _Nothing:
    def settle(self, usage: Usage) -> None:
        """Nothing is counted."""

    def release(self) -> None:
        """Nothing was reserved."""

    def learn(self, limits: RateLimits) -> None:
        """Nothing is kept."""


_NOTHING = _Nothing()
