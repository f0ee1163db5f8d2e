"""Limits of providers, keys and users: who waits, in whose turn, who is refused, and what they are told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from parley.contract.capabilities import Limits
from parley.contract.errors import BudgetExceededError, LimitExceededError, PolicyError, QueueFullError
from parley.contract.response import RateLimits
from parley.contract.usage import Usage
from parley.dispatch.admission import Admission, Reservation, Subject, Unlimited
from parley.dispatch.limits import Limiter, Rules
from parley.registry.limit_tables import LimitTable, QueueTable

from ..guard.conftest import ManualClock

NONE, USUAL = Limits(), QueueTable()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def limited(
    clock: ManualClock,
    provider: Limits = NONE,
    *,
    user: Limits = NONE,
    key: Limits = NONE,
    provider_key: Limits = NONE,
    queue: QueueTable = USUAL,
    limiter: Limiter | None = None,
) -> Admission:
    table = LimitTable(user=user, key=key, queue=queue)
    rules = Rules(providers={"acme": provider}, provider_keys={"acme": provider_key}, table=table)
    return (limiter or Limiter(clock=clock)).under(rules)


def used(tokens: int) -> Usage:
    return Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens)


def asked(user: str = "ada", *, tokens: int = 0, priority: int = 0, key: str = "", api_key: str = "") -> Subject:
    return Subject(provider="acme", model="fast", user=user, tokens=tokens, priority=priority, key=key, api_key=api_key)


class Crowd:
    """Callers that each take a place and say so; none gives it back by itself."""

    def __init__(self, admission: Admission, clock: ManualClock) -> None:
        self.admission = admission
        self.clock = clock
        self.came: list[str] = []
        self.places: list[Reservation] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def ask(self, name: str, subject: Subject) -> None:
        async def caller() -> None:
            self.places.append(await self.admission.admit(subject))
            self.came.append(name)

        self.tasks[name] = asyncio.create_task(caller())
        await self.clock.settle()

    async def finish(self, count: int = 1) -> Sequence[str]:
        """So many answers end, one after another; who came in for them."""
        before = len(self.came)
        for _ in range(count):
            self.places.pop(0).settle(used(1))
            await self.clock.settle()
        return self.came[before:]


async def test_without_limits_nobody_is_asked(clock: ManualClock) -> None:
    assert isinstance(limited(clock), Unlimited)


async def test_a_hundred_at_once_against_ten(clock: ManualClock) -> None:
    admission = limited(clock, Limits(requests_per_minute=10))
    outcomes = await asyncio.gather(*(admission.admit(asked(f"user {number % 7}")) for number in range(100)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, LimitExceededError)]
    assert len(refused) == 90
    first = refused[0]
    assert (first.code, first.domain, first.phase, first.provider, first.limit) == ("rate_limited", "policy", "queued", "acme", 10)
    assert first.message == "acme takes at most 10 requests a minute; try again in 60 s"
    assert first.retry_after == 60
    clock.time += 60
    assert not isinstance(await admission.admit(asked()), BaseException)


async def test_who_can_wait_long_enough_waits(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(requests_per_minute=1), queue=QueueTable(timeout=90)), clock)
    await crowd.ask("first", asked())
    await clock.advance(20)
    await crowd.ask("second", asked())
    await clock.advance(39)
    assert crowd.came == ["first"]
    await clock.advance(1.1)
    assert crowd.came == ["first", "second"]


async def test_in_turn_among_users_and_by_priority(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(concurrency=1)), clock)
    await crowd.ask("running", asked("eve"))
    for number in range(4):
        await crowd.ask(f"ada {number}", asked("ada"))
    await crowd.ask("bob", asked("bob"))
    await crowd.ask("cleo", asked("cleo"))
    await crowd.ask("urgent", asked("dan", priority=5))
    assert await crowd.finish(7) == ["urgent", "ada 0", "bob", "cleo", "ada 1", "ada 2", "ada 3"]


async def test_nobody_is_held_up_by_who_waits_for_something_else(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(concurrency=10), user=Limits(concurrency=1)), clock)
    for name in ("ada 0", "ada 1", "ada 2", "bob 0", "bob 1"):
        await crowd.ask(name, asked(name.split()[0]))
    assert crowd.came == ["ada 0", "bob 0"]
    await crowd.ask("cleo", asked("cleo"))
    assert crowd.came == ["ada 0", "bob 0", "cleo"]
    assert await crowd.finish() == ["ada 1"]


async def test_the_queue_is_bounded_and_says_so(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(concurrency=1), queue=QueueTable(size=2)), clock)
    for name in ("running", "waiting", "waiting too"):
        await crowd.ask(name, asked())
    with pytest.raises(QueueFullError) as caught:
        await crowd.admission.admit(asked("bob"))
    assert caught.value.message.startswith("2 requests are waiting already, and no more can; acme takes at most 1 request at the same time")
    assert caught.value.retry_after
    assert await crowd.finish() == ["waiting"]
    await crowd.ask("now there is room", asked("bob"))
    assert await crowd.finish(2) == ["waiting too", "now there is room"]


async def test_waiting_ends_with_its_time(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(concurrency=1), queue=QueueTable(timeout=12)), clock)
    await crowd.ask("running", asked())
    await crowd.ask("waiting", asked())
    await clock.advance(11.9)
    assert not crowd.tasks["waiting"].done()
    await clock.advance(0.2)
    with pytest.raises(LimitExceededError):
        await crowd.tasks["waiting"]
    await crowd.finish()
    await crowd.ask("the next finds the place free", asked())
    assert crowd.came[-1] == "the next finds the place free"


async def test_who_leaves_the_queue_leaves_nothing_behind(clock: ManualClock) -> None:
    crowd = Crowd(limited(clock, Limits(concurrency=2)), clock)
    for number in range(12):
        await crowd.ask(str(number), asked(f"user {number}"))
    for number in range(2, 11):
        crowd.tasks[str(number)].cancel()
    # One leaves in the very moment in which its turn comes.
    crowd.places.pop(0).settle(used(1))
    crowd.tasks["11"].cancel()
    await clock.settle()
    crowd.places.pop(0).settle(used(1))
    await clock.settle()
    for name in ("a", "b", "c"):
        await crowd.ask(name, asked())
    assert crowd.came == ["0", "1", "a", "b"]
    assert await crowd.finish() == ["c"]


@pytest.mark.parametrize("sent", [True, False])
async def test_tokens_are_reserved_and_settled(clock: ManualClock, sent: bool) -> None:
    crowd = Crowd(limited(clock, user=Limits(tokens_per_minute=1000)), clock)
    await crowd.ask("large", asked(tokens=900))
    await crowd.ask("waits for what the first gives back", asked(tokens=300))
    assert crowd.came == ["large"]
    if sent:
        crowd.places[0].settle(used(400))
    else:
        crowd.places[0].release()
    await clock.settle()
    assert len(crowd.came) == 2


async def test_a_users_limit_is_not_the_providers(clock: ManualClock) -> None:
    admission = limited(clock, user=Limits(tokens_per_minute=1000))
    (await admission.admit(asked(tokens=10))).settle(used(1000))
    with pytest.raises(LimitExceededError, match="your account may use at most 1,000 tokens a minute; try again in 60 s") as caught:
        await admission.admit(asked(tokens=10))
    assert caught.value.provider is None
    await admission.admit(asked("bob", tokens=10))


async def test_a_spent_day_is_a_spent_budget(clock: ManualClock) -> None:
    admission = limited(clock, key=Limits(tokens_per_day=500))
    (await admission.admit(asked(api_key="k1", tokens=400))).settle(used(500))
    with pytest.raises(BudgetExceededError) as caught:
        await admission.admit(asked(api_key="k1", tokens=1))
    assert caught.value.message == "this API key may use at most 500 tokens a day; try again in 24 h"
    assert not caught.value.retryable
    await admission.admit(asked(api_key="k2", tokens=1))


async def test_each_key_of_a_provider_has_limits_of_its_own(clock: ManualClock) -> None:
    admission = limited(clock, Limits(requests_per_minute=3), provider_key=Limits(requests_per_minute=2))
    for key in ("1", "1", "2"):
        await admission.admit(asked(key=key))
    with pytest.raises(LimitExceededError, match="acme takes at most 3 requests"):
        await admission.admit(asked(key="2"))
    clock.time += 61
    for _ in range(2):
        await admission.admit(asked(key="1"))
    with pytest.raises(LimitExceededError, match="each key of acme takes at most 2 requests"):
        await admission.admit(asked(key="1"))
    assert admission.headroom("acme") == pytest.approx(1 / 3)


async def test_what_was_counted_stays_counted_under_new_rules(clock: ManualClock) -> None:
    limiter = Limiter(clock=clock)
    first = limited(clock, Limits(requests_per_minute=5), limiter=limiter)
    for _ in range(4):
        await first.admit(asked())
    second = limited(clock, Limits(requests_per_minute=6), limiter=limiter)
    await second.admit(asked())
    await second.admit(asked())
    with pytest.raises(LimitExceededError, match="at most 6"):
        await second.admit(asked())


async def test_the_vendors_own_words_count(clock: ManualClock) -> None:
    """As OpenAI says it: 60 a minute, all of them used, full again in a minute, one more each second."""
    admission = limited(clock, Limits(concurrency=100), queue=QueueTable(timeout=0.5))
    place = await admission.admit(asked())
    place.learn(RateLimits(limit_requests=60, remaining_requests=1, reset_requests_seconds=59.0))
    assert admission.headroom("acme") == pytest.approx(1 / 60)
    last = await admission.admit(asked())
    with pytest.raises(LimitExceededError, match="acme says that its limit of requests is used up") as caught:
        await admission.admit(asked())
    assert caught.value.retry_after == pytest.approx(1, abs=0.02)
    await admission.admit(Subject(provider="acme", model="another, which the vendor counts for itself"))
    clock.time += 1.01
    await admission.admit(asked())
    last.learn(RateLimits(limit_requests=60, remaining_requests=0, reset_requests_seconds=3600.0, remaining_tokens=5))
    last.learn(RateLimits(remaining_requests=0))  # no reset: says nothing that could be waited for
    clock.time += 3601
    await admission.admit(asked())


async def test_a_refusal_is_counted(clock: ManualClock) -> None:
    told: list[tuple[str, str]] = []
    limiter = Limiter(clock=clock, on_refused=lambda whose, code: told.append((whose, code)))
    admission = limited(clock, user=Limits(requests_per_day=1), limiter=limiter)
    await admission.admit(asked())
    with pytest.raises(PolicyError):
        await admission.admit(asked())
    assert told == [("user", "budget_exceeded")]
