"""Compares what came of a fault with what is right, and says it in words, with a remedy. Runs nothing."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from parley.contract.errors import ParleyError, ProviderTimeoutError
from parley.contract.response import ChatResponse
from parley.testing.fault_trials import WORDS, Expected, Fault, count_of
from parley.testing.samples import Sample

TIMER_SECONDS = 10.0
"""So much later than it should a timer may ring, in seconds of the wall's clock: a tenth of a real one."""
EARLY_SECONDS = 0.5
HOLD_SECONDS = 2.0
"""So long, in real seconds, the event loop may serve nobody while something hostile is read."""

_MEGABYTE = 1024 * 1024


class Told(Struct, frozen=True, kw_only=True):
    """What came of it. `seconds` are of the wall's clock, `working_seconds` those of them for which the process was busy.

    `tokens` is what was handed on (None: too many to keep), `ends` how often the end was told, `harm` what happened to another stream
    meanwhile, `aftermath` what is wrong with the next call ("" = nothing).
    """

    outcome: ChatResponse | BaseException
    seconds: float
    working_seconds: float
    requests: int
    waited_seconds: float
    tokens: str | None
    ends: int
    growth_bytes: int
    longest_hold_seconds: float
    harm: str
    aftermath: str


class _Complaint(Struct, frozen=True):
    """What is wrong and what to do. A `mild` one leaves the outcome safe."""

    problem: str
    remedy: str
    mild: bool = False


def judge(
    told: Told, *, fault: Fault, expected: Expected, sample: Sample, strict: bool
) -> tuple[Literal["passed", "failed", "advice"], str, str]:
    """Verdict, evidence and remedy."""
    complaints = [*_outcome(told, expected, sample, strict=strict), *_conduct(told, expected, strict=strict), *_harm(told)]
    evidence = _evidence(told)
    if not complaints:
        return "passed", evidence, ""
    problems = "; ".join(complaint.problem for complaint in complaints)
    remedies = dict.fromkeys(complaint.remedy for complaint in complaints if complaint.remedy)
    remedy = " ".join([*remedies, f"Right is: {fault.conduct}."])
    verdict = "advice" if all(complaint.mild for complaint in complaints) else "failed"
    return verdict, f"{problems} ({evidence})", remedy


def _outcome(told: Told, expected: Expected, sample: Sample, *, strict: bool) -> Iterator[_Complaint]:
    outcome = told.outcome
    if isinstance(outcome, ChatResponse):
        if expected.errors:
            remedy = "Raise an error where the wire's own end has not come, or where the answer says that it failed."
            yield _Complaint(f"it gave an answer ({_shown(outcome.text)}) where {_names(expected)} is right", remedy)
        else:
            yield from _answer(outcome, expected, sample)
    elif isinstance(outcome, CancelledError):
        yield _Complaint(
            f"memory grew by {told.growth_bytes // _MEGABYTE} MB, and the call was stopped", "Bound what is kept of an answer."
        )
    elif not isinstance(outcome, ParleyError):
        yield _Complaint(f"it raised {type(outcome).__name__}: {outcome}", "Raise the errors of parley.contract.errors.")
    elif not expected.errors:
        problem = f"it raised {type(outcome).__name__} ({outcome.message}) where the answer was to be had"
        yield _Complaint(problem, "", mild=not strict)
        yield from _partial(outcome, Expected(received=None), sample, told)
    else:
        yield from _error(outcome, expected, strict=strict)
        yield from _partial(outcome, expected, sample, told)


def _answer(reply: ChatResponse, expected: Expected, sample: Sample) -> Iterator[_Complaint]:
    if sample.text == "".join(WORDS):
        right = "".join(word for place, word in enumerate(WORDS) if place not in expected.lacking)
        if reply.text != right:
            yield _Complaint(f"its text is {_shown(reply.text)}, not the {len(right)} characters that were sent", "Hand on all text, once.")
    elif not reply.text or (sample.text and not expected.lacking and reply.text != sample.text):
        yield _Complaint(f"its text is {_shown(reply.text)}, not what was sent", "Hand on all text, once.")
    if expected.lacking and reply.complete:
        yield _Complaint("a part is missing, but the answer is marked as complete", "Mark it with a warning that is `incomplete`.")
    if expected.warning and expected.warning not in {warning.code for warning in reply.warnings}:
        yield _Complaint(f"it lacks the warning {expected.warning}", "Warn about what was skipped.")
    if reply.finish_reason not in {"stop", "unknown"}:
        yield _Complaint(f"its finish reason is {reply.finish_reason}", "Map the vendor's word to `stop`.")


def _error(error: ParleyError, expected: Expected, *, strict: bool) -> Iterator[_Complaint]:
    if not isinstance(error, expected.errors):
        yield _Complaint(f"it raised {type(error).__name__} ({error.message}) where {_names(expected)} is right", "", mild=not strict)
        return
    if expected.retryable is not None and error.retryable != expected.retryable:
        problem = f"its `retryable` is {error.retryable}; right is {expected.retryable}"
        yield _Complaint(problem, "Leave `retryable` as the class has it.", mild=not strict)
    if expected.phase is not None and error.phase != expected.phase:
        yield _Complaint(f"its `phase` is {error.phase}; right is {expected.phase}", "Leave `phase` to the guard.", mild=not strict)
    if expected.retry_after is not None and error.retry_after != expected.retry_after:
        problem = f"its `retry_after` is {error.retry_after}; the vendor said {expected.retry_after:g} s"
        yield _Complaint(problem, "Read Retry-After into `retry_after`.", mild=not strict)


def _partial(error: ParleyError, expected: Expected, sample: Sample, told: Told) -> Iterator[_Complaint]:
    text = error.partial.text if error.partial is not None else ""
    if told.tokens is not None and told.tokens and text != told.tokens:
        yield _Complaint(f"`partial` holds {_shown(text)}, but {_shown(told.tokens)} was handed on", "Leave `partial` to the guard.")
    if expected.received == 0 and text:
        yield _Complaint(f"`partial` holds {_shown(text)}, but nothing had come", "")
    elif expected.received and sample.text == "".join(WORDS):
        sent = WORDS[: count_of(sample, expected.received)]
        if text != "".join(sent):
            problem = f"`partial` holds {_shown(text)}, not the {len(sent)} tokens that had come"
            yield _Complaint(problem, "Hand on every token as soon as it is there.")
    elif sample.text and expected.received and not sample.text.startswith(text):
        yield _Complaint(f"`partial` holds {_shown(text)}, which is no beginning of the answer", "Hand on the text as it is sent.")
    if error.partial is not None and (error.partial.complete or error.partial.finish_reason == "stop"):
        yield _Complaint("`partial` passes for a whole answer", "Leave `partial` to the guard.")


def _conduct(told: Told, expected: Expected, *, strict: bool) -> Iterator[_Complaint]:
    safe = not strict and isinstance(told.outcome, ParleyError)
    fewest, most = expected.requests
    if told.requests > most:
        problem = f"it sent {_requests(told.requests)}; at most {most} is right"
        yield _Complaint(problem, "Ask once and raise the error: the guard tries again where that helps.")
    elif told.requests < fewest:
        problem = f"it sent {_requests(told.requests)}; at least {fewest} is right"
        yield _Complaint(problem, "Raise an error that is `retryable`.", mild=safe)
    if told.waited_seconds < expected.waits_seconds - EARLY_SECONDS and told.requests >= max(2, fewest):
        problem = f"it asked again after {told.waited_seconds:.1f} s; {expected.waits_seconds:g} s is right"
        yield _Complaint(problem, "Leave waiting to the guard, and tell it `retry_after`.")
    yield from _pace(told, expected, safe=safe)


def _pace(told: Told, expected: Expected, *, safe: bool) -> Iterator[_Complaint]:
    soonest, latest = expected.seconds
    took = told.seconds - told.working_seconds
    as_expected = isinstance(told.outcome, expected.errors or ChatResponse)
    if took > latest + TIMER_SECONDS:
        # Where a timer of the guard ended it, it was late, but bounded.
        mild = safe and isinstance(told.outcome, ProviderTimeoutError)
        yield _Complaint(f"it took {took:.0f} s; at most {latest:g} s is right", "Wait for nothing but the answer.", mild=mild)
    elif as_expected and told.seconds < soonest - EARLY_SECONDS:
        yield _Complaint(f"it gave up after {told.seconds:.1f} s; {soonest:g} s is right", "Leave the timers to the guard.")


def _harm(told: Told) -> Iterator[_Complaint]:
    if told.ends != 1 and not isinstance(told.outcome, CancelledError):
        yield _Complaint(f"its end was told {told.ends} times", "Tell the end once.")
    if told.longest_hold_seconds > HOLD_SECONDS:
        problem = f"the event loop stood still for {told.longest_hold_seconds:.1f} s"
        yield _Complaint(problem, "Read in bounded steps, and let others run between them.")
    if told.harm:
        yield _Complaint(told.harm, "Do not hold up the event loop, and share nothing between calls.")
    if told.aftermath:
        yield _Complaint(told.aftermath, "Keep no state of a call that failed.")


def _evidence(told: Told) -> str:
    outcome = told.outcome
    words = [f"{_requests(told.requests)} in {told.seconds:.1f} s"]
    if isinstance(outcome, ChatResponse):
        words.append(f"an answer of {len(outcome.text)} characters, {outcome.finish_reason}")
        words += [f"warning {code}" for code in dict.fromkeys(warning.code for warning in outcome.warnings)]
    elif isinstance(outcome, ParleyError):
        words.append(type(outcome).__name__)
        words.append("retryable" if outcome.retryable else "not retryable")
        if outcome.phase:
            words.append(f"phase {outcome.phase}")
        if outcome.retry_after is not None:
            words.append(f"retry after {outcome.retry_after:g} s")
        if outcome.partial is not None and outcome.partial.text:
            words.append(f"{len(outcome.partial.text)} characters kept")
    elif not isinstance(outcome, CancelledError):
        words.append(type(outcome).__name__)
    if told.growth_bytes > 16 * _MEGABYTE:
        words.append(f"{told.growth_bytes // _MEGABYTE} MB of memory")
    return ", ".join(words)


def _requests(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


def _shown(text: str) -> str:
    return f"{text[:30]!r}… ({len(text)} characters)" if len(text) > 40 else repr(text)


def _names(expected: Expected) -> str:
    return " or ".join(error.__name__ for error in expected.errors)
