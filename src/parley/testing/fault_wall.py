"""Faces a provider with faults, under the guard, and says what it made of them. Knows no wire, and no fault by name.

The guard's clock and the server's pauses run 1:100, so that a silence of ten seconds is over in a tenth of one. Limits of connecting
are the transport's and real time, and are shortened likewise. What works, works at real speed: time for which the event loop was
busy is not counted against a provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Literal, TypeAlias

from msgspec import Struct, structs

from parley.contract.errors import ParleyError
from parley.contract.messages import Message
from parley.contract.options import Options, Timeouts
from parley.contract.response import ChatResponse
from parley.guard.guarded import GuardedProvider, guard
from parley.guard.retry import RetryPolicy
from parley.testing.fault_judge import Told, judge
from parley.testing.fault_trials import WORDS, Expected, Fault, NotExpressible, Way, whole
from parley.testing.listening import Address
from parley.testing.process_watch import ProcessWatch, settle_memory
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import WRITERS, Sample, sample_of
from parley.testing.scaled_clock import ScaledClock

MakeProvider: TypeAlias = Callable[[str], Any]
"""Makes an unguarded provider that talks to this endpoint."""
Verdict: TypeAlias = Literal["passed", "failed", "advice", "not_run"]

MAX_GROWTH_BYTES = 256 * 1024 * 1024
"""Memory that one call may take: the guard keeps a reply of up to 32 M characters, in a few forms at once when it ends."""
MAX_HEARD_TOKENS = 1000
MESSAGES = (Message(role="user", content="Hello"),)
NEIGHBOUR_PAUSE_SECONDS = 0.005
UNHURRIED_FACTOR = 20.0
"""How much faster than real time the clock runs when what seemed wrong is looked at again."""

_RETRY = RetryPolicy(jitter=lambda: 0.5)


class Encounter(Struct, frozen=True, kw_only=True):
    """How a provider met one fault by one kind of call. `advice` is an outcome that is safe, but not the right one."""

    fault: str
    way: Way
    title: str
    verdict: Verdict
    evidence: str
    remedy: str = ""

    @property
    def words(self) -> str:
        """All of it but the remedy, in a line."""
        return f"{self.title} ({self.way}): {self.evidence}"


def wall_sample(wire: str) -> Sample | None:
    """The wire's answer of sixty tokens; None for a wire that Parley does not ship, and for one that has no streams to break."""
    return sample_of(wire, pieces=WORDS) if wire in WRITERS else None


_WHOLE_ONLY = "it needs a provider that streams; this one asks for whole answers only"


async def fault_findings(
    make_provider: MakeProvider, sample: Sample, *, faults: Sequence[Fault], strict: bool = True, streams: bool = True
) -> list[Encounter]:
    """Face the provider with each of these faults, by each kind of call that gives its healthy answer.

    `strict` holds it to the exact class of each error, as a dialect or codec must be; else another bounded, typed error is advice.
    What does not stream (`streams`) asks for whole answers even where its caller wants a stream: there are no such calls to look at.
    """
    unable = {way: _WHOLE_ONLY if way == "streamed" and not streams else await _unable(make_provider, sample, way) for way in _ways(faults)}
    found: list[Encounter] = []
    for fault in faults:
        for way in fault.ways:
            reason = unable[way]
            found.append(_not_run(fault, way, reason) if reason else await face(make_provider, sample, fault, way=way, strict=strict))
    return found


async def face(make_provider: MakeProvider, sample: Sample, fault: Fault, *, way: Way, strict: bool = True) -> Encounter:
    """Face the provider with one fault by one kind of call, then with a healthy answer. Raises ValueError where it has none for it."""
    met = await _face(make_provider, sample, fault, way=way, strict=strict, clock=ScaledClock())
    if met.verdict != "failed":
        return met
    # On a busy machine even a right client misses limits of milliseconds: what was wrong must be wrong again with time to spare.
    return await _face(make_provider, sample, fault, way=way, strict=strict, clock=ScaledClock(UNHURRIED_FACTOR))


async def _face(make_provider: MakeProvider, sample: Sample, fault: Fault, *, way: Way, strict: bool, clock: ScaledClock) -> Encounter:
    expected = fault.expected(way)
    if expected is None:
        raise ValueError(f"{fault.name} is no fault of a {way} call")
    try:
        answers = [_hurried(answer, clock) for answer in fault.answers(sample, way)]
        async with Address(fault.listening, answers) as address:
            told = await _encounter(make_provider, sample, _Meeting(fault, way, expected, clock), address)
    except NotExpressible as reason:
        return _not_run(fault, way, str(reason))
    verdict, evidence, remedy = judge(told, fault=fault, expected=expected, sample=sample, strict=strict)
    return Encounter(fault=fault.name, way=way, title=fault.title, verdict=verdict, evidence=evidence, remedy=remedy)


def _not_run(fault: Fault, way: Way, reason: str) -> Encounter:
    return Encounter(fault=fault.name, way=way, title=fault.title, verdict="not_run", evidence=reason)


def _ways(faults: Sequence[Fault]) -> set[Way]:
    return {way for fault in faults for way in fault.ways}


def _hurried(answer: Answer, clock: ScaledClock) -> Answer:
    return structs.replace(answer, gap_seconds=clock.real_seconds(answer.gap_seconds))


async def _unable(make_provider: MakeProvider, sample: Sample, way: Way) -> str:
    """Why this kind of call cannot be looked at; nothing where it gives the healthy answer."""
    try:
        answer = whole(sample, way)
    except NotExpressible as missing:
        return str(missing)
    async with ReplayServer(answer) as server, _guarded(make_provider, server.url) as provider:
        try:
            reply = await _ask(provider, way, Timeouts(connect=2, first_token=5, idle=5, total=10), _Heard())
        except ParleyError as error:
            return f"it needs a provider that gives a healthy answer; this one said: {error.message}"
        if not server.requests:
            return "its traffic cannot be observed: it does not talk to the endpoint that it is given"
        if sample.text and reply.text != sample.text:
            return f"it needs a provider that gives the healthy answer whole; this one gave {reply.text[:60]!r}"
    return ""


class _Meeting(Struct, frozen=True):
    fault: Fault
    way: Way
    expected: Expected
    clock: ScaledClock


class _Heard:
    """Callbacks that remember."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.characters = 0
        self.ends: list[ChatResponse | ParleyError] = []

    def token(self, text: str) -> None:
        """The first of them are kept."""
        self.characters += len(text)
        if len(self.tokens) < MAX_HEARD_TOKENS:
            self.tokens.append(text)

    def end(self, end: ChatResponse | ParleyError) -> None:
        """Done, or an error."""
        self.ends.append(end)


@asynccontextmanager
async def _guarded(make_provider: MakeProvider, endpoint: str, clock: ScaledClock | None = None) -> AsyncGenerator[GuardedProvider]:
    provider = guard(make_provider(endpoint), clock=clock, retry=_RETRY)
    try:
        yield provider
    finally:
        with suppress(ParleyError):  # a provider that cannot be closed is another rule's concern
            await provider.aclose()


async def _ask(provider: GuardedProvider, way: Way, timeouts: Timeouts, heard: _Heard) -> ChatResponse:
    options = Options(timeout=timeouts)
    if way == "complete":
        return await provider.generate_response(messages=MESSAGES, options=options)
    return await provider.stream_response(messages=MESSAGES, options=options, on_token=heard.token, on_done=heard.end, on_error=heard.end)


async def _encounter(make_provider: MakeProvider, sample: Sample, meeting: _Meeting, address: Address) -> Told:
    clock, fault = meeting.clock, meeting.fault
    timeouts = structs.replace(fault.timeouts, connect=clock.real_seconds(fault.timeouts.connect or 10.0))
    if fault.hostile:
        settle_memory()
    async with _guarded(make_provider, address.url, clock) as provider:
        heard = _Heard()
        call = asyncio.ensure_future(_ask(provider, meeting.way, timeouts, heard))
        neighbour = _Neighbour(make_provider, sample, meeting.way) if fault.hostile else None
        async with ProcessWatch(max_growth_bytes=MAX_GROWTH_BYTES, exceeded=call.cancel) as watch:
            if neighbour is not None:
                neighbour.begin()
            began = monotonic()
            await asyncio.wait({call})
            took = monotonic() - began
            working = min(took, watch.held_up_seconds)
        harm = await neighbour.end() if neighbour is not None else ""
        outcome = _outcome_of(call)
        times = [request.received_at for request in address.requests]
        await address.recover(whole(sample, meeting.way))
        return Told(
            outcome=outcome,
            seconds=took * clock.factor,
            working_seconds=working * clock.factor,
            requests=len(times),
            waited_seconds=(times[-1] - times[0]) * clock.factor if len(times) > 1 else 0.0,
            tokens="".join(heard.tokens) if len(heard.tokens) < MAX_HEARD_TOKENS else None,
            ends=len(heard.ends) if meeting.way == "streamed" else 1,
            growth_bytes=watch.growth_bytes,
            longest_hold_seconds=watch.longest_hold_seconds if fault.hostile else 0.0,
            harm=harm,
            aftermath=await _aftermath(provider, sample, meeting.way),
        )


def _outcome_of(call: asyncio.Future[ChatResponse]) -> ChatResponse | BaseException:
    if call.cancelled():
        return asyncio.CancelledError()
    error = call.exception()
    return call.result() if error is None else error


async def _aftermath(provider: GuardedProvider, sample: Sample, way: Way) -> str:
    """What the same provider makes of a healthy answer after the fault; nothing where that is right."""
    try:
        reply = await _ask(provider, way, Timeouts(connect=2, first_token=600, idle=600, total=1000), _Heard())
    except ParleyError as error:
        return f"the next call, answered well, raised {type(error).__name__}: {error.message}"
    if sample.text and reply.text != sample.text:
        return f"the next call, answered well, gave another text: {reply.text[:60]!r}"
    return ""


class _Neighbour:
    """Another call of the same process, at real speed, again and again as long as the fault goes on."""

    def __init__(self, make_provider: MakeProvider, sample: Sample, way: Way) -> None:
        self._make_provider = make_provider
        self._sample = sample
        self._way: Way = way
        self._over = asyncio.Event()
        self._task: asyncio.Future[str] | None = None

    def begin(self) -> None:
        """Start it."""
        self._task = asyncio.ensure_future(self._run())

    async def end(self) -> str:
        """Let its last call end, and say what harm came to it."""
        self._over.set()
        return "" if self._task is None else await self._task

    async def _run(self) -> str:
        answer = whole(self._sample, self._way)
        size = max(1, len(answer.body) // 10)
        steady = structs.replace(answer, gap_seconds=NEIGHBOUR_PAUSE_SECONDS, pieces=[size] * 9)
        async with ReplayServer(steady) as server, _guarded(self._make_provider, server.url) as provider:
            while True:
                try:
                    reply = await _ask(provider, self._way, Timeouts(connect=5, first_token=10, idle=10, total=30), _Heard())
                except ParleyError as error:
                    return f"another stream of the process failed meanwhile: {type(error).__name__}: {error.message}"
                if self._sample.text and reply.text != self._sample.text:
                    return "another stream of the process lost text meanwhile"
                if self._over.is_set():
                    return ""
