"""What the bytes of an answer may not change: how they are split, and where they break off. Knows no wire."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from msgspec import structs

from parley.contract.errors import ParleyError, StreamTruncatedError
from parley.contract.response import ChatResponse
from parley.testing.findings import Finding, Findings, failed, not_run, passed
from parley.testing.replay import Answer
from parley.testing.rules.asking import MESSAGES, Heard, Outcome, comparable, first_findings, outcome, shortened, told, wrong_class
from parley.testing.subject import Subject

RANDOM_SPLITS = 20
RANDOM_ONLY_ABOVE_BYTES = 256 * 1024

SPLIT_REMEDY = (
    "keep what is left over between two calls of feed(): an event, a line or a character may be cut anywhere; and where an error "
    "comes behind events in the same bytes, give the events first and raise it in the next call of feed() or close()"
)

Splitter = Callable[[bytes], Sequence[bytes]]


def splitters(size: int) -> Iterator[tuple[str, Splitter]]:
    """A byte at a time, unless the body is too large for it, and the random splits, each with its name."""
    if size <= RANDOM_ONLY_ABOVE_BYTES:
        yield "a byte at a time", one_byte_each
    for seed in range(RANDOM_SPLITS):
        yield f"random split {seed}", _randomly(seed)


def one_byte_each(body: bytes) -> Sequence[bytes]:
    """A byte at a time."""
    return [body[place : place + 1] for place in range(len(body))]


def _randomly(seed: int) -> Splitter:
    def split(body: bytes) -> Sequence[bytes]:
        chance = random.Random(seed)  # noqa: S311 - the same splits in every run
        largest = max(2, len(body) // chance.choice([2, 8, 40, 200]))
        pieces: list[bytes] = []
        place = 0
        while place < len(body):
            size = chance.randint(1, largest)
            pieces.append(body[place : place + size])
            place += size
        return pieces

    return split


async def any_split(subject: Subject) -> Findings:
    """Any split of the bytes gives the same answer: a byte at a time, and random pieces."""
    if needs := subject.cannot("pieces"):
        yield not_run(needs)
        return
    sample = subject.known
    streams = {"text": sample.text_events, "tool call": sample.tool_events}
    for kind, events in streams.items():
        if not events or (kind == "tool call" and subject.capabilities.tools is False):
            continue
        whole, differing = await _split(subject, sample.stream_of(events))
        if differing is not None:
            yield failed(
                f"{kind}: {differing[0]}, the answer is {told(differing[1])}; whole, it is {told(whole)}",
                SPLIT_REMEDY,
            )
        elif isinstance(whole, ParleyError):
            yield failed(f"{kind}: whole, the stream ends in {told(whole)}")
        else:
            yield passed(f"{kind}: a byte at a time and {RANDOM_SPLITS} random splits give the same answer")


async def _split(subject: Subject, answer: Answer) -> tuple[Outcome, tuple[str, Outcome] | None]:
    ways = list(splitters(len(answer.body)))
    answers = [answer, *(_in_pieces(answer, pieces) for _, pieces in ways)]
    async with subject.serve(*answers) as served:
        whole = await outcome(served.provider.stream_response(messages=MESSAGES))
        for name, _ in ways:
            result = await outcome(served.provider.stream_response(messages=MESSAGES))
            if comparable(result) != comparable(whole):
                return whole, (name, result)
    return whole, None


def _in_pieces(answer: Answer, pieces: Splitter) -> Answer:
    return structs.replace(answer, pieces=pieces)


async def one_cut(subject: Subject) -> Findings:
    """A stream that breaks off in the middle is StreamTruncatedError with what came, however its connection ended."""
    if needs := subject.cannot("pieces"):
        yield not_run(needs)
        return
    sample = subject.known
    endings: list[dict[str, Any]] = [{}, {"ending": "close"}, {"ending": "reset"}]
    async for finding in _cuts(subject, [(sample.cut_events, sample.cut(**changes)) for changes in endings]):
        yield finding


async def every_cut(subject: Subject) -> Findings:
    """A stream that is cut after any of its events, or in the middle of one, is StreamTruncatedError with the text so far."""
    if needs := subject.cannot("pieces"):
        yield not_run(needs)
        return
    sample = subject.known
    # What comes last may be the end already; of a wire that we do not know, only what is missing from the text tells.
    last = len(sample.text_events) - max(1, sample.end_events)
    places = [(count, sample.cut(after_events=count)) for count in range(last + 1)]
    halves = [(count, sample.stream_of([*sample.text_events[:count], _half(sample.text_events[count])])) for count in range(last)]
    async for finding in _cuts(subject, [*places, *halves]):
        yield finding


def _half(event: bytes) -> bytes:
    return event[: len(event) // 2]


_RAISE_AT_THE_END = "raise StreamTruncatedError in close() unless the wire's own end has come: its end marker or finish reason"


async def _cuts(subject: Subject, cuts: Sequence[tuple[int, Answer]]) -> AsyncIterator[Finding]:
    found: list[Finding] = []
    async with subject.serve(*(answer for _, answer in cuts)) as served:
        for count, _ in cuts:
            heard = Heard()
            result = await outcome(served.provider.stream_response(messages=MESSAGES, **heard.callbacks))
            problem = _cut_problem(subject, result, heard)
            if problem:
                place = f"cut after {count} of {len(subject.known.text_events)} events"
                found.append(wrong_class(subject, result, f"{place}: {problem}", _RAISE_AT_THE_END))
    for finding in first_findings(found, 3):
        yield finding
    if not found:
        yield passed(f"{len(cuts)} cuts, each a StreamTruncatedError with the text so far")


def _cut_problem(subject: Subject, result: Outcome, heard: Heard) -> str:
    sample = subject.known
    if isinstance(result, ChatResponse):
        whole = not subject.speaks_a_shipped_wire and result.text == sample.text
        return "" if whole else f"{told(result)}, as if nothing were missing"
    if not isinstance(result, StreamTruncatedError):
        return f"it is {told(result)}, not StreamTruncatedError"
    partial = result.partial.text if result.partial is not None else ""
    if partial != heard.text:
        return f"the partial text is {shortened(partial)!r}, the tokens are {shortened(heard.text)!r}"
    if not sample.text.startswith(partial):
        return f"the partial text {shortened(partial)!r} is no beginning of the answer"
    if result.partial is not None and result.partial.complete:
        return "the partial answer calls itself complete"
    if heard.done or heard.errors != [result]:
        return f"on_done was called {len(heard.done)} times and on_error {len(heard.errors)} times"
    return ""
