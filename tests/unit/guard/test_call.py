"""Time limits, cancellation and back-pressure of one call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.errors import ProtocolError, ProviderTimeoutError
from parley.contract.events import Event, ResponseFinished, TextDelta, UsageReported
from parley.contract.messages import Message
from parley.contract.options import Options, Timeouts
from parley.contract.provider import Provider
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.contract.usage import UsageReport
from parley.guard.call import MAX_WAITING_EVENTS
from parley.guard.guarded import GuardedProvider, guard

HELLO = ChatRequest(messages=[Message(role="user", content="Hello")])
END = ResponseFinished(response=ChatResponse(finish_reason="stop"))
PING = UsageReported(usage=UsageReport(prompt_tokens=1))


class Fed(Provider):
    """Yields what the test puts into its queue, and knows whether it was closed."""

    name = "fed"

    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.closed = False
        for name, value in attributes.items():
            setattr(self, name, value)

    async def stream(self, request: ChatRequest) -> AsyncIterator[Event]:
        try:
            while (event := await self.queue.get()) is not None:
                yield event
        finally:
            self.closed = True


class Whole(Provider):
    """A complete call that waits for ever, or does what the test says when it is cancelled."""

    name = "whole"

    def __init__(self, cancelled: Callable[[], Coroutine[Any, Any, None]] | None = None) -> None:
        super().__init__()
        self.cancelled = cancelled

    async def generate(self, request: ChatRequest) -> str:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if self.cancelled is None:
                    raise
                await self.cancelled()
                return "too late"


def reading(provider: GuardedProvider, seen: list[Event], request: ChatRequest = HELLO) -> asyncio.Task[None]:
    async def read() -> None:
        async for event in provider.stream(request, attempts=1):
            seen.append(event)  # noqa: PERF401

    return asyncio.ensure_future(read())


async def timed_out(task: asyncio.Task[Any]) -> ProviderTimeoutError:
    with pytest.raises(ProviderTimeoutError) as caught:
        await task
    return caught.value


# Time limits


@pytest.mark.parametrize(
    ("attributes", "options", "seconds"),
    [
        ({}, Options(), 120),
        ({"capabilities": Capabilities(reasoning=True)}, Options(), 300),
        ({}, Options(reasoning_effort="low"), 300),
        ({}, Options(reasoning_effort="none"), 120),
        ({"local": True}, Options(reasoning_effort="high"), 600),
        ({"timeouts": Timeouts(first_token=30)}, Options(), 30),
        ({"timeouts": Timeouts(first_token=30)}, Options(timeout=Timeouts(first_token=9)), 9),
    ],
)
async def test_the_first_token_has_its_limit(clock: Any, attributes: dict[str, Any], options: Options, seconds: float) -> None:
    subject = Fed(**attributes)
    task = reading(guard(subject, clock=clock), [], ChatRequest(messages=HELLO.messages, options=options))
    await clock.advance(seconds - 0.1)
    assert not task.done()
    await clock.advance(0.1)
    error = await timed_out(task)
    assert error.message == f"fed sent nothing within {seconds} s"
    assert (error.phase, error.provider, error.partial) == ("first_token", "fed", None)
    assert subject.closed


async def test_only_content_restarts_the_idle_limit(clock: Any) -> None:
    subject, seen = Fed(), []
    task = reading(guard(subject, clock=clock), seen)
    subject.queue.put_nowait(TextDelta("a"))
    await clock.advance(59)
    subject.queue.put_nowait(TextDelta("b"))
    await clock.advance(59)
    subject.queue.put_nowait(PING)
    await clock.advance(0.9)
    assert not task.done()
    await clock.advance(0.1)
    error = await timed_out(task)
    assert error.message == "fed sent nothing more for 60 s"
    assert error.phase == "streaming"
    assert error.partial is not None
    assert (error.partial.text, error.partial.finish_reason) == ("ab", "interrupted")
    assert seen == [TextDelta("a"), TextDelta("b"), PING]


async def test_pings_do_not_keep_the_first_token_waiting(clock: Any) -> None:
    subject = Fed()
    task = reading(guard(subject, clock=clock), [])
    for _ in range(12):
        await clock.advance(10)
        subject.queue.put_nowait(PING)
    assert (await timed_out(task)).phase == "first_token"


async def test_a_stream_that_never_ends_has_a_total(clock: Any) -> None:
    subject = Fed()
    task = reading(guard(subject, clock=clock), [], ChatRequest(messages=HELLO.messages, options=Options(timeout=100)))
    for _ in range(10):
        subject.queue.put_nowait(TextDelta("a"))
        await clock.advance(10)
    assert (await timed_out(task)).message == "fed did not finish within 100 s"


async def test_a_complete_call_has_only_its_total(clock: Any) -> None:
    task = asyncio.ensure_future(guard(Whole(), clock=clock).generate(HELLO))
    await clock.advance(15 * 60 - 1)
    assert not task.done()
    await clock.advance(1)
    error = await timed_out(task)
    assert (error.message, error.phase) == ("whole did not finish within 900 s", "complete")


async def test_one_alarm_per_stream_and_none_after_it(clock: Any) -> None:
    subject, seen = Fed(), []
    task = reading(guard(subject, clock=clock), seen)
    for _ in range(100):
        subject.queue.put_nowait(TextDelta("a"))
        await clock.settle()
        assert clock.pending == 1
    assert len(clock.alarms) <= 2
    subject.queue.put_nowait(END)
    subject.queue.put_nowait(None)
    await task
    assert clock.pending == 0


async def test_a_slow_consumer_is_not_the_providers_silence(clock: Any) -> None:
    subject = Fed()
    for _ in range(3 * MAX_WAITING_EVENTS):
        subject.queue.put_nowait(TextDelta("a"))
    subject.queue.put_nowait(END)
    subject.queue.put_nowait(None)
    events = guard(subject, clock=clock).stream(HELLO)
    await anext(events)
    await clock.advance(3600)
    rest = [event async for event in events]
    assert isinstance(rest[-1], ResponseFinished)
    assert rest[-1].response.text == "a" * 3 * MAX_WAITING_EVENTS


async def test_after_a_slow_consumer_the_limits_hold_again(clock: Any) -> None:
    subject, seen = Fed(), []
    for _ in range(2 * MAX_WAITING_EVENTS + 1):
        subject.queue.put_nowait(TextDelta("a"))
    events = guard(subject, clock=clock).stream(HELLO, attempts=1)
    await anext(events)
    await clock.advance(3600)

    async def rest() -> None:
        async for event in events:
            seen.append(event)  # noqa: PERF401

    task = asyncio.ensure_future(rest())
    await clock.advance(59.9)
    assert not task.done()
    await clock.advance(0.2)
    assert (await timed_out(task)).phase == "streaming"
    assert len(seen) == 2 * MAX_WAITING_EVENTS


async def test_a_held_up_event_loop_is_not_the_providers_silence(clock: Any) -> None:
    subject, seen = Fed(), []
    task = reading(guard(subject, clock=clock), seen)
    subject.queue.put_nowait(TextDelta("a"))
    await clock.settle()
    # The loop did not run for 100 s; what arrived meanwhile is read right after the alarm.
    clock.time += 100
    await clock.advance(0)
    assert not task.done()
    subject.queue.put_nowait(TextDelta("b"))
    subject.queue.put_nowait(None)
    await task
    assert seen[:2] == [TextDelta("a"), TextDelta("b")]


async def test_the_time_to_the_first_token_is_told(clock: Any) -> None:
    subject, seen = Fed(), []
    task = reading(guard(subject, clock=clock), seen)
    await clock.advance(1.5)
    subject.queue.put_nowait(PING)
    await clock.advance(0.5)
    subject.queue.put_nowait(TextDelta("a"))
    subject.queue.put_nowait(END)
    subject.queue.put_nowait(None)
    await task
    assert seen[-1].response.time_to_first_token_ms == 2000


# Cancellation


async def test_cancelling_before_the_first_token_closes_the_upstream(clock: Any) -> None:
    subject = Fed()
    task = reading(guard(subject, clock=clock), [])
    await clock.settle()
    task.cancel()
    await clock.settle()
    assert task.cancelled()
    assert subject.closed
    assert clock.pending == 0


async def test_cancelling_in_the_middle_closes_the_upstream(clock: Any) -> None:
    subject, seen = Fed(), []
    provider = guard(subject, clock=clock)
    task = reading(provider, seen)
    subject.queue.put_nowait(TextDelta("a"))
    await clock.settle()
    task.cancel()
    await clock.settle()
    assert (task.cancelled(), subject.closed, seen) == (True, True, [TextDelta("a")])
    assert provider.violations == ()


async def test_closing_the_iterator_closes_the_upstream_even_when_it_waits_for_room(clock: Any) -> None:
    subject = Fed()
    for _ in range(3 * MAX_WAITING_EVENTS):
        subject.queue.put_nowait(TextDelta("a"))
    events = guard(subject, clock=clock).stream(HELLO)
    await anext(events)
    await clock.settle()
    await events.aclose()
    assert subject.closed
    assert clock.pending == 0


async def test_an_abandoned_iterator_is_closed(clock: Any) -> None:
    subject = Fed()
    subject.queue.put_nowait(TextDelta("a"))
    async for _ in guard(subject, clock=clock).stream(HELLO):
        break
    gc.collect()
    await clock.settle()
    assert subject.closed


async def test_cancelling_a_complete_call_cancels_the_provider(clock: Any) -> None:
    noticed: list[bool] = []

    async def cancelled() -> None:
        noticed.append(True)

    task = asyncio.ensure_future(guard(Whole(cancelled), clock=clock).generate(HELLO))
    await clock.settle()
    task.cancel("why")
    with pytest.raises(asyncio.CancelledError, match="why"):
        await task
    assert noticed == [True]


async def test_a_provider_that_ignores_cancellation_is_left_after_100_ms(clock: Any) -> None:
    release = asyncio.Event()

    async def cancelled() -> None:
        await release.wait()

    provider = guard(Whole(cancelled), clock=clock)
    task = asyncio.ensure_future(provider.generate(HELLO))
    await clock.settle()
    task.cancel()
    await clock.advance(0.09)
    assert not task.done()
    await clock.advance(0.01)
    assert task.cancelled()
    assert len(provider.orphans) == 1
    assert [violation.rule for violation in provider.violations] == ["ignores_cancellation"]
    release.set()
    await clock.settle()
    assert provider.orphans == frozenset()


async def test_a_timeout_leaves_a_provider_that_ignores_it(clock: Any) -> None:
    release = asyncio.Event()

    async def cancelled() -> None:
        await release.wait()

    provider = guard(Whole(cancelled), clock=clock)
    task = asyncio.ensure_future(provider.generate(HELLO))
    await clock.advance(900.1)
    assert (await timed_out(task)).phase == "complete"
    assert len(provider.orphans) == 1
    release.set()
    await clock.settle()


async def test_what_an_orphan_still_says_reaches_nobody_and_sets_no_timer(clock: Any) -> None:
    release = asyncio.Event()

    class Stubborn(Provider):
        name = "stubborn"

        async def stream(self, request: ChatRequest) -> AsyncIterator[str]:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield "late"
                await release.wait()
                yield "later"

    provider, tokens = guard(Stubborn(), clock=clock), []
    messages = [{"role": "user", "content": "Hello"}]
    task = asyncio.ensure_future(provider.stream_response(messages=messages, on_token=tokens.append))
    await clock.advance(120.2)
    error = await timed_out(task)
    assert (error.phase, error.partial, tokens) == ("first_token", None, [])
    assert len(provider.orphans) == 1
    assert clock.pending == 0
    release.set()
    await clock.settle()
    assert (len(provider.orphans), clock.pending) == (0, 0)


async def test_a_cancelled_call_that_goes_on_keeps_no_timer(clock: Any) -> None:
    release = asyncio.Event()
    provider = guard(Whole(release.wait), clock=clock)
    task = asyncio.ensure_future(provider.generate(HELLO))
    await clock.settle()
    task.cancel()
    await clock.advance(0.1)
    assert task.cancelled()
    assert len(provider.orphans) == 1
    assert clock.pending == 0
    release.set()
    await clock.settle()


async def test_cancelling_the_wait_before_a_retry_ends_at_once(clock: Any) -> None:
    from parley.contract.errors import RateLimitError

    class Busy(Provider):
        name = "busy"

        async def generate(self, request: ChatRequest) -> str:
            raise RateLimitError("429", retry_after=10)

    task = asyncio.ensure_future(guard(Busy(), clock=clock).generate(HELLO))
    await clock.advance(5)
    task.cancel()
    await clock.settle()
    assert task.cancelled()


# Back-pressure and neighbours


async def test_a_provider_faster_than_its_consumer_has_to_wait(clock: Any) -> None:
    made = 0

    class Endless(Provider):
        name = "endless"

        async def stream(self, request: ChatRequest) -> AsyncIterator[str]:
            nonlocal made
            while True:
                made += 1
                yield "x"

    events = guard(Endless(), clock=clock).stream(HELLO)
    for _ in range(10):
        await anext(events)
    await clock.settle()
    assert made <= 2 * MAX_WAITING_EVENTS + 1
    await events.aclose()


async def test_endless_events_without_content_are_bounded_too(clock: Any) -> None:
    made = 0

    class Pinging(Provider):
        name = "pinging"

        async def stream(self, request: ChatRequest) -> AsyncIterator[Event]:
            nonlocal made
            while True:
                made += 1
                yield PING

    events = guard(Pinging(), clock=clock).stream(HELLO)
    await anext(events)
    await clock.settle()
    assert made <= 2 * MAX_WAITING_EVENTS + 1
    await events.aclose()


async def test_one_broken_stream_leaves_the_others_alone(clock: Any) -> None:
    class Odd(Provider):
        name = "odd"

        async def stream(self, request: ChatRequest) -> AsyncIterator[Any]:
            broken = request.messages[0].text == "break"
            yield "a"
            await asyncio.sleep(0)
            yield object() if broken else "b"

    provider = guard(Odd(), clock=clock)
    texts = ["fine", "break", "fine"]
    calls = [provider.stream_response(messages=[{"role": "user", "content": text}]) for text in texts]
    first, second, third = await asyncio.gather(*calls, return_exceptions=True)
    assert (first.text, third.text) == ("ab", "ab")  # pyright: ignore
    assert isinstance(second, Exception)


class Spoilt(Provider):
    """Text, and in the same batch something that is no event."""

    name = "spoilt"

    async def stream_batches(self, request: ChatRequest) -> AsyncIterator[list[Any]]:
        yield [TextDelta("before "), TextDelta("it"), object(), TextDelta(" after")]


async def test_what_came_before_an_offence_is_handed_on_as_the_partial_reply_has_it(clock: Any) -> None:
    tokens: list[str] = []
    with pytest.raises(ProtocolError, match="neither an event nor text") as raised:
        await guard(Spoilt(), clock=clock).stream_response(messages=HELLO.messages, on_token=tokens.append)
    assert raised.value.partial is not None
    assert raised.value.partial.text == "".join(tokens) == "before it"
