"""Where requests wait for room: bounded, by priority, and in turn among tenants. Knows neither limits nor providers.

Nobody overtakes who waits for the same thing; who waits for another thing is not held up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Final, Generic, TypeVar

from msgspec import Struct, structs

from parley.bus.counters import Quota, Receipt, Refusal
from parley.guard.clock import Alarm, Clock

LOOK_AGAIN_SECONDS: Final = 0.1
"""What another process gives back is noticed so soon."""
REST_SECONDS: Final = 0.001


class Ticket:
    """One who asks: what for, and in whose turn. `keys` are the quotas that may be in the way, `not_for` those not to wait for."""

    __slots__ = ("ends_at", "keys", "not_for", "patience_seconds", "place", "priority", "quotas", "refusal", "refused_at", "tenant")

    def __init__(self, quotas: Sequence[Quota], keys: frozenset[str], *, tenant: str = "", priority: int = 0) -> None:
        self.quotas = quotas
        self.keys = keys
        self.not_for: frozenset[str] = frozenset()
        self.patience_seconds = inf
        self.tenant = tenant
        self.priority = priority
        self.refusal: Refusal | None = None
        self.refused_at = 0.0
        self.ends_at = 0.0
        self.place: asyncio.Future[Receipt | Refusal] | None = None


class Full(Struct, frozen=True):
    """No more can wait. `refusal` is what those who wait for the same wait for."""

    refusal: Refusal


AnyTicket = TypeVar("AnyTicket", bound=Ticket)


class Queue(Generic[AnyTicket]):
    """`attempt` tries to take what a ticket asks for, `give_back` undoes it."""

    def __init__(
        self,
        attempt: Callable[[AnyTicket], Awaitable[Receipt | Refusal]],
        give_back: Callable[[Receipt], None],
        *,
        clock: Clock,
        size: int,
        timeout_seconds: float,
    ) -> None:
        self.size = size
        self.timeout_seconds = timeout_seconds
        self._attempt = attempt
        self._give_back = give_back
        self._clock = clock
        self._lanes: dict[int, dict[str, deque[AnyTicket]]] = {}
        self._count = 0
        self._blocked: dict[str, Refusal] = {}
        self._news = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return self._count

    async def enter(self, ticket: AnyTicket, *, refused: Refusal | None = None, wait: bool = True) -> Receipt | Refusal | Full | None:
        """What was asked for, after a wait where it must be; a Refusal where waiting is of no use, or was not.

        `refused` is what was in the way a moment ago. Without `wait`: None where one would have to.
        """
        if not self._count or self._blocked.keys().isdisjoint(ticket.keys):
            given = refused or await self._attempt(ticket)
            if isinstance(given, Receipt) or given.quota.key in ticket.not_for or self._hopeless(given, self._patience(ticket)):
                return given
            self._refuse(ticket, given)
        elif (in_the_way := self._in_the_way(ticket)).quota.key in ticket.not_for:
            return in_the_way
        if self._count >= self.size:
            return Full(self._in_the_way(ticket))
        if not wait:
            return None
        if ticket.refusal is not None:
            self._blocked[ticket.refusal.quota.key] = ticket.refusal
        return await self._wait(ticket)

    def poke(self) -> None:
        """Something was given back."""
        if self._count:
            self._news.set()

    async def _wait(self, ticket: AnyTicket) -> Receipt | Refusal:
        place = ticket.place = asyncio.get_running_loop().create_future()
        patience_seconds = self._patience(ticket)
        ticket.ends_at = self._clock.now() + patience_seconds
        self._lanes.setdefault(ticket.priority, {}).setdefault(ticket.tenant, deque()).append(ticket)
        self._count += 1
        alarm = self._clock.call_later(patience_seconds, lambda: self._end(ticket))
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve())
        self._news.set()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and isinstance(given := place.result(), Receipt):
                self._give_back(given)  # it was let in at the moment in which it left
                self.poke()
            raise
        finally:
            alarm.cancel()
            self._remove(ticket)

    def _patience(self, ticket: AnyTicket) -> float:
        """For how long it waits: as long as anybody may, but no longer than its answer is wanted."""
        return min(self.timeout_seconds, ticket.patience_seconds)

    def _end(self, ticket: AnyTicket) -> None:
        """It has waited long enough."""
        if ticket.place is not None and not ticket.place.done():
            ticket.place.set_result(self._in_the_way(ticket))

    def _in_the_way(self, ticket: AnyTicket) -> Refusal:
        """What keeps it waiting, with the wait from now on."""
        refusal = ticket.refusal
        if refusal is None:
            known = (refusal for key, refusal in self._blocked.items() if key in ticket.keys)
            return next(known, Refusal(ticket.quotas[0], None, may_free_sooner=True))
        if refusal.wait_seconds is None:
            return refusal
        return structs.replace(refusal, wait_seconds=max(0.0, refusal.wait_seconds - (self._clock.now() - ticket.refused_at)))

    async def _serve(self) -> None:
        """As long as anybody waits."""
        try:
            while self._count:
                self._news.clear()
                seconds = await self._round()
                alarm: Alarm | None = self._clock.call_later(seconds, self._news.set) if self._count else None
                try:
                    if alarm is not None:
                        await self._news.wait()
                finally:
                    if alarm is not None:
                        alarm.cancel()
        finally:
            self._serving = None
            self._blocked = {}

    async def _round(self) -> float:
        """Let in whoever can be, in order; after how many seconds to look again."""
        blocked: dict[str, Refusal] = {}
        for priority in sorted(self._lanes, reverse=True):
            turn = deque(self._lanes.get(priority, ()))
            while turn:
                tenant = turn.popleft()
                ticket = self._first(priority, tenant, blocked)
                if ticket is None:
                    continue
                given = await self._attempt(ticket)
                if isinstance(given, Receipt):
                    self._let_in(ticket, given)
                    turn.append(tenant)
                else:
                    blocked[given.quota.key] = given
                    self._refuse(ticket, given)
                    turn.appendleft(tenant)  # its others may wait for something else
        self._blocked = blocked
        waits = [
            LOOK_AGAIN_SECONDS if given.wait_seconds is None or given.may_free_sooner else given.wait_seconds for given in blocked.values()
        ]
        # Many that wait for different things are not asked for more often than can be answered.
        return max(REST_SECONDS * max(1, len(blocked)), min(waits, default=LOOK_AGAIN_SECONDS))

    def _first(self, priority: int, tenant: str, blocked: dict[str, Refusal]) -> AnyTicket | None:
        """The tenant's first that waits for nothing that is known to be spent."""
        for ticket in self._lanes.get(priority, {}).get(tenant, ()):
            in_the_way = next((key for key in blocked if key in ticket.keys), None)
            if in_the_way is None:
                if ticket.place is not None and not ticket.place.done():
                    return ticket
            else:
                self._refuse(ticket, blocked[in_the_way])
        return None

    def _let_in(self, ticket: AnyTicket, receipt: Receipt) -> None:
        if ticket.place is None or ticket.place.done():
            self._give_back(receipt)  # it left while it was being asked for
            return
        ticket.place.set_result(receipt)
        self._remove(ticket)
        lane = self._lanes.get(ticket.priority, {})
        if (others := lane.pop(ticket.tenant, None)) is not None:
            lane[ticket.tenant] = others  # the next turn is somebody else's

    def _refuse(self, ticket: AnyTicket, refusal: Refusal) -> None:
        ticket.refusal, ticket.refused_at = refusal, self._clock.now()
        if ticket.place is not None and not ticket.place.done() and self._hopeless(refusal, ticket.ends_at - ticket.refused_at):
            ticket.place.set_result(refusal)

    def _hopeless(self, refusal: Refusal, seconds: float) -> bool:
        """Whether it is certain that there is no room within this time."""
        return refusal.wait_seconds is not None and refusal.wait_seconds > seconds and not refusal.may_free_sooner

    def _remove(self, ticket: AnyTicket) -> None:
        lane = self._lanes.get(ticket.priority, {})
        waiting = lane.get(ticket.tenant)
        if waiting is None or ticket not in waiting:
            return
        waiting.remove(ticket)
        self._count -= 1
        if not waiting:
            del lane[ticket.tenant]
        if not lane:
            del self._lanes[ticket.priority]
        if not self._count:
            self._news.set()
