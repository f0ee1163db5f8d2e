"""One request over several targets, each of which does what a script says. Time is only passed on, never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from random import Random
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.errors import (
    AuthenticationError,
    BudgetExceededError,
    ConnectionLostError,
    ContentFilterError,
    ContextLengthError,
    InvalidRequestError,
    LimitExceededError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    ProtocolError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    StreamTruncatedError,
    UnsupportedFeatureError,
)
from parley.contract.events import Event, ResponseFinished, Restarted, TextDelta
from parley.contract.messages import ImagePart, Message, TextPart
from parley.contract.options import Options
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, RateLimits
from parley.contract.usage import Usage
from parley.dispatch.admission import Caller, Reservation, Subject
from parley.dispatch.failover import Failover, OnCut, Terms
from parley.dispatch.holding import held
from parley.dispatch.targets import Destination, Line, Target
from parley.dispatch.trail import Trail
from parley.guard.guarded import guard
from parley.guard.retry import RetryPolicy

Step = ParleyError | str | None
HEALTHY = ("one ", "two ", "three")


class StepClock:
    """Time that only sleeping moves; alarms ring when a test says so."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def call_later(self, delay_seconds: float, callback: Callable[[], None]) -> Any:
        entry = (self.time + delay_seconds, callback)
        self.alarms.append(entry)

        class Alarm:
            def cancel(alarm) -> None:  # noqa: N805 - the clock is the other self
                if entry in self.alarms:
                    self.alarms.remove(entry)

        return Alarm()

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def ring_next(self) -> None:
        entry = min(self.alarms, key=lambda one: one[0])
        self.alarms.remove(entry)
        self.time = max(self.time, entry[0])
        entry[1]()


class Scripted(Provider):
    """Each call plays the next script; the last one again and again. An error in a script is raised at its place, None waits."""

    def __init__(self, name: str, *scripts: Sequence[Step], capabilities: Capabilities | None = None) -> None:
        super().__init__()
        self.name = name
        self.called = asyncio.Event()
        self.scripts = list(scripts) or [HEALTHY]
        self.capabilities = capabilities or Capabilities()
        self.calls = 0
        self.closed = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Event, None]:
        script = self.scripts[min(self.calls, len(self.scripts) - 1)]
        self.calls += 1
        self.called.set()
        try:
            for step in script:
                if isinstance(step, ParleyError):
                    raise step
                if step is None:
                    await asyncio.Event().wait()
                else:
                    yield TextDelta(step)
            yield ResponseFinished(response=ChatResponse(finish_reason="stop"))
        finally:
            self.closed += 1


class World:
    def __init__(self) -> None:
        self.clock = StepClock()
        self.failover = Failover(clock=self.clock, retry=RetryPolicy(jitter=lambda: 1.0))
        self.trail = Trail()

    def target(self, *providers: Scripted, context_tokens: int = 0) -> Target:
        lines = [Line(guard(one, clock=self.clock), key=str(number)) for number, one in enumerate(providers)]
        return Target(providers[0].name, "m", lines=lines, context_tokens=lambda: context_tokens)

    def route(self, *targets: Target, strategy: Any = "priority", weights: Sequence[float] = ()) -> Destination:
        return Destination("fast", "", targets, strategy=strategy, weights=weights)

    def batches(
        self, destination: Destination, request: ChatRequest | None = None, *, on_cut: OnCut = "restart", **terms: Any
    ) -> AsyncGenerator[list[Event], None]:
        self.trail = Trail()
        asked = request or ChatRequest(messages=[Message(role="user", content="hi")])
        return self.failover.batches(destination, asked, trail=self.trail, terms=Terms(on_cut=on_cut, **terms))

    async def answer(self, destination: Destination, request: ChatRequest | None = None, **terms: Any) -> ChatResponse:
        return (await self.events(self.batches(destination, request, **terms)))[-1].response

    async def events(self, batches: AsyncGenerator[list[Event], None]) -> list[Any]:
        async with aclosing(batches):
            return [event async for batch in batches for event in batch]


@pytest.fixture
def world() -> World:
    return World()


def busy() -> OverloadedError:
    return OverloadedError("all places are taken", status=503)


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (RateLimitError("slow down"), 2),
        (RateLimitError("slow down", retry_after=60), 1),
        (RateLimitError("slow down", retry_after=8), 1),
        (ServerError("oops", status=500), 2),
        (busy(), 2),
        (ConnectionLostError("reset"), 2),
        (ProviderTimeoutError("silent", phase="first_token"), 1),
        (ProtocolError("a web page"), 1),
        (ModelNotFoundError("no such model", status=404), 1),
        (AuthenticationError("bad key"), 1),
        (QuotaExceededError("no credit"), 1),
        (RequestRejectedError("gone", status=410), 1),
        (UnsupportedFeatureError("no tools"), 1),
    ],
)
async def test_before_the_first_token_another_target_answers(world: World, error: ParleyError, tries: int) -> None:
    primary, second = Scripted("a", [error]), Scripted("b")
    reply = await world.answer(world.route(world.target(primary), world.target(second)))
    assert (reply.text, reply.provider) == ("one two three", "b")
    assert (primary.calls, second.calls) == (tries, 1)
    assert reply.fallback is not None
    assert (reply.fallback.asked, reply.fallback.actual, reply.fallback.reason) == ("a/m", "b/m", error.message)
    tried = 0 if isinstance(error, UnsupportedFeatureError) else tries
    assert [(one.provider, one.model, one.code) for one in reply.attempts] == [("a", "m", str(error.code))] * tried
    assert world.trail.tries == tried + 1


@pytest.mark.parametrize(
    "error",
    [
        ContentFilterError("not this", status=400),
        RequestRejectedError("temperature is wrong", status=400),
        BudgetExceededError("spent"),
    ],
)
async def test_what_would_fail_everywhere_is_told_at_once(world: World, error: ParleyError) -> None:
    primary, second = Scripted("a", [error]), Scripted("b")
    with pytest.raises(type(error), match=error.message):
        await world.answer(world.route(world.target(primary), world.target(second)))
    assert (primary.calls, second.calls) == (1, 0)


async def test_what_a_short_wait_mends_is_answered_by_the_first_target(world: World) -> None:
    for error, waits in ((RateLimitError("slow down", retry_after=2), 2.0), (ServerError("oops", status=500), 0.5)):
        primary, second = Scripted("a", [error], HEALTHY), Scripted("b")
        world.clock.slept.clear()
        reply = await world.answer(world.route(world.target(primary), world.target(second)))
        assert (reply.provider, reply.fallback, world.clock.slept) == ("a", None, [waits])
        assert [attempt.code for attempt in reply.attempts] == [str(error.code)]


async def test_a_request_that_is_too_long_goes_to_who_reads_more_and_to_nobody_else(world: World) -> None:
    long = ContextLengthError("too long", status=400)
    small, equal, large = Scripted("a", [long]), Scripted("b"), Scripted("c")
    targets = [world.target(small, context_tokens=8000), world.target(equal, context_tokens=8000), world.target(large, context_tokens=9000)]
    assert (await world.answer(world.route(*targets))).provider == "c"
    assert (small.calls, equal.calls) == (1, 0)
    with pytest.raises(ContextLengthError):
        await world.answer(world.route(*targets[:2]))
    assert equal.calls == 0


async def test_a_request_that_is_surely_too_long_is_not_sent_there(world: World) -> None:
    small, large = Scripted("a"), Scripted("b")
    request = ChatRequest(messages=[Message(role="user", content="word " * 2000)])
    reply = await world.answer(world.route(world.target(small, context_tokens=1000), world.target(large)), request)
    assert (reply.provider, small.calls) == ("b", 0)
    assert reply.fallback is not None
    assert "longer than a/m reads" in reply.fallback.reason


async def test_a_target_that_is_known_not_to_take_the_request_is_passed_over(world: World) -> None:
    blind, seeing = Scripted("a", capabilities=Capabilities(images=False)), Scripted("b")
    request = ChatRequest(messages=[Message(role="user", content=[TextPart(text="?"), ImagePart(media_type="image/png", data="eA==")])])
    reply = await world.answer(world.route(world.target(blind), world.target(seeing)), request)
    assert (reply.provider, reply.attempts, blind.calls) == ("b", [], 0)
    with pytest.raises(UnsupportedFeatureError):
        await world.answer(world.route(world.target(blind), world.target(Scripted("c", capabilities=Capabilities(images=False)))), request)


async def test_where_nobody_answers_the_last_real_error_is_told(world: World) -> None:
    targets = [world.target(Scripted("a", [busy()])), world.target(Scripted("b", [UnsupportedFeatureError("no tools")]))]
    with pytest.raises(OverloadedError):
        await world.answer(world.route(*targets))
    assert [attempt.provider for attempt in world.trail.attempts] == ["a", "a"]


async def test_an_answer_that_breaks_off_begins_anew_elsewhere(world: World) -> None:
    cut = StreamTruncatedError("cut")
    primary, second = Scripted("a", ["one ", cut]), Scripted("b")
    events = await world.events(world.batches(world.route(world.target(primary), world.target(second))))
    texts = [event.text if isinstance(event, TextDelta) else type(event).__name__ for event in events]
    assert texts == ["one ", "Restarted", "one ", "two ", "three", "ResponseFinished"]
    assert next(event for event in events if isinstance(event, Restarted)) == Restarted(reason="cut", code="stream_truncated")
    reply = events[-1].response
    assert (reply.text, reply.provider, primary.calls) == ("one two three", "b", 1)
    assert reply.attempts[0].usage is not None, "what the first answer used is told"


async def test_an_answer_that_cannot_be_taken_back_ends_in_its_error(world: World) -> None:
    for destination, on_cut in (
        (world.route(world.target(Scripted("a", ["one ", StreamTruncatedError("cut")])), world.target(Scripted("b"))), "error"),
        (Destination("c", "m", [world.target(Scripted("c", ["one ", StreamTruncatedError("cut")]))]), "restart"),
    ):
        with pytest.raises(StreamTruncatedError) as caught:
            await world.events(world.batches(destination, on_cut=on_cut))  # type: ignore[arg-type]
        assert caught.value.partial is not None
        assert caught.value.partial.text == "one "


async def test_a_held_answer_has_nothing_of_the_first(world: World) -> None:
    destination = world.route(world.target(Scripted("a", ["wrong ", ConnectionLostError("cut")])), world.target(Scripted("b")))
    batches = [batch async for batch in held(world.batches(destination))]
    assert len(batches) == 1
    assert "".join(event.text for event in batches[0] if isinstance(event, TextDelta)) == "one two three"


async def test_silence_is_over_sooner_where_another_target_would_answer(world: World) -> None:
    silent = Scripted("a", [None])
    for others, seconds in (([world.target(Scripted("b"))], 10.0), ([], 120.0)):
        began = world.clock.time
        silent.called.clear()
        task = asyncio.ensure_future(world.answer(world.route(world.target(silent), *others)))
        await silent.called.wait()
        world.clock.ring_next()
        await asyncio.wait([task])
        assert world.clock.time - began == pytest.approx(seconds)
        assert task.exception() is None if others else isinstance(task.exception(), ProviderTimeoutError)
        world.clock.time += 3600
    thinking = Scripted("r", [None], capabilities=Capabilities(reasoning=True))
    task = asyncio.ensure_future(world.answer(world.route(world.target(thinking), world.target(Scripted("b")))))
    await thinking.called.wait()
    assert min(due for due, _ in world.clock.alarms) - world.clock.time == pytest.approx(300), "who thinks may be silent for longer"
    task.cancel()
    await asyncio.wait([task])
    assert thinking.closed == 1


async def test_a_target_that_fails_is_left_alone_and_asked_again_one_request_at_a_time(world: World) -> None:
    primary, second = Scripted("a", [busy()]), Scripted("b")
    destination = world.route(world.target(primary), world.target(second))
    recovers_at = world.clock.time + 60
    back_at = 0.0
    asked: list[int] = []
    for _ in range(30):
        if world.clock.time >= recovers_at:
            primary.scripts = [HEALTHY]
        before = primary.calls
        reply = await world.answer(destination)
        asked.append(primary.calls - before)
        assert reply.text == "one two three"
        if reply.provider == "a":
            back_at = world.clock.time
            break
        assert reply.fallback is not None
        assert "all places are taken" in reply.fallback.reason
        world.clock.time += 4
    assert 0 < back_at - recovers_at <= 30
    assert asked[:2] == [2, 1], "two tries, then the third failure opens the circuit"
    assert sum(asked) <= 10, "the target is hardly asked while it is down"
    assert (await world.answer(destination)).fallback is None


async def test_only_one_request_at_a_time_finds_out_whether_a_target_is_back(world: World) -> None:
    primary, second = Scripted("a", [busy()]), Scripted("b")
    destination = world.route(world.target(primary), world.target(second))
    for _ in range(2):
        await world.answer(destination)
    world.clock.time += 6
    primary.scripts = [[None]]
    calls = primary.calls
    primary.called.clear()
    probe = asyncio.ensure_future(world.answer(destination))
    await primary.called.wait()
    assert [(await world.answer(destination)).provider for _ in range(3)] == ["b"] * 3
    assert primary.calls == calls + 1
    probe.cancel()
    await asyncio.wait([probe])
    primary.scripts = [HEALTHY]
    assert (await world.answer(destination)).provider == "a", "a probe that was given up makes room for the next"


async def test_where_all_asked_to_be_left_alone_nobody_is_asked_and_the_time_is_told(world: World) -> None:
    away = [Scripted(name, [RateLimitError("slow down", retry_after=seconds)]) for name, seconds in (("a", 60.0), ("b", 30.0))]
    destination = world.route(*map(world.target, away))
    with pytest.raises(RateLimitError):
        await world.answer(destination)
    with pytest.raises(RateLimitError, match="left alone") as caught:
        await world.answer(destination)
    assert caught.value.retry_after == pytest.approx(30)
    assert [one.calls for one in away] == [1, 1]


async def test_keys_take_turns_and_one_that_is_refused_rests(world: World) -> None:
    keys = [Scripted("a"), Scripted("a"), Scripted("a")]
    destination = Destination("a", "m", [world.target(*keys)])
    for _ in range(6):
        await world.answer(destination)
    assert [key.calls for key in keys] == [2, 2, 2]
    keys[0].scripts = [[AuthenticationError("revoked")]]
    keys[1].scripts = [[RateLimitError("slow down", retry_after=30)]]
    for _ in range(4):
        assert (await world.answer(destination)).text == "one two three"
    assert world.clock.slept == []
    assert [key.calls for key in keys] == [3, 3, 6]


async def test_a_weight_is_a_share(world: World) -> None:
    world.failover = Failover(clock=world.clock, retry=RetryPolicy(jitter=Random(7).random))
    heavy, light = Scripted("a"), Scripted("b")
    destination = world.route(world.target(heavy), world.target(light), strategy="weighted", weights=[3, 1])
    for _ in range(200):
        assert (await world.answer(destination)).fallback is None
    assert 130 <= heavy.calls <= 170
    heavy.scripts = [[ProtocolError("a web page")]]
    replies = [await world.answer(destination) for _ in range(5)]
    fallbacks = [reply.fallback for reply in replies if reply.fallback is not None]
    assert {(one.asked, one.actual) for one in fallbacks} == {("a/m", "b/m")}


async def test_the_least_busy_target_is_asked(world: World) -> None:
    waiting, free = Scripted("a", ["one ", None]), Scripted("b")
    destination = world.route(world.target(waiting), world.target(free), strategy="least_busy")
    stream = world.batches(destination)
    await anext(stream)
    assert (await world.answer(destination)).provider == "b"
    await stream.aclose()
    assert waiting.closed == 1
    waiting.scripts = [HEALTHY]
    assert (await world.answer(destination)).provider == "a"


class Books:
    """An admission that writes down what it is told."""

    def __init__(self, refusals: dict[str, ParleyError] | None = None) -> None:
        self.refusals = refusals or {}
        self.entries: list[tuple[str, Any]] = []
        self.full: set[str] = set()

    async def admit(self, subject: Subject) -> Reservation:
        self.entries.append(("admit", subject))
        if error := self.refusals.get(subject.provider):
            raise error
        return self

    def headroom(self, provider: str) -> float:
        return 0.0 if provider in self.full else 1.0

    def settle(self, usage: Usage) -> None:
        self.entries.append(("settle", usage))

    def release(self) -> None:
        self.entries.append(("release", None))

    def learn(self, limits: RateLimits) -> None:
        self.entries.append(("learn", limits))


def counting(world: World, **refusals: ParleyError) -> Books:
    books = Books(refusals)
    world.failover = Failover(clock=world.clock, admission=books, retry=RetryPolicy(jitter=lambda: 1.0))
    return books


async def test_each_try_holds_a_place_and_gives_it_back(world: World) -> None:
    books = counting(world)
    request = ChatRequest(messages=[Message(role="user", content="x" * 400)], options=Options(max_tokens=50))
    destination = world.route(world.target(Scripted("a", [busy()])), world.target(Scripted("b")))
    await world.answer(destination, request, caller=Caller(user_id="u1", api_key_id="k1", priority=3))
    kinds = [kind for kind, _ in books.entries]
    assert kinds == ["admit", "release", "admit", "release", "admit", "settle"]
    subject = books.entries[0][1]
    assert (subject.provider, subject.user, subject.api_key, subject.priority, subject.tokens) == ("a", "u1", "k1", 3, 150)
    assert books.entries[-1][1].completion_tokens > 0


async def test_a_caller_that_leaves_in_the_middle_pays_for_what_it_got(world: World) -> None:
    books = counting(world)
    provider = Scripted("a", ["four" * 10, None])
    stream = world.batches(Destination("a", "m", [world.target(provider)]))
    await anext(stream)
    await stream.aclose()
    assert provider.closed == 1
    assert [kind for kind, _ in books.entries] == ["admit", "settle"]
    assert books.entries[-1][1].completion_tokens == 10


async def test_a_providers_own_limit_is_passed_by_and_a_users_is_not(world: World) -> None:
    first, second = Scripted("a"), Scripted("b")
    destination = world.route(world.target(first), world.target(second))
    books = counting(world, a=LimitExceededError("a is full", provider="a", retry_after=3))
    assert (await world.answer(destination)).provider == "b"
    counting(world, a=LimitExceededError("you are over your limit", retry_after=3))
    with pytest.raises(LimitExceededError):
        await world.answer(destination)
    books = counting(world)
    books.full = {"a"}
    reply = await world.answer(destination)
    assert (reply.provider, first.calls) == ("b", 0), "who has room is asked first"
    assert reply.fallback is not None
    assert "limit" in reply.fallback.reason


async def test_a_malformed_request_is_refused_before_anybody_is_asked(world: World) -> None:
    first = Scripted("a")
    with pytest.raises(InvalidRequestError):
        await world.answer(world.route(world.target(first)), ChatRequest(messages=[]))
    assert first.calls == 0


async def test_a_request_that_is_given_up_while_it_waits_asks_nobody_any_more(world: World) -> None:
    asked = asyncio.Event()

    class Waiting(Books):
        async def admit(self, subject: Subject) -> Reservation:
            asked.set()
            await asyncio.Event().wait()
            return self

    class Slow(StepClock):
        async def sleep(self, seconds: float) -> None:
            asked.set()
            await asyncio.Event().wait()

    for clock, books in ((world.clock, Waiting()), (Slow(), Books())):
        asked.clear()
        world.clock = clock
        world.failover = Failover(clock=clock, admission=books)
        provider = Scripted("a", [busy()])
        target = world.target(provider)
        for destination in (Destination("a", "m", [target]), world.route(target, world.target(Scripted("b")))):
            calls = provider.calls
            task = asyncio.ensure_future(world.answer(destination))
            await asked.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert provider.calls - calls <= 1
            assert (target.running, target.ready(clock.now())) == (0, True)
        kinds = [kind for kind, _ in books.entries]
        assert kinds.count("admit") == kinds.count("release")


async def test_a_target_that_always_breaks_off_is_left_alone_too(world: World) -> None:
    primary = Scripted("a", ["one ", StreamTruncatedError("cut")])
    destination = world.route(world.target(primary), world.target(Scripted("b")))
    for _ in range(5):
        assert (await world.answer(destination)).text == "one two three"
    assert primary.calls == 3
    world.clock.time += 6
    await world.answer(destination)
    await world.answer(destination)
    assert primary.calls == 4, "a probe that begins well and breaks off opens the circuit again"


async def test_an_error_tells_every_try_that_was_made(world: World) -> None:
    targets = [world.target(Scripted("a", [busy()])), world.target(Scripted("b", [ServerError("oops", status=500)]))]
    with pytest.raises(ServerError) as caught:
        await world.answer(world.route(*targets))
    assert [attempt.provider for attempt in caught.value.attempts] == ["a", "a", "b", "b", "b"]
