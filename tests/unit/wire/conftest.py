"""What the wires' tests share: feeding a decoder in pieces, and a fold that is not the guard's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import msgspec
import pytest

from parley.contract.codec import Codec
from parley.contract.errors import ParleyError
from parley.contract.events import (
    CitationAdded,
    Event,
    PartAdded,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
    ToolCallEnded,
    ToolCallStarted,
    UsageReported,
    WarningRaised,
)
from parley.contract.http import ResponseHead
from parley.contract.messages import Message, Part, ReasoningPart, TextPart
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.contract.usage import UsageReport

QUESTION = ChatRequest(messages=[Message(role="user", content="Hi")])
WHOLE_ONLY_ABOVE_BYTES = 256 * 1024


Decoded: TypeAlias = tuple[list[Event], ParleyError | None]


def _decode(codec: Codec, head: ResponseHead, pieces: Iterable[bytes], request: ChatRequest = QUESTION) -> Decoded:
    """Every event up to the end or the error, and that error."""
    decoder = codec.decoder(request, head)
    events: list[Event] = []
    try:
        for piece in pieces:
            events += decoder.feed(piece)
        events += decoder.close()
    except ParleyError as error:
        return events, error
    return events, None


def _splits(body: bytes, seed: str) -> Iterator[list[bytes]]:
    """A byte at a time (large bodies excepted), and twenty ways to cut that are the same in every run."""
    if len(body) <= WHOLE_ONLY_ABOVE_BYTES:
        yield [body[index : index + 1] for index in range(len(body))]
    chance = random.Random(seed)
    for _ in range(20):
        cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(1, 30)))
        yield [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]


class Folded(msgspec.Struct):
    """A reply put together from events, the simple way."""

    started: ResponseStarted = ResponseStarted()
    parts: list[Part] = []
    usage: UsageReport = UsageReport()
    refusal: str = ""
    citations: list[object] = []
    warnings: list[str] = []
    finished: ChatResponse | None = None

    @property
    def reply(self) -> ChatResponse:
        return ChatResponse(parts=self.parts)


def _fold(events: Iterable[Event]) -> Folded:
    """Text and reasoning go on until something with provider data, or of another kind, ends them; a call stands where it began."""
    folded = Folded()
    parts: list[Part | int] = []
    goes_on = False
    for event in events:
        if isinstance(event, (TextDelta, ReasoningDelta)):
            _join(parts, event, goes_on=goes_on)
            goes_on = isinstance(event, ReasoningDelta) or event.provider_data is None
        elif isinstance(event, ReasoningEnded):
            last = parts.pop() if goes_on and isinstance(parts[-1], ReasoningPart) else ReasoningPart()
            end = {"signature": event.signature, "redacted": event.redacted, "provider_data": event.provider_data}
            parts.append(msgspec.structs.replace(last, **end))
            goes_on = False
        elif isinstance(event, (ToolCallStarted, PartAdded)):
            parts.append(event.index if isinstance(event, ToolCallStarted) else event.part)
            goes_on = False
        elif isinstance(event, ToolCallEnded):
            parts[parts.index(event.index)] = event.call
        else:
            _note(folded, event)
    folded.parts = [part for part in parts if not isinstance(part, int)]
    return folded


def _join(parts: list[Part | int], event: TextDelta | ReasoningDelta, *, goes_on: bool) -> None:
    kind = TextPart if isinstance(event, TextDelta) else ReasoningPart
    last = parts.pop() if goes_on and isinstance(parts[-1], kind) else kind(text="")
    data = event.provider_data if isinstance(event, TextDelta) else None
    parts.append(msgspec.structs.replace(last, text=last.text + event.text, provider_data=data))


def _note(folded: Folded, event: Event) -> None:
    if isinstance(event, UsageReported):
        folded.usage = folded.usage.merge(event.usage)
    elif isinstance(event, CitationAdded):
        folded.citations.append(event.citation)
    elif isinstance(event, RefusalDelta):
        folded.refusal += event.text
    elif isinstance(event, WarningRaised):
        folded.warnings.append(event.warning.code)
    elif isinstance(event, ResponseStarted):
        folded.started = event
    elif isinstance(event, ResponseFinished):
        folded.finished = event.response


@pytest.fixture(scope="session")
def decode() -> Callable[..., tuple[list[Event], ParleyError | None]]:
    return _decode


@pytest.fixture(scope="session")
def splits() -> Callable[[bytes, str], Iterator[list[bytes]]]:
    return _splits


@pytest.fixture(scope="session")
def fold() -> Callable[[Iterable[Event]], Folded]:
    return _fold
