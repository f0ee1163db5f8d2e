"""Whether a request may be sent now: the limits of its provider, key, user and API key, and what the vendor says. Knows no wire.

A reservation takes a request, a slot and the most tokens that may be used from each of them at once, and settles to what was used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import ceil
from typing import Final

from msgspec import Struct

from parley.bus.counters import Counters, Quota, Receipt, Refusal, Unit
from parley.bus.counters_memory import MemoryCounters
from parley.contract.capabilities import Limits
from parley.contract.errors import BudgetExceededError, LimitExceededError, PolicyError, QueueFullError
from parley.contract.response import RateLimits
from parley.contract.usage import Usage
from parley.dispatch.admission import Admission, Reservation, Subject, Unlimited
from parley.dispatch.queue import Full, Queue, Ticket
from parley.dispatch.vendor_view import VendorView
from parley.guard.clock import Clock, LoopClock
from parley.registry.limit_tables import LimitTable, QueueTable
from parley.registry.loading import Registry

MINUTE: Final = 60
DAY: Final = 86_400
MAX_PLANS: Final = 10_000
LEAST_RETRY_SECONDS: Final = 1.0
MOST_RETRY_SECONDS: Final = 60.0
_WEIGHT_OF_NEWEST: Final = 0.1

_KINDS: Final[Mapping[str, tuple[Unit, int, str]]] = {
    "requests_per_minute": ("requests", MINUTE, "requests a minute"),
    "tokens_per_minute": ("tokens", MINUTE, "tokens a minute"),
    "requests_per_day": ("requests", DAY, "requests a day"),
    "tokens_per_day": ("tokens", DAY, "tokens a day"),
    "concurrency": ("slots", 0, "at the same time"),
}


class Rules(Struct, frozen=True, kw_only=True):
    """All limits of one configuration. `providers` holds for a provider over all its keys, `provider_keys` for each of its keys."""

    providers: Mapping[str, Limits] = {}
    provider_keys: Mapping[str, Limits] = {}
    table: LimitTable = LimitTable()

    @property
    def empty(self) -> bool:
        """Whether nobody has a limit."""
        limits = [*self.providers.values(), *self.provider_keys.values(), self.table.user, self.table.key]
        return all(one == Limits() for one in limits)


def rules_of(registry: Registry) -> Rules:
    """The limits that a registry's sources name."""
    names = registry.names()
    return Rules(
        providers={name: limits for name in names if (limits := registry.limits(name)) != Limits()},
        provider_keys={name: limits for name in names if (limits := registry.key_limits(name)) != Limits()},
        table=registry.file.limits,
    )


class _Plan(Struct, frozen=True):
    """What is asked of one combination of provider, key, user and API key. `elsewhere` are the keys that another provider does not have."""

    quotas: tuple[Quota, ...]
    keys: frozenset[str]
    elsewhere: frozenset[str]
    vendor: VendorView


class _Asking(Ticket):
    """A ticket that asks the vendor's view too."""

    __slots__ = ("tokens", "vendor")

    def __init__(self, plan: _Plan, subject: Subject) -> None:
        super().__init__(plan.quotas, plan.keys, tenant=subject.user, priority=subject.priority)
        self.tokens = subject.tokens
        self.vendor = plan.vendor
        self.patience_seconds = subject.patience_seconds
        if not subject.may_wait:
            self.not_for = plan.elsewhere


class Limiter:
    """What outlives a configuration: the counts, those who wait, and what vendors said. One for each process.

    `on_refused` is told of each refusal: of whose limit, and its code.
    """

    def __init__(
        self,
        counters: Counters | None = None,
        *,
        clock: Clock | None = None,
        on_refused: Callable[[str, str], None] = lambda _whose, _code: None,
    ) -> None:
        self.clock = clock or LoopClock()
        self.counters = counters or MemoryCounters(self.clock.now)
        self.on_refused = on_refused
        table = QueueTable()
        self.queue: Queue[_Asking] = Queue(self._attempt, self._give_back, clock=self.clock, size=table.size, timeout_seconds=table.timeout)
        self.counters.on_settled = self.queue.poke
        self.mean_seconds: dict[str, float] = {}
        self._vendors: dict[str, VendorView] = {}

    def under(self, rules: Rules) -> Admission:
        """The door under these rules. What was counted before stays counted."""
        if rules.empty:
            return Unlimited()
        self.queue.size, self.queue.timeout_seconds = rules.table.queue.size, rules.table.queue.timeout
        return Limited(rules, self)

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        return len(self.queue)

    def vendor(self, provider: str, key: str, model: str) -> VendorView:
        """What the vendor says of this key. Models' names come from callers: beyond a bound they share one view, which says little."""
        name = f"{provider}:{key}:{model}"
        found = self._vendors.get(name)
        if found is None:
            found = VendorView(name)
            if len(self._vendors) < MAX_PLANS:
                self._vendors[name] = found
        return found

    def vendors_of(self, provider: str) -> Iterator[VendorView]:
        """All that was heard of a provider."""
        beginning = f"{provider}:"
        return (view for name, view in self._vendors.items() if name.startswith(beginning))

    def held(self, provider: str, seconds: float) -> None:
        """An answer took so long: the next slot is free in about that time."""
        mean = self.mean_seconds.get(provider, seconds)
        self.mean_seconds[provider] = mean + (seconds - mean) * _WEIGHT_OF_NEWEST

    async def aclose(self) -> None:
        """Give back what is held in other places than this process."""
        await self.counters.aclose()

    async def reserve(self, quotas: Sequence[Quota], vendor: VendorView, tokens: int) -> Receipt | Refusal:
        """Take what a request needs, if the vendor has something left, as far as is known."""
        refusal = vendor.refusal(self.clock.now())
        if refusal is not None:
            return refusal
        if not quotas:
            return _NOTHING_TAKEN
        return await self.counters.reserve(quotas, tokens)

    async def _attempt(self, ticket: _Asking) -> Receipt | Refusal:
        return await self.reserve(ticket.quotas, ticket.vendor, ticket.tokens)

    def _give_back(self, receipt: Receipt) -> None:
        if receipt.quotas:
            self.counters.settle(receipt, None)


class Limited:
    """See `Admission`. Made anew for each configuration, over the one Limiter."""

    def __init__(self, rules: Rules, limiter: Limiter) -> None:
        self._rules = rules
        self._limiter = limiter
        self._plans: dict[tuple[str, str, str, str, str], _Plan] = {}
        self._provider_quotas = {name: quotas_of(f"provider:{name}", limits) for name, limits in rules.providers.items()}

    async def admit(self, subject: Subject) -> Reservation:
        """Wait for a place. Raises LimitExceededError, QueueFullError or BudgetExceededError."""
        reservation = await self._entered(subject, wait=True)
        if reservation is None:
            raise AssertionError("who waits is let in or refused")
        return reservation

    async def admit_now(self, subject: Subject) -> Reservation | None:
        """The same without waiting: None where one would have to."""
        return await self._entered(subject, wait=False)

    async def _entered(self, subject: Subject, *, wait: bool) -> Reservation | None:
        known = (subject.provider, subject.key, subject.user, subject.api_key, subject.model)
        plan = self._plans.get(known) or self._planned(subject, known)
        limiter = self._limiter
        # Where nobody waits there is nobody to be overtaken, and no ticket to be written.
        given = None if len(limiter.queue) else await limiter.reserve(plan.quotas, plan.vendor, subject.tokens)
        if not isinstance(given, Receipt):
            given = await limiter.queue.enter(_Asking(plan, subject), refused=given, wait=wait)
        if given is None:
            return None
        if not isinstance(given, Receipt):
            raise self._error(subject, given)
        plan.vendor.sent(subject.tokens)
        return _Held(limiter, given, plan.vendor, subject)

    def headroom(self, provider: str) -> float:
        """How much of a provider's limits is free, from 0 to 1, as far as this process knows."""
        now = self._limiter.clock.now()
        views = [view.share(now) for view in self._limiter.vendors_of(provider)]
        # A vendor counts each model for itself: one that has room is room.
        return min(self._limiter.counters.headroom(self._provider_quotas.get(provider, ())), max(views, default=1.0))

    def _planned(self, subject: Subject, known: tuple[str, str, str, str, str]) -> _Plan:
        rules = self._rules
        quotas = [*self._provider_quotas.get(subject.provider, ())]
        if limits := rules.provider_keys.get(subject.provider):
            quotas += quotas_of(f"key:{subject.provider}:{subject.key}", limits)
        own = len(quotas)
        if subject.user:
            quotas += quotas_of(f"user:{subject.user}", rules.table.user)
        if subject.api_key:
            quotas += quotas_of(f"api_key:{subject.api_key}", rules.table.key)
        vendor = self._limiter.vendor(subject.provider, subject.key, subject.model)
        of_provider = frozenset([vendor.key, *(quota.key for quota in quotas[:own])])
        plan = _Plan(tuple(quotas), of_provider.union(quota.key for quota in quotas), of_provider, vendor)
        if len(self._plans) >= MAX_PLANS:
            self._plans.clear()
        self._plans[known] = plan
        return plan

    def _error(self, subject: Subject, outcome: Refusal | Full) -> PolicyError:
        """What is told, with the time after which it is of use to come back."""
        limiter = self._limiter
        refusal = outcome.refusal if isinstance(outcome, Full) else outcome
        quota = refusal.quota
        whose = quota.key.partition(":")[0]
        seconds = refusal.wait_seconds
        if seconds is None:
            mean = limiter.mean_seconds.get(subject.provider, LEAST_RETRY_SECONDS)
            seconds = min(MOST_RETRY_SECONDS, max(LEAST_RETRY_SECONDS, mean))
        kind, words = LimitExceededError, f"{_words(quota, whose, subject.provider)}; try again in {_shown_seconds(seconds)}"
        own = whose in {"user", "api_key"}
        if isinstance(outcome, Full) and limiter.queue.size:
            kind, words = QueueFullError, f"{limiter.queue.size:,} requests are waiting already, and no more can; {words}"
        elif own and quota.seconds == DAY:
            kind = BudgetExceededError
        error = kind(
            words,
            retry_after=round(seconds, 3),
            retryable=kind is not BudgetExceededError,
            phase="queued",
            provider=None if own else subject.provider,
            limit=quota.limit or None,
        )
        limiter.on_refused(whose, str(error.code))
        return error


class _Held:
    """See `Reservation`."""

    __slots__ = ("_awaited", "_began_at", "_limiter", "_receipt", "_subject", "_vendor")

    def __init__(self, limiter: Limiter, receipt: Receipt, vendor: VendorView, subject: Subject) -> None:
        self._limiter = limiter
        self._receipt: Receipt | None = receipt
        self._vendor = vendor
        self._awaited = True
        self._subject = subject
        self._began_at = limiter.clock.now()

    def settle(self, usage: Usage) -> None:
        """The real usage takes the place of what was reserved, and the place is free."""
        self._limiter.held(self._subject.provider, self._limiter.clock.now() - self._began_at)
        self._end(usage.total_tokens)

    def release(self) -> None:
        """Nothing was used."""
        self._end(None)

    def learn(self, limits: RateLimits) -> None:
        """What the vendor's headers say is left."""
        self._answered()
        self._vendor.learn(limits, self._limiter.clock.now())
        self._limiter.queue.poke()

    def _end(self, tokens: int | None) -> None:
        receipt, self._receipt = self._receipt, None
        self._answered()
        if receipt is None:
            return
        if receipt.quotas:
            self._limiter.counters.settle(receipt, tokens)
        self._limiter.queue.poke()

    def _answered(self) -> None:
        if self._awaited:
            self._awaited = False
            self._vendor.answered(self._subject.tokens)


_NOTHING_TAKEN: Final = Receipt((), 0, 0.0)


def quotas_of(scope: str, limits: Limits) -> list[Quota]:
    """A scope's limits, each under a key of its own."""
    return [
        Quota(f"{scope}:{name}", unit, limit, seconds) for name, (unit, seconds, _) in _KINDS.items() if (limit := getattr(limits, name))
    ]


def _words(quota: Quota, whose: str, provider: str) -> str:
    if whose == "vendor":
        return f"{provider} says that its limit of {quota.unit} is used up"
    kind = _KINDS[quota.key.rpartition(":")[2]][2]
    amount = f"{quota.limit:,} {'requests ' if quota.unit == 'slots' else ''}{kind}"
    takers = {"provider": f"{provider} takes", "key": f"each key of {provider} takes", "user": "your account may use"}
    if quota.limit == 1:
        amount = amount.replace("requests", "request").replace("tokens", "token")
    return f"{takers.get(whose, 'this API key may use')} at most {amount}"


def _shown_seconds(seconds: float) -> str:
    whole = ceil(max(seconds, 1))
    return f"{whole} s" if whole < 120 else f"{ceil(whole / 60)} min" if whole < 7200 else f"{ceil(whole / 3600)} h"
