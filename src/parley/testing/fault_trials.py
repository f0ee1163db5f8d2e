"""What a fault is, as a value: how the provider misbehaves, and what a right client makes of it. Runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from parley.contract.errors import ParleyError
from parley.contract.options import Timeouts
from parley.testing.fault_bodies import WireBodies, bodies_of
from parley.testing.replay import Answer
from parley.testing.samples import Sample

Way: TypeAlias = Literal["streamed", "complete"]
Listening: TypeAlias = Literal["open", "closed", "full"]

WORDS = tuple(f"word{number:02d} " for number in range(60))
"""The sixty tokens that a written sample of the wall says."""

PATIENT = Timeouts(connect=10, first_token=120, idle=60, total=15 * 60)
BRISK = Timeouts(connect=5, first_token=10, idle=10, total=40)
"""Limits as a route with a fallback has them; for a complete call, which has only a total, 40 s."""

TRIES = 3
"""So often the guard asks one target."""


class NotExpressible(Exception):
    """The wall cannot make this sample misbehave in this way; the message says what is missing."""


class Expected(Struct, frozen=True, kw_only=True):
    """What a right client does.

    With `errors` it raises one of these classes, with this `retryable` and `phase` where they are not None, and its `partial` holds
    the text of the first `received` of the sample's text events (0: no text; None: whatever came). Without `errors` it gives the whole
    answer, but for the text events that are `lacking`, which it then marks as not complete. It sends from `requests[0]` to
    `requests[1]` requests, the last at least `waits_seconds` after the first, and is done after `seconds[0]` to `seconds[1]`.
    """

    errors: tuple[type[ParleyError], ...] = ()
    retryable: bool | None = None
    phase: str | None = None
    received: int | None = 0
    lacking: tuple[int, ...] = ()
    warning: str | None = None
    requests: tuple[int, int] = (1, 1)
    waits_seconds: float = 0.0
    seconds: tuple[float, float] = (0.0, 20.0)
    retry_after: float | None = None


class Fault(Struct, frozen=True, kw_only=True):
    """One way to misbehave. `number` is its place among the sixteen that gateways are scored by; `conduct` says in words what is right.

    `answers` gives what the server sends to the first requests, the last again and again; it raises NotExpressible. Their times are
    seconds of the wall's clock. `listening` says what the address does: "closed" refuses connections, "full" lets nobody in. What is
    `hostile` is faced while another stream of the same process runs, and memory is bounded.
    """

    name: str
    title: str
    conduct: str
    answers: Callable[[Sample, Way], Sequence[Answer]]
    number: int | None = None
    streamed: Expected | None = None
    complete: Expected | None = None
    timeouts: Timeouts = PATIENT
    listening: Listening = "open"
    hostile: bool = False

    def expected(self, way: Way) -> Expected | None:
        """What is right for a call of this kind; None where the fault has no meaning for it."""
        return self.streamed if way == "streamed" else self.complete

    @property
    def ways(self) -> Sequence[Way]:
        """The kinds of call that it is faced with."""
        ways: tuple[Way, Way] = ("streamed", "complete")
        return [way for way in ways if self.expected(way) is not None]


def whole(sample: Sample, way: Way) -> Answer:
    """The healthy answer. Raises NotExpressible where the sample has none of this kind."""
    if not (sample.text_events if way == "streamed" else sample.text_complete):
        raise NotExpressible(f"a {way} answer of the wire {sample.wire} is needed; record one")
    return sample.streamed() if way == "streamed" else sample.complete()


def bodies(sample: Sample) -> WireBodies:
    """What misbehaviour looks like on the sample's wire. Raises NotExpressible where nobody has written that down."""
    found = bodies_of(sample.wire)
    if found is None:
        raise NotExpressible(f"how the wire {sample.wire} would write this is not known; only answers as recorded can be cut or repeated")
    return found


def text_events(sample: Sample) -> Sequence[bytes]:
    """The events that only say text. Raises NotExpressible where there are too few to cut between."""
    events = sample.text_events[sample.lead_events : len(sample.text_events) - sample.end_events]
    if len(events) < 2:
        raise NotExpressible(f"a streamed answer of the wire {sample.wire} with several text events is needed; record a longer one")
    return events


def count_of(sample: Sample, of_sixty: int) -> int:
    """How many of the sample's text events are as much of it as so many are of sixty."""
    return max(1, round(len(text_events(sample)) * of_sixty / len(WORDS)))


def beginning(sample: Sample, of_sixty: int) -> list[bytes]:
    """The stream up to that share of its text."""
    return list(sample.text_events[: sample.lead_events + count_of(sample, of_sixty)])


def broken(event: bytes) -> bytes:
    """The event with its second half missing and its framing whole."""
    framing = event[len(event.rstrip(b"\r\n")) :]
    start = event.find(b"{")
    if start < 0:
        raise NotExpressible("an event that holds a JSON object is needed; the recorded ones hold none")
    return event[: start + (len(event) - len(framing) - start) // 2].rstrip(b"\r\n") + framing


def without_text(answers: Sequence[bytes], *, lacking: Sequence[int], sample: Sample) -> list[bytes]:
    """The events with those text events broken."""
    places = {sample.lead_events + number for number in lacking}
    return [broken(event) if place in places else event for place, event in enumerate(answers)]


def refuse_checksums(sample: Sample) -> None:
    """Raise NotExpressible for a wire that bears a checksum on each event: damage ends its stream, there is nothing to skip."""
    if "vnd.amazon.eventstream" in sample.stream_headers.get("content-type", ""):
        raise NotExpressible(f"each event of the wire {sample.wire} bears a checksum: what is damaged cannot be skipped")
