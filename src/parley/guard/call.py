"""One attempt at one answer: a task that takes from the provider, and a consumer that takes from it. Knows no retries and no callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from parley.contract.errors import ParleyError, Phase, ProtocolError, ProviderTimeoutError, StreamTruncatedError
from parley.contract.events import Event, ResponseFinished, WarningRaised
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, FinishReason, ResponseWarning
from parley.contract.usage import UsageReport
from parley.guard.appraisal import Appraiser
from parley.guard.clock import Clock
from parley.guard.conduct import Conduct
from parley.guard.faults import adopt, blame, cut_reason
from parley.guard.fold import Fold, reply_events, reply_id
from parley.guard.tasks import stop
from parley.guard.timers import TimeLimits, TimerName, Watchdog
from parley.guard.tokens import TokenCounter, settle_usage

MAX_WAITING_EVENTS = 256
"""So many events wait for a slow consumer before the provider has to."""


class Intake(Protocol):
    """Where a provider's answer goes."""

    def take(self, events: Sequence[Event]) -> bool:
        """More events, in order; True when `room` should be awaited before the next. Raises ProtocolError."""
        ...

    async def room(self) -> None:
        """Wait until the consumer has caught up."""
        ...


class Way(Struct, frozen=True, kw_only=True):
    """One way to ask a provider: `run` brings the whole answer into an intake; `whole` says that it comes in one piece."""

    run: Callable[[ChatRequest, Intake, Conduct], Awaitable[None]]
    whole: bool


class Plan(Struct, frozen=True, kw_only=True):
    """What one call does, settled before anything is sent."""

    request: ChatRequest
    way: Way
    limits: TimeLimits
    warnings: list[ResponseWarning]
    usage_declared: bool


class Surroundings(Struct, frozen=True, kw_only=True):
    """What all calls of one provider share."""

    provider: str
    clock: Clock
    counter: TokenCounter
    conduct: Conduct
    appraiser: Appraiser | None = None


class Call:
    """Nothing is handed on before the first content, so that an attempt that fails until then leaves no trace.

    The provider runs in a task of its own, because one that ignores cancellation must not keep its caller.
    """

    __slots__ = (
        "_buffer",
        "_closing",
        "_failure",
        "_first_content_at",
        "_fold",
        "_over",
        "_plan",
        "_prices",
        "_ready",
        "_room",
        "_started_at",
        "_surroundings",
        "_task",
        "_waiter",
        "_watchdog",
        "delivered",
    )

    def __init__(self, plan: Plan, surroundings: Surroundings, *, started_at: float) -> None:
        self._plan = plan
        self._surroundings = surroundings
        self._started_at = started_at
        self._fold = Fold()
        self._buffer: list[Event] = []
        self._first_content_at: float | None = None
        self._failure: ParleyError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._ready = False
        self._over = False
        self._closing = False
        self.delivered = False
        self._watchdog = Watchdog(
            surroundings.clock,
            plan.limits,
            total_at=started_at + plan.limits.total,
            whole=plan.way.whole,
            expired=self._expire,
        )
        if plan.warnings:
            self.take([WarningRaised(warning=warning) for warning in plan.warnings])
        self._prices = self._read_prices()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def take(self, events: Sequence[Event]) -> bool:
        """From the provider."""
        if self._over:
            return False
        fold = self._fold
        if fold.finished is not None:
            self._too_late(events)
            return False
        try:
            content = fold.add(events)
        except ProtocolError:
            # What came before the offence stands in the partial reply: it is handed on like the rest of that.
            place = next((place for place, event in enumerate(events) if event is fold.offending), len(events))
            self._hand_on(events[:place], content=fold.content)
            raise
        if fold.finished is not None:
            end = next(place for place, event in enumerate(events) if isinstance(event, ResponseFinished))
            self._too_late(events[end + 1 :])
            events = events[:end]
        return self._hand_on(events, content=content)

    def _hand_on(self, events: Sequence[Event], *, content: bool) -> bool:
        self._buffer += events
        if content:
            now = self._surroundings.clock.now()
            self._watchdog.heard(now)
            if self._first_content_at is None:
                self._first_content_at = now
            self._ready = True
        full = len(self._buffer) >= MAX_WAITING_EVENTS
        if self._ready or full:
            self._ready = True
            self._wake()
        return full

    async def room(self) -> None:
        """Wait for the consumer; its slowness is not the provider's silence."""
        if self._over or len(self._buffer) < MAX_WAITING_EVENTS:
            return
        self._watchdog.pause()
        self._room = asyncio.get_running_loop().create_future()
        try:
            await self._room
        finally:
            self._room = None
            if not self._over:
                self._watchdog.resume()

    async def next_batch(self) -> list[Event]:
        """The next events, the last of all a whole ResponseFinished; then an empty list. Raises what went wrong after what was right."""
        while True:
            if self._buffer and self._ready:
                batch, self._buffer = self._buffer, []
                self.delivered = True
                if self._room is not None and not self._room.done():
                    self._room.set_result(None)
                return batch
            if self._over:
                if self._failure is not None:
                    raise self._failure
                return []
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    async def close(self) -> None:
        """The consumer is done: stop the provider, and wait for that no longer than it may take."""
        self._closing = self._over = True
        self._watchdog.stop()
        if not self._task.done():
            await stop(self._task, clock=self._surroundings.clock, conduct=self._surroundings.conduct)

    async def _run(self) -> None:
        plan, surroundings = self._plan, self._surroundings
        try:
            await plan.way.run(plan.request, self, surroundings.conduct)
            await self._prepare_to_settle()
            if not self._over:
                self._conclude()
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            if not self._over and not (cancelled and self._task.cancelling()):  # at the end of a program every task is cancelled
                blame(error, surroundings.conduct)
                if self._fold.finished is not None:
                    surroundings.conduct.violated("error_after_end", f"{type(error).__name__} was raised after the end of the reply")
            self._fail(error)
            if self._over if cancelled else not isinstance(error, Exception):
                raise
        finally:
            self._watchdog.stop()
            self._over = True
            self._wake()

    def _read_prices(self) -> asyncio.Future[None] | None:
        """While the vendor answers, what is needed to say what that costs is read, once in the life of the process."""
        appraiser = self._surroundings.appraiser
        if appraiser is None or appraiser.ready(self._asked()):
            return None
        return asyncio.get_running_loop().run_in_executor(None, appraiser.prepare)

    async def _prepare_to_settle(self) -> None:
        """Where the vendor did not count, the tokenizer may have to be loaded first, once in the life of the process."""
        report, counter, model = self._fold.report, self._surroundings.counter, self._model()
        uncounted = (report.prompt_tokens is None or report.completion_tokens is None) and not counter.ready(model)
        if self._prices is None and not uncounted:
            return
        self._watchdog.pause()
        if uncounted:
            await asyncio.to_thread(counter.prepare, model)
        if self._prices is not None:
            await self._prices

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _expire(self, timer: TimerName) -> None:
        limits, whole = self._plan.limits, self._plan.way.whole
        phase: Phase = "complete" if whole else "streaming" if self._fold.content else "first_token"
        problem = {
            "first_token": f"sent nothing within {limits.first_token:g} s",
            "idle": f"sent nothing more for {limits.idle:g} s",
            "total": f"did not finish within {limits.total:g} s",
        }[timer]
        self._fail(ProviderTimeoutError(f"{self._surroundings.provider} {problem}", phase=phase))
        self._over = True
        self._task.cancel()
        self._wake()

    def _fail(self, error: BaseException) -> None:
        if self._failure is not None or self._closing:
            return
        surroundings, fold = self._surroundings, self._fold
        self._failure = failure = adopt(error, provider=surroundings.provider, model=self._model())
        if failure.partial is None and (fold.content or fold.started.id or fold.report != UsageReport()):
            reason = cut_reason(failure)
            failure.partial = self._response(ChatResponse(finish_reason=reason, complete=False), aborted=True)
        if failure.phase is None:
            failure.phase = "complete" if self._plan.way.whole else "streaming" if fold.content else "first_token"

    def _conclude(self) -> None:
        fold, conduct = self._fold, self._surroundings.conduct
        finished = fold.finished
        if finished is None:
            if fold.has_open_call:
                raise StreamTruncatedError(f"{self._surroundings.provider} stopped in the middle of a tool call")
            finished = ChatResponse(finish_reason=self._implied_reason())
        else:
            self._complete_from(finished)
        said_nothing = finished.finish_reason == "unknown" and fold.report == UsageReport()
        if not fold.content and (fold.finished is None or said_nothing) and not finished.refusal:
            raise ProtocolError(f"{self._surroundings.provider} answered with nothing at all")
        if self._plan.usage_declared and fold.report == UsageReport():
            conduct.violated("usage", "usage is declared as a capability, but was not reported")
        self._buffer.append(ResponseFinished(response=self._response(finished, aborted=False)))
        self._ready = True

    def _complete_from(self, finished: ChatResponse) -> None:
        """What the end says beyond the events becomes events; where it says otherwise, the events win."""
        fold = self._fold
        fold.finished = None
        had = fold.parts()
        self.take(reply_events(finished, had=had))
        if finished.text and finished.text != ChatResponse(parts=had).text != "":
            detail = f"the reply's text has {len(finished.text)} characters, its tokens {len(ChatResponse(parts=had).text)}"
            self._surroundings.conduct.violated("text_mismatch", detail)
            message = "the provider returned another text than it had streamed; this is the streamed one"
            self.take([WarningRaised(warning=ResponseWarning(code="text_mismatch", message=message))])
        fold.finished = finished

    def _implied_reason(self) -> FinishReason:
        return "tool_calls" if ChatResponse(parts=self._fold.parts()).tool_calls else "stop"

    def _too_late(self, events: Sequence[Event]) -> None:
        if events:
            detail = f"{type(events[0]).__name__} came after the end of the reply"
            self._surroundings.conduct.violated("event_after_end", detail)

    def _asked(self) -> str:
        return self._plan.request.options.model or ""

    def _model(self) -> str:
        return self._fold.started.model or self._asked()

    def _response(self, finished: ChatResponse, *, aborted: bool) -> ChatResponse:
        fold, surroundings = self._fold, self._surroundings
        first = self._first_content_at
        response = ChatResponse(
            parts=fold.parts(aborted=aborted),
            usage=settle_usage(
                fold.report,
                self._plan.request,
                output=lambda: fold.output(aborted=aborted),
                counter=surroundings.counter,
                model=finished.model or self._model(),
                aborted=aborted,
            ),
            id=finished.id or fold.started.id or reply_id(surroundings.provider),
            model=finished.model or self._model(),
            provider=surroundings.provider,
            finish_reason=finished.finish_reason,
            raw_finish_reason=finished.raw_finish_reason,
            citations=fold.citations or finished.citations,
            refusal=fold.refusal or finished.refusal,
            warnings=fold.warnings + finished.warnings,
            complete=fold.complete and finished.complete,
            request_id=finished.request_id or fold.started.request_id,
            time_to_first_token_ms=None if first is None else round((first - self._started_at) * 1000, 3),
            cost=finished.cost,
            price=finished.price,
        )
        return response if surroundings.appraiser is None else surroundings.appraiser.appraise(response, asked=self._asked())
