"""What is left behind by a provider's calls: several at once that do not mix, and what the guard had to mend. Knows no wire."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from parley.contract.errors import ParleyError
from parley.guard.conduct import Violation
from parley.testing.findings import Findings, advice, failed, not_run, passed
from parley.testing.rules.asking import MESSAGES, comparable, outcome, told
from parley.testing.subject import Subject

CALLS_AT_ONCE = 8


async def interleaved(subject: Subject) -> Findings:
    """Calls of one instance that run at the same time do not mix."""
    if needs := subject.cannot("stream"):
        yield not_run(needs)
        return
    pieces = subject.streamed(pieces=_sevens)
    async with subject.serve(*pieces) as served:
        alone = await outcome(served.provider.stream_response(messages=MESSAGES))
        calls = (outcome(served.provider.stream_response(messages=MESSAGES)) for _ in range(CALLS_AT_ONCE))
        together = await asyncio.gather(*calls)
    different = [result for result in together if not _alike(result, alone, exactly=subject.observation == "http")]
    if different:
        yield failed(
            f"{len(different)} of {CALLS_AT_ONCE} calls at once give {told(different[0])}; alone, one gives {told(alone)}",
            "keep what belongs to a call in local variables, not in the instance",
        )
    else:
        yield passed(f"{CALLS_AT_ONCE} calls at once give the same as one alone")


def _sevens(body: bytes) -> list[bytes]:
    return [body[place : place + 7] for place in range(0, len(body), 7)]


def _alike(one: object, other: object, *, exactly: bool) -> bool:
    if isinstance(one, ParleyError) or isinstance(other, ParleyError):
        return type(one) is type(other)
    return not exactly or comparable(one) == comparable(other)  # type: ignore[arg-type]


REMEDIES = {
    "no_on_done": "call on_done(result) once, before stream_response returns",
    "second_on_done": "call on_done once",
    "token_after_done": "call on_done after the last token",
    "token_after_error": "call on_token no more after on_error",
    "done_after_error": "call either on_done or on_error",
    "error_after_done": "call on_done last, when nothing can fail any more",
    "raises_after_done": "call on_done last, when nothing can fail any more",
    "second_on_error": "call on_error once",
    "returns_after_error": "raise the error after on_error",
    "text_mismatch": "return the text that was streamed: the tokens joined",
    "usage": "report the counts, or do not declare usage",
    "error_after_end": "yield ResponseFinished last, when nothing can fail any more",
    "event_after_end": "yield ResponseFinished last",
    "no_end": "end the stream with ResponseFinished, which says why the answer ended",
    "foreign_exception": "catch it, and raise an error of parley.provider instead (`raise ServerError(…) from error`)",
    "secret_in_error": "leave the key, and what contains it, out of errors",
    "ignores_cancellation": "let CancelledError pass, and end at once",
}


async def conduct(subject: Subject) -> Findings:
    """The guard had nothing to mend: in a stream, a complete call, a refused and a cut one, and in every call of the other rules."""
    if subject.observation == "none":
        yield not_run(subject.needs)
        return
    calls = 0
    answers = [*subject.streamed(), *subject.complete()]
    if not subject.cannot("pieces"):
        answers += [subject.known.error(500, "no"), subject.known.error(500, "no"), subject.known.cut()]
    async with subject.serve(*answers) as served:
        for number in range(max(2, len(answers))):
            ask = served.provider.generate_response if number % 2 else served.provider.stream_response
            await outcome(ask(messages=MESSAGES))
            calls += 1
        found: Sequence[Violation] = served.provider.violations
    everything = [*found, *(each for each in subject.violations if each not in found)]
    for violation in _once_each(everything):
        told_of = advice if subject.is_plain and _is_said_plainly(violation) else failed
        yield told_of(f"{violation.rule}: {violation.detail}", REMEDIES.get(violation.rule, ""))
    if not everything:
        yield passed(f"nothing in {calls} calls, nor in those of the other rules")


def _is_said_plainly(violation: Violation) -> bool:
    """An exception of no kind at all, as the migration guide raises: told on purpose, unlike a mistake such as a KeyError."""
    return violation.rule == "foreign_exception" and violation.detail.startswith(("Exception was raised", "RuntimeError was raised"))


def _once_each(violations: Sequence[Violation]) -> list[Violation]:
    return list({violation.rule: violation for violation in reversed(violations)}.values())[::-1]
