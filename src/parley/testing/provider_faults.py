"""The faults that vendors really have: limits, failures, cuts, silences, refusals. Knows what is right, not how it is proved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypedDict

from msgspec import structs

from parley.contract.errors import (
    AuthenticationError,
    ConnectError,
    ConnectionLostError,
    ContentFilterError,
    ContextLengthError,
    ModelNotFoundError,
    OverloadedError,
    ParleyError,
    PermissionDeniedError,
    ProtocolError,
    ProviderTimeoutError,
    QuotaExceededError,
    RateLimitError,
    RequestRejectedError,
    ServerError,
    StreamTruncatedError,
)
from parley.testing.fault_bodies import STATUSES, Refusal
from parley.testing.fault_trials import (
    BRISK,
    TRIES,
    Expected,
    Fault,
    NotExpressible,
    Way,
    beginning,
    bodies,
    broken,
    refuse_checksums,
    text_events,
    whole,
    without_text,
)
from parley.testing.replay import Answer, Ending
from parley.testing.samples import JSON_DOCUMENT, Sample

_Answers = Callable[[Sample, Way], Sequence[Answer]]
_DEAF = Answer(silent_before_head=True, ending="stall")
_RESET = Answer(silent_before_head=True, ending="reset")


def _status(status: int, message: str, headers: dict[str, str] | None = None, *, then_well: bool = False) -> _Answers:
    def answers(sample: Sample, way: Way) -> Sequence[Answer]:
        refused = sample.error(status, message, headers)
        return [refused, whole(sample, way)] if then_well else [refused]

    return answers


def _refused(refusal: Refusal) -> _Answers:
    def answers(sample: Sample, way: Way) -> Sequence[Answer]:
        return [Answer(status=STATUSES[refusal], headers=JSON_DOCUMENT, body=bodies(sample).refusals[refusal])]

    return answers


def _stream(made: Callable[[Sample], Sequence[bytes]], **changes: Any) -> _Answers:
    return lambda sample, _way: [sample.stream_of(made(sample), **changes)]


class _Both(TypedDict):
    streamed: Expected
    complete: Expected


def _both(expected: Expected) -> _Both:
    """The same for a streamed and a complete call, but for the phase of its error."""
    if expected.errors and expected.phase is None:
        return {"streamed": structs.replace(expected, phase="first_token"), "complete": structs.replace(expected, phase="complete")}
    return {"streamed": expected, "complete": expected}


def _fails(*errors: type[ParleyError], retryable: bool, **expected: Any) -> Expected:
    return Expected(errors=errors, retryable=retryable, **expected)


def _cut(ending: Ending) -> _Answers:
    """Two thirds of the answer, then this."""

    def answers(sample: Sample, way: Way) -> Sequence[Answer]:
        if way == "streamed":
            return [sample.stream_of(beginning(sample, 40), ending=ending)]
        answer = whole(sample, way)
        if ending == "end":
            return [structs.replace(answer, body=answer.body[: len(answer.body) * 2 // 3])]
        return [structs.replace(answer, send_bytes=len(answer.body) * 2 // 3, ending=ending)]

    return answers


def _late(seconds: float) -> _Answers:
    return lambda sample, way: [structs.replace(whole(sample, way), gap_seconds=seconds)]


def _headers_only(sample: Sample, way: Way) -> Sequence[Answer]:
    return [structs.replace(whole(sample, way), send_bytes=0, ending="stall")]


def _dies_once_at_once(sample: Sample, way: Way) -> Sequence[Answer]:
    return [sample.stream_of(sample.text_events[: sample.lead_events], ending="close"), whole(sample, way)]


def _invalid(*lacking: int) -> Callable[[Sample], Sequence[bytes]]:
    return lambda sample: without_text(sample.text_events, lacking=lacking, sample=_with_text(sample, max(lacking)))


def _with_text(sample: Sample, last: int) -> Sample:
    refuse_checksums(sample)
    if len(text_events(sample)) <= last + 1:
        raise NotExpressible(
            f"a streamed answer of the wire {sample.wire} with more than {last + 1} text events is needed; record a longer one"
        )
    return sample


def _invalid_in_call(sample: Sample) -> Sequence[bytes]:
    refuse_checksums(sample)
    if not bodies(sample).splits_calls:
        raise NotExpressible(f"the wire {sample.wire} sends a tool call in one piece; there is nothing to lose inside it")
    events = list(sample.tool_events)
    inside = next(place for place, event in enumerate(events) if sample.call_name.encode() in event) + 1
    return [*events[:inside], broken(events[inside]), *events[inside + 1 :]]


def _no_end_marker(sample: Sample) -> Sequence[bytes]:
    if not bodies(sample).end_again:
        raise NotExpressible(f"the wire {sample.wire} has no end marker beside its finish reason")
    return sample.text_events[:-1]


def _error_inside(sample: Sample) -> Sequence[bytes]:
    return [*beginning(sample, 20), bodies(sample).error_event("overloaded")]


def _error_in_200(sample: Sample, _way: Way) -> Sequence[Answer]:
    return [Answer(headers=JSON_DOCUMENT, body=bodies(sample).refusals["overloaded"])]


_GATEWAY_PAGE = Answer(status=502, headers={"content-type": "text/html"}, body=b"<html><title>502 Bad Gateway</title></html>")

PROVIDER_FAULTS: Sequence[Fault] = (
    Fault(
        name="rate-limited-once",
        number=1,
        title="429 with Retry-After: 2, then healthy",
        conduct="wait about 2 s and ask once more; no tight loop",
        answers=_status(429, "Slow down.", {"retry-after": "2"}, then_well=True),
        **_both(Expected(requests=(2, 2), waits_seconds=2.0, seconds=(2.0, 6.0))),
    ),
    Fault(
        name="rate-limited",
        number=2,
        title="429 without Retry-After, for ever",
        conduct="back off, a few tries, then RateLimitError; never hammer",
        answers=_status(429, "Slow down."),
        **_both(_fails(RateLimitError, retryable=True, requests=(2, TRIES), waits_seconds=0.7)),
    ),
    Fault(
        name="rate-limited-for-an-hour",
        title="429 with Retry-After: 3600",
        conduct="do not wait that long: RateLimitError at once, with the time to wait",
        answers=_status(429, "Come back later.", {"retry-after": "3600"}),
        **_both(_fails(RateLimitError, retryable=True, retry_after=3600.0, seconds=(0.0, 5.0))),
    ),
    Fault(
        name="failed-once",
        number=3,
        title="500 once, then healthy",
        conduct="one more try succeeds",
        answers=_status(500, "Internal error.", then_well=True),
        **_both(Expected(requests=(2, 2))),
    ),
    Fault(
        name="overloaded",
        number=4,
        title="503 for ever",
        conduct="bounded tries with growing waits, then OverloadedError",
        answers=_status(503, "Over capacity."),
        **_both(_fails(OverloadedError, retryable=True, requests=(2, TRIES), waits_seconds=0.7)),
    ),
    Fault(
        name="bad-gateway",
        title="502 with a web page, for ever",
        conduct="bounded tries, then ServerError",
        answers=lambda _sample, _way: [_GATEWAY_PAGE],
        **_both(_fails(ServerError, retryable=True, requests=(2, TRIES))),
    ),
    Fault(
        name="reset-once",
        number=5,
        title="TCP reset before the headers, then healthy",
        conduct="one more try succeeds",
        answers=lambda sample, way: [_RESET, whole(sample, way)],
        **_both(Expected(requests=(2, 2))),
    ),
    Fault(
        name="reset",
        title="TCP reset before the headers, for ever",
        conduct="bounded tries, then ConnectionLostError",
        answers=lambda _sample, _way: [_RESET],
        **_both(_fails(ConnectionLostError, retryable=True, requests=(2, TRIES))),
    ),
    Fault(
        name="never-answers",
        number=6,
        title="accepts the request and never answers",
        conduct="the timer fires once, ProviderTimeoutError; a silent target is not asked again",
        answers=lambda _sample, _way: [_DEAF],
        timeouts=BRISK,
        streamed=_fails(ProviderTimeoutError, retryable=False, phase="first_token", seconds=(10.0, 11.0)),
        complete=_fails(ProviderTimeoutError, retryable=False, phase="complete", seconds=(40.0, 41.0)),
    ),
    Fault(
        name="headers-then-silence",
        title="headers at once, then nothing",
        conduct="as if it never answered",
        answers=_headers_only,
        timeouts=BRISK,
        streamed=_fails(ProviderTimeoutError, retryable=False, phase="first_token", seconds=(10.0, 11.0)),
        complete=_fails(ProviderTimeoutError, retryable=False, phase="complete", seconds=(40.0, 41.0)),
    ),
    Fault(
        name="late-first-token",
        number=7,
        title="headers at once, the first token after 20 s, where 10 s are allowed",
        conduct="ProviderTimeoutError after 10 s",
        answers=_late(20.0),
        timeouts=BRISK,
        streamed=_fails(ProviderTimeoutError, retryable=False, phase="first_token", seconds=(10.0, 11.0)),
    ),
    Fault(
        name="long-thought",
        title="headers at once, the first token after 60 s, where 120 s are allowed",
        conduct="wait: a model that thinks is not dead",
        answers=_late(60.0),
        **_both(Expected(seconds=(59.0, 64.0))),
    ),
    Fault(
        name="ends-early",
        number=8,
        title="after 40 of 60 tokens the stream ends in good order, without its end",
        conduct="StreamTruncatedError with the 40 tokens; never a success",
        answers=_cut("end"),
        streamed=_fails(StreamTruncatedError, retryable=True, phase="streaming", received=40),
        complete=_fails(StreamTruncatedError, retryable=True, phase="complete", requests=(2, TRIES)),
    ),
    Fault(
        name="dies-midway",
        number=8,
        title="after 40 of 60 tokens the connection is closed",
        conduct="an error that may be tried again, with the 40 tokens; never a success",
        answers=_cut("close"),
        streamed=_fails(StreamTruncatedError, ConnectionLostError, retryable=True, phase="streaming", received=40),
        complete=_fails(ConnectionLostError, StreamTruncatedError, retryable=True, phase="complete", requests=(2, TRIES)),
    ),
    Fault(
        name="reset-midway",
        number=8,
        title="after 40 of 60 tokens the connection is reset",
        conduct="an error that may be tried again, with what came; never a success",
        answers=_cut("reset"),
        # What a reset leaves of bytes that were under way is the system's affair.
        streamed=_fails(StreamTruncatedError, ConnectionLostError, retryable=True, received=None, requests=(1, TRIES)),
        complete=_fails(ConnectionLostError, StreamTruncatedError, retryable=True, phase="complete", requests=(2, TRIES)),
    ),
    Fault(
        name="dies-before-content",
        title="the first try dies before its first token, the second is healthy",
        conduct="ask once more: nothing was delivered yet",
        answers=_dies_once_at_once,
        streamed=Expected(requests=(2, 2)),
    ),
    Fault(
        name="silent-midway",
        number=9,
        title="silence after 20 tokens",
        conduct="ProviderTimeoutError after the idle limit (10 s), with the 20 tokens",
        answers=_stream(lambda sample: beginning(sample, 20), ending="stall"),
        timeouts=BRISK,
        streamed=_fails(ProviderTimeoutError, retryable=False, phase="streaming", received=20, seconds=(10.0, 11.0)),
    ),
    Fault(
        name="invalid-event",
        number=10,
        title="one event of the stream is invalid JSON",
        conduct="skip it with a warning, deliver the rest, marked as not complete",
        answers=_stream(_invalid(2)),
        streamed=Expected(lacking=(2,), warning="invalid_event"),
    ),
    Fault(
        name="invalid-events",
        title="four events of the stream are invalid JSON",
        conduct="ProtocolError at the fourth, with the text so far",
        answers=_stream(_invalid(1, 2, 3, 4)),
        streamed=_fails(ProtocolError, retryable=False, phase="streaming", received=1),
    ),
    Fault(
        name="invalid-event-in-call",
        title="an event inside a tool call is invalid JSON",
        conduct="ProtocolError: a call with a gap must never be run",
        answers=_stream(_invalid_in_call),
        streamed=_fails(ProtocolError, retryable=False, received=None),
    ),
    Fault(
        name="no-end-marker",
        number=11,
        title="a whole stream, without the end marker after its finish reason",
        conduct="the whole answer, at once, with its usage",
        answers=_stream(_no_end_marker),
        streamed=Expected(seconds=(0.0, 5.0)),
    ),
    Fault(
        name="context-length",
        number=12,
        title="400: the context is too long",
        conduct="ContextLengthError; the same model is never asked again",
        answers=_refused("context"),
        **_both(_fails(ContextLengthError, retryable=False)),
    ),
    Fault(
        name="content-policy",
        number=13,
        title="400: against the content policy",
        conduct="ContentFilterError with the vendor's reason; no other try",
        answers=_refused("policy"),
        **_both(_fails(ContentFilterError, retryable=False)),
    ),
    Fault(
        name="prefill-refused",
        number=14,
        title="400: an answer that was begun is not continued",
        conduct="RequestRejectedError; no other try of the same request",
        answers=_refused("prefill"),
        **_both(_fails(RequestRejectedError, retryable=False)),
    ),
    Fault(
        name="down-then-well",
        number=15,
        title="nothing listens for a while, then it is healthy",
        conduct="ConnectError after bounded tries; the next call succeeds",
        answers=lambda sample, way: [whole(sample, way)],
        listening="closed",
        **_both(_fails(ConnectError, retryable=True, phase="connect", requests=(0, 0))),
    ),
    Fault(
        name="connect-hangs",
        title="the address takes no connection and does not refuse it",
        conduct="the connect limit holds; ProviderTimeoutError or ConnectError after bounded tries",
        answers=lambda sample, way: [whole(sample, way)],
        timeouts=BRISK,
        listening="full",
        **_both(Expected(errors=(ProviderTimeoutError, ConnectError), phase="connect", requests=(0, 0), seconds=(4.5, 20.0))),
    ),
    Fault(
        name="key-refused",
        title="401: the key is not accepted",
        conduct="AuthenticationError; no other try",
        answers=_refused("key"),
        **_both(_fails(AuthenticationError, retryable=False)),
    ),
    Fault(
        name="forbidden",
        title="403: the key may not do this",
        conduct="PermissionDeniedError; no other try",
        answers=_refused("permission"),
        **_both(_fails(PermissionDeniedError, retryable=False)),
    ),
    Fault(
        name="no-credit",
        title="402: the account is empty",
        conduct="QuotaExceededError; waiting does not help",
        answers=_refused("credit"),
        **_both(_fails(QuotaExceededError, retryable=False)),
    ),
    Fault(
        name="unknown-model",
        title="404: no such model",
        conduct="ModelNotFoundError; no other try",
        answers=_refused("model"),
        **_both(_fails(ModelNotFoundError, retryable=False)),
    ),
    Fault(
        name="error-midway",
        title="after 20 tokens an event says that the vendor is overloaded",
        conduct="OverloadedError with the 20 tokens",
        answers=_stream(_error_inside),
        streamed=_fails(OverloadedError, retryable=True, phase="streaming", received=20),
    ),
    Fault(
        name="error-in-200",
        title="status 200, and in it the vendor's error: overloaded",
        conduct="OverloadedError after bounded tries, as with its own status",
        answers=_error_in_200,
        **_both(_fails(OverloadedError, retryable=True, requests=(2, TRIES))),
    ),
)
