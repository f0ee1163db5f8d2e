"""Runs one request over the targets of its destination: tries, waits, fails over, and says what it did. Knows no vendor and no HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from math import inf
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from parley.contract.embeddings import EmbeddingRequest, Embeddings
from parley.contract.errors import ParleyError, PolicyError, RateLimitError
from parley.contract.events import Event, ReasoningDelta, ResponseFinished, ResponseStarted, Restarted, TextDelta
from parley.contract.request import ChatRequest
from parley.contract.response import Fallback
from parley.contract.usage import Usage
from parley.dispatch.admission import NOBODY, Admission, Caller, Place, Reservation, Subject, Unlimited
from parley.dispatch.conduct import Conduct, conduct_after, rest_after
from parley.dispatch.routes import CHARACTERS_PER_TOKEN, LEAST_CHARACTERS_PER_TOKEN, Order, expected_tokens, prompt_tokens
from parley.dispatch.targets import Destination, Line, Target
from parley.dispatch.trail import Trail, reason_of
from parley.guard.clock import Clock
from parley.guard.guarded import GuardedProvider, OnRetry
from parley.guard.retry import RetryBudget, RetryPolicy
from parley.telemetry import get_logger

TRIES_ALONE = 3
TRIES_IN_A_ROUTE = 2
PATIENCE_SECONDS = 5.0
"""A target that wants to be left alone for longer is not waited for where another may answer."""

OnCut: TypeAlias = Literal["restart", "error"]
"""What becomes of an answer that breaks off after its first token: another target begins it anew, or it ends there."""

_logger = get_logger(__name__)


class Terms(Struct, frozen=True, kw_only=True):
    """How a request is to be answered. `whole`: in one piece; a route is asked for a stream all the same, whose silences are seen.

    `cache` says whether an answer may be one that was given before, and be given again: None where it would be the same.
    `place` is what was reserved for it before.
    """

    caller: Caller = NOBODY
    on_cut: OnCut = "restart"
    whole: bool = False
    cache: bool | None = None
    place: Place | None = None


class Failover:
    """What all requests of a client share."""

    def __init__(self, *, clock: Clock, admission: Admission | None = None, retry: RetryPolicy | None = None) -> None:
        self.clock = clock
        self.admission = admission or Unlimited()
        self.unlimited = isinstance(self.admission, Unlimited)
        self.retry = retry or RetryPolicy()

    def batches(self, destination: Destination, request: ChatRequest, *, trail: Trail, terms: Terms) -> AsyncGenerator[list[Event], None]:
        """The answer's events, as many at a time as arrived together. A Restarted among them makes everything before it void."""
        return _Run(self, destination, request, trail=trail, terms=terms).batches()

    async def place(self, destination: Destination, request: ChatRequest, caller: Caller) -> Place | None:
        """Room for a request before anything else is done for it; None where nobody is counted, or it has to be waited for.

        Raises what keeps the caller from asking at all. Where only a provider has no room, others may have.
        """
        if self.unlimited:
            return None
        target = destination.usable[0]
        subject = _subject(caller, request, target=target, key=target.lines[0].key)
        try:
            reservation = await self.admission.admit_now(subject)
        except PolicyError as error:
            if error.provider is None or destination.strategy is None:
                raise
            return None
        return None if reservation is None else Place(subject, reservation)

    async def embeddings(
        self, provider: GuardedProvider, request: EmbeddingRequest, *, on_retry: OnRetry | None, caller: Caller
    ) -> Embeddings:
        """Vectors, which no other target can give: those of two models do not compare. They count as any request does."""
        if self.unlimited:
            return await provider.embeddings(request, on_retry=on_retry)
        tokens = sum(len(text) for text in request.texts) // CHARACTERS_PER_TOKEN
        subject = Subject(
            provider=provider.name,
            model=request.options.model or "",
            user=caller.user_id,
            api_key=caller.api_key_id,
            tokens=tokens,
            priority=caller.priority,
        )
        reservation = await self.admission.admit(subject)
        try:
            found = await provider.embeddings(request, on_retry=on_retry)
        except BaseException:
            reservation.release()
            raise
        reservation.settle(found.usage or Usage(prompt_tokens=tokens, completion_tokens=0, total_tokens=tokens, source="estimated"))
        return found


class _Try:
    """One try of one target; it holds a place, and gives it back."""

    __slots__ = ("began_at", "characters", "delivered", "failed", "line", "probe", "reservation", "sent", "target")

    def __init__(self, target: Target, line: Line, *, now: float) -> None:
        self.target = target
        self.line = line
        self.began_at = now
        self.sent = self.delivered = self.failed = False
        self.characters = 0
        self.reservation: Reservation | None = None
        self.probe = line.circuit.begin(now)
        target.running += 1

    def settle(self, usage: Usage | None) -> None:
        """Say what was used; None = nothing."""
        reservation, self.reservation = self.reservation, None
        if reservation is None:
            return
        if usage is None:
            reservation.release()
        else:
            reservation.settle(usage)

    def end(self, request: ChatRequest) -> None:
        """It is over, however it ended. Where the caller left in the middle, what was used is estimated."""
        self.target.running -= 1
        if self.probe:
            self.line.circuit.left(self.probe)
        if self.reservation is not None:
            self.settle(_estimate(request, self.characters) if self.sent and not self.failed else None)


class _Run:
    """One request on its way."""

    __slots__ = (
        "_budget",
        "_clock",
        "_delay",
        "_delivered",
        "_destination",
        "_first",
        "_first_failures",
        "_order",
        "_reason",
        "_request",
        "_shared",
        "_started_at",
        "_target",
        "_terms",
        "_trail",
        "_tried",
    )

    def __init__(self, shared: Failover, destination: Destination, request: ChatRequest, *, trail: Trail, terms: Terms) -> None:
        self._shared = shared
        self._destination = destination
        self._request = request
        self._trail = trail
        self._terms = terms
        self._clock = shared.clock
        self._started_at = shared.clock.now()
        self._order: Order | None = None
        self._target: Target = destination.targets[0]
        self._first: Target | None = None
        self._budget: RetryBudget | None = None
        self._tried: list[Line] = []
        self._delay = 0.0
        self._delivered = False
        self._first_failures: dict[bool, ParleyError] = {}
        self._reason = ""

    async def batches(self) -> AsyncGenerator[list[Event], None]:
        """To the end, or until nobody is left."""
        self._choose_first()
        while True:
            attempt = self._begin()
            code = ""
            try:
                if not self._shared.unlimited:
                    attempt.reservation = await self._admitted(attempt)
                async with aclosing(self._asked(attempt)) as batches:
                    async for batch in batches:
                        yield self._passed(attempt, batch)
            except ParleyError as error:
                code = str(error.code)
                self._failed(attempt, error)
            else:
                return
            finally:
                attempt.end(self._request)
            if self._delivered:
                self._delivered = False
                yield [Restarted(reason=self._reason, code=code)]
            if self._delay:
                await self._clock.sleep(self._delay)

    def _choose_first(self) -> None:
        """Raises what keeps every target from answering."""
        destination = self._destination
        if destination.strategy is None:
            self._turn_to(destination.targets[0])
            return
        shared, now = self._shared, self._started_at
        self._order = order = Order(destination, now=now, admission=shared.admission, jitter=shared.retry.jitter)
        shortest = prompt_tokens(self._request, characters_per_token=LEAST_CHARACTERS_PER_TOKEN)
        if any(_reads(target, shortest) for target in order.left):
            order.narrow(lambda target: _reads(target, shortest))
        if not order.left:
            raise _all_rest(destination, now)
        self._reason = _why_not(destination.targets[0], shortest)
        self._turn_to(order.left.pop(0))

    def _turn_to(self, target: Target) -> None:
        self._target = target
        self._tried = []
        self._budget = None
        self._delay = 0.0
        trail = self._trail
        trail.provider, trail.model = target.provider, target.model
        if self._order is not None:
            asked = self._asked_for()
            trail.fallback = None if asked == target.name else Fallback(asked=asked, actual=target.name, reason=self._reason)

    def _asked_for(self) -> str:
        """Who should have answered: the first of the list; where chance or load decides, the first that was asked."""
        if self._destination.strategy == "priority":
            return self._destination.targets[0].name
        self._first = self._first or self._target
        return self._first.name

    def _begin(self) -> _Try:
        now = self._clock.now()
        line = self._target.line(now, tried=self._tried)
        self._tried.append(line)
        return _Try(self._target, line, now=now)

    def _asked(self, attempt: _Try) -> AsyncGenerator[list[Event], None]:
        target, terms, request = attempt.target, self._terms, self._request
        if request.options.model != (target.model or None):
            request = structs.replace(request, options=structs.replace(request.options, model=target.model or None))
        batches = attempt.line.provider.attempt(
            request,
            whole=terms.whole and self._order is None,
            started_at=self._started_at,
            has_fallback=self._has_fallback(attempt),
        )
        attempt.sent = True
        self._trail.tries += 1
        return batches

    def _has_fallback(self, attempt: _Try) -> bool:
        """Whether somebody else would answer instead."""
        return self._order is not None and any(other.ready(attempt.began_at) for other in self._order.left)

    async def _admitted(self, attempt: _Try) -> Reservation:
        """A place for the try: one that was taken for the request before, else a new one."""
        target, terms = attempt.target, self._terms
        may_wait = not self._has_fallback(attempt)
        subject = _subject(terms.caller, self._request, target=target, key=attempt.line.key, may_wait=may_wait)
        reserved = None if terms.place is None else terms.place.take(subject)
        return reserved or await self._shared.admission.admit(subject)

    def _passed(self, attempt: _Try, batch: list[Event]) -> list[Event]:
        """What the target says goes on to the caller, and what it means is kept."""
        if not attempt.delivered:
            attempt.delivered = self._delivered = True
            attempt.line.circuit.begun(began_at=attempt.began_at)
        if attempt.reservation is not None:
            _learn(attempt, attempt.reservation, batch)
        last = batch[-1]
        if type(last) is ResponseFinished:
            attempt.line.circuit.succeeded(began_at=attempt.began_at)
            attempt.settle(last.response.usage)
            told = self._trail.told_in(last.response)
            if told is not last.response:
                return [*batch[:-1], ResponseFinished(response=told)]
        return batch

    def _failed(self, attempt: _Try, error: ParleyError) -> None:
        """Keep what it means, and choose what is tried next. Raises where nothing is."""
        conduct = conduct_after(error)
        self._keep(attempt, error, conduct)
        if self._delivered and (self._terms.on_cut == "error" or self._order is None):
            raise self._final(error)
        delay = None if self._delivered else self._delay_after(attempt, error, conduct)
        if delay is not None:
            self._delay = delay
        else:
            target = self._next_target(error, conduct)
            if target is None:
                raise self._final(error)
            self._reason = reason_of(error)
            self._turn_to(target)
        _logger.info(
            "trying again", provider=error.provider, model=error.model, code=error.code, next=self._target.name, delay_seconds=self._delay
        )

    def _keep(self, attempt: _Try, error: ParleyError, conduct: Conduct) -> None:
        attempt.failed = True
        attempt.settle(error.partial.usage if error.partial is not None else None)
        self._first_failures.setdefault(conduct.tried, error)
        if not conduct.tried:
            self._trail.tries -= attempt.sent
            return
        now = self._clock.now()
        self._trail.failed(error, seconds=now - attempt.began_at)
        if conduct.sick:
            attempt.target.last_failure = reason_of(error)
            attempt.line.circuit.failed(now, probe=attempt.probe, rest_seconds=rest_after(error))

    def _delay_after(self, attempt: _Try, error: ParleyError, conduct: Conduct) -> float | None:
        """Seconds until the same target is tried again, by whichever key; None where it is not."""
        target, now, order = attempt.target, self._clock.now(), self._order
        fresh = any(line not in self._tried and line.circuit.ready(now) for line in target.lines)
        if conduct.other_key and fresh:
            return 0.0
        if not conduct.again:
            return None
        tries = TRIES_ALONE
        if order is not None and order.left:
            waits_too_long = (error.retry_after or 0.0) > PATIENCE_SECONDS
            gave_up = not target.ready(now) and not attempt.line.circuit.limited
            if waits_too_long or gave_up or target in order.resting:
                return None
            tries = TRIES_IN_A_ROUTE
        self._budget = self._budget or RetryBudget(self._shared.retry, tries=tries)
        return self._budget.delay_after(error, now=now)

    def _next_target(self, error: ParleyError, conduct: Conduct) -> Target | None:
        order, now = self._order, self._clock.now()
        if order is None or conduct.elsewhere == "no":
            return None
        if conduct.elsewhere == "larger":
            least = self._target.context_tokens or prompt_tokens(self._request)
            order.narrow(lambda target: target.context_tokens > least)
        if not order.left:
            return None
        target = next((target for target in order.left if target.ready(now)), order.left[0])
        order.left.remove(target)
        return target

    def _final(self, error: ParleyError) -> ParleyError:
        """What is told in the end. What a target merely cannot do is news only where none was really asked."""
        told = error if conduct_after(error).tried else self._first_failures.get(True) or self._first_failures[False]
        told.attempts = list(self._trail.attempts)
        return told


def _learn(attempt: _Try, reservation: Reservation, batch: list[Event]) -> None:
    for event in batch:
        if type(event) is TextDelta or type(event) is ReasoningDelta:
            attempt.characters += len(event.text)
        elif type(event) is ResponseStarted and event.rate_limits is not None:
            reservation.learn(event.rate_limits)


def _estimate(request: ChatRequest, characters: int) -> Usage:
    prompt, completion = prompt_tokens(request), characters // CHARACTERS_PER_TOKEN
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion, source="estimated")


def _reads(target: Target, tokens: int) -> bool:
    return not 0 < target.context_tokens < tokens


def _subject(caller: Caller, request: ChatRequest, *, target: Target, key: str, may_wait: bool = True) -> Subject:
    return Subject(
        provider=target.provider,
        model=target.model,
        key=key,
        user=caller.user_id,
        api_key=caller.api_key_id,
        tokens=expected_tokens(request),
        priority=caller.priority,
        may_wait=may_wait,
        patience_seconds=inf if request.options.timeout is None else request.options.timeouts.total or inf,
    )


def _why_not(target: Target, tokens: int) -> str:
    """Why the first of the list is not asked."""
    if target.problem is not None:
        return reason_of(target.problem)
    if not _reads(target, tokens):
        return f"the request is longer than {target.name} reads at once"
    if target.last_failure:
        return f"{target.name} is not asked for a while: {target.last_failure}"
    return f"{target.provider} is at its limit"


def _all_rest(destination: Destination, now: float) -> ParleyError:
    seconds = min(target.ordered_away(now) for target in destination.usable)
    return RateLimitError(f"every target of {destination.name} asked to be left alone for a while", retry_after=seconds)
