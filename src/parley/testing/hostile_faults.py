"""What no vendor should send, and a broken or hostile one does: without end, without bound, or no answer at all."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import structs

from parley.contract.errors import ConnectionLostError, ProtocolError, ProviderTimeoutError, StreamTruncatedError
from parley.testing.fault_bodies import deep_document
from parley.testing.fault_trials import (
    BRISK,
    PATIENT,
    TRIES,
    WORDS,
    Expected,
    Fault,
    NotExpressible,
    Way,
    bodies,
    refuse_checksums,
    text_events,
    whole,
)
from parley.testing.replay import Answer
from parley.testing.samples import Sample

_Answers = Callable[[Sample, Way], Sequence[Answer]]
FOR_EVER = 10**9
MEGABYTE = 1024 * 1024
GIGABYTE = 1024 * MEGABYTE
_A_WHILE = (0.0, 300.0)
"""What takes work takes a few real seconds, on whatever machine."""
_BUSY = structs.replace(PATIENT, first_token=PATIENT.total)
"""So that memory, and not a timer, ends who keeps everything."""


def _hostile(name: str, title: str, conduct: str, answers: _Answers, **rest: Any) -> Fault:
    return Fault(name=name, title=title, conduct=conduct, answers=answers, hostile=True, **rest)


_PROTOCOL_ERROR = Expected(errors=(ProtocolError,), retryable=False, received=None, seconds=_A_WHILE)


def _protocol_error(**expected: Any) -> Expected:
    return structs.replace(_PROTOCOL_ERROR, **expected)


def _endless(sample: Sample, body: bytes) -> Sequence[Answer]:
    opening = b"".join(sample.text_events[: sample.lead_events])
    return [Answer(headers=sample.stream_headers, opening=opening, body=body, streamed=True, repeat=FOR_EVER)]


def _endless_text(sample: Sample, way: Way) -> Sequence[Answer]:
    if way == "complete":
        opening = bodies(sample).document_opening
        return [Answer(headers=sample.complete_headers, opening=opening, body=b"word " * 20_000, streamed=True, repeat=FOR_EVER)]
    try:
        return _endless(sample, bodies(sample).text_event("word " * 13_000))
    except NotExpressible:
        return _endless(sample, b"".join(text_events(sample)))


def _endless_comments(sample: Sample, _way: Way) -> Sequence[Answer]:
    if b"data:" not in sample.text_events[0]:
        raise NotExpressible(f"the wire {sample.wire} is no event stream and has no comments")
    return _endless(sample, b": ping\n\n" * 500)


def _one_event(beginning: bytes, size: int = GIGABYTE) -> _Answers:
    """An event of this size, in one line that never ends."""

    def answers(sample: Sample, _way: Way) -> Sequence[Answer]:
        opening = b"".join(sample.text_events[: sample.lead_events]) + beginning
        return [Answer(headers=sample.stream_headers, opening=opening, body=b"x" * MEGABYTE, streamed=True, repeat=size // MEGABYTE)]

    return answers


def _invalid_utf8(sample: Sample, way: Way) -> Sequence[Answer]:
    if way == "complete":
        return [structs.replace(whole(sample, way), body=_spoilt(sample.text_complete))]
    refuse_checksums(sample)
    if len(text_events(sample)) < 4:
        raise NotExpressible("a text that is known is needed, to spoil a letter of it")
    events = list(sample.text_events)
    place = sample.lead_events + 2
    events[place] = _spoilt(events[place])
    return [sample.stream_of(events)]


def _spoilt(body: bytes) -> bytes:
    if (word := WORDS[2].strip().encode()) not in body:
        raise NotExpressible("a text that is known is needed, to spoil a letter of it")
    return body.replace(word, b"\xff\xfe")


def _nothing(**changes: Any) -> _Answers:
    """The head, and no body."""
    return lambda sample, way: [structs.replace(whole(sample, way), send_bytes=0, **changes)]


def _page(_sample: Sample, _way: Way) -> Sequence[Answer]:
    return [Answer(headers={"content-type": "text/html"}, body=b"<!doctype html><html><title>Welcome</title><h1>It works</h1></html>")]


def _bytewise(body: bytes) -> list[bytes]:
    return [body[place : place + 1] for place in range(len(body))]


def _drip(sample: Sample, _way: Way) -> Sequence[Answer]:
    return [sample.streamed(gap_seconds=2.0, pieces=_bytewise)]


def _slow(sample: Sample, _way: Way) -> Sequence[Answer]:
    """In ten parts, each within the idle limit of the one before."""
    events = sample.text_events
    if len(events) < 10:
        raise NotExpressible(f"a streamed answer of the wire {sample.wire} with ten events or more is needed; record a longer one")
    sizes = [len(b"".join(events[len(events) * tenth // 10 : len(events) * (tenth + 1) // 10])) for tenth in range(10)]
    return [sample.streamed(gap_seconds=4.0, pieces=sizes)]


def _end_twice(sample: Sample, _way: Way) -> Sequence[Answer]:
    again = bodies(sample).end_again
    if not again:
        raise NotExpressible(f"the wire {sample.wire} has no end marker beside its finish reason")
    return [sample.stream_of([*sample.text_events, again, again])]


def _trailing(sample: Sample, way: Way) -> Sequence[Answer]:
    answer = whole(sample, way)
    return [structs.replace(answer, body=answer.body + b"\x00\xff <garbage> \r\n\r\n: more\n\n")]


def _call_flood(sample: Sample, way: Way) -> Sequence[Answer]:
    wire = bodies(sample)
    if way == "complete":
        return [Answer(headers=sample.complete_headers, body=wire.calls_document(5_000))]
    opening = b"".join(sample.text_events[: sample.lead_events])
    body = wire.call_event * 1000
    return [Answer(headers=sample.stream_headers, opening=opening, body=body, streamed=True, repeat=1000)]


def _deep(sample: Sample, way: Way) -> Sequence[Answer]:
    document = deep_document()
    if way == "complete":
        return [Answer(headers=sample.complete_headers, body=document)]
    if b"data:" not in sample.text_events[0]:
        return [sample.stream_of([*sample.text_events[: sample.lead_events], document + b"\n"])]
    return [sample.stream_of([*sample.text_events[: sample.lead_events], b"data: " + document + b"\n\n"])]


def _encoded(sample: Sample, way: Way) -> Sequence[Answer]:
    answer = whole(sample, way)
    garbage = bytes(255 - byte for byte in answer.body)
    return [structs.replace(answer, headers=answer.headers | {"content-encoding": "x-unheard-of"}, body=garbage)]


def _gzip_bomb(sample: Sample, way: Way) -> Sequence[Answer]:
    """A hundred kilobytes that unpack to a hundred megabytes."""
    answer = whole(sample, way)
    packed = gzip.compress(b" " * (10 * MEGABYTE), 9) * 10
    return [structs.replace(answer, headers=answer.headers | {"content-encoding": "gzip"}, body=packed)]


def _too_short(sample: Sample, way: Way) -> Sequence[Answer]:
    """A length that ends in the middle of the answer, whose rest comes nevertheless."""
    answer = whole(sample, way)
    headers = answer.headers | {"content-length": str(len(answer.body) // 2)}
    return [structs.replace(answer, headers=headers, streamed=False, framed=False)]


def _too_long(sample: Sample, way: Way) -> Sequence[Answer]:
    """A length that the whole answer does not fill; then silence."""
    answer = whole(sample, way)
    headers = answer.headers | {"content-length": str(len(answer.body) + 10)}
    return [structs.replace(answer, headers=headers, streamed=False, framed=False, ending="stall")]


def _raw(head: bytes, *, size: int = 0) -> _Answers:
    """These bytes instead of a head, repeated up to a size."""
    answer = Answer(interim_heads=head * max(1, size // len(head)), silent_before_head=True, ending="close")
    return lambda _sample, _way: [answer]


def _redirect(_sample: Sample, _way: Way) -> Sequence[Answer]:
    return [Answer(status=307, headers={"location": "/v1/elsewhere", "content-type": "text/plain"}, body=b"over there")]


_TRIED = (1, TRIES)

HOSTILE_FAULTS: Sequence[Fault] = (
    _hostile(
        "endless-text",
        "text without end",
        "ProtocolError at a bound, or the total limit; memory stays bounded",
        _endless_text,
        timeouts=structs.replace(PATIENT, total=200.0),
        streamed=_protocol_error(errors=(ProtocolError, ProviderTimeoutError), phase="streaming"),
        complete=_protocol_error(errors=(ProtocolError, ProviderTimeoutError), phase="complete"),
    ),
    _hostile(
        "endless-comments",
        "comments without end, and never a token",
        "comments are no content: ProviderTimeoutError at the first-token limit",
        _endless_comments,
        timeouts=BRISK,
        streamed=_protocol_error(errors=(ProviderTimeoutError,), phase="first_token", seconds=(10.0, 15.0)),
    ),
    _hostile(
        "huge-event",
        "one event of a gigabyte",
        "ProtocolError long before it is whole",
        _one_event(b'data: {"text":"'),
        timeouts=_BUSY,
        streamed=_protocol_error(received=0, phase="first_token"),
    ),
    _hostile(
        "no-newline",
        "a gigabyte without a line's end",
        "ProtocolError long before",
        _one_event(b""),
        timeouts=_BUSY,
        streamed=_protocol_error(received=0),
    ),
    _hostile(
        "invalid-utf8",
        "bytes that are no UTF-8 in the text",
        "in a stream skip that event with a warning; a document that cannot be read is ProtocolError",
        _invalid_utf8,
        streamed=Expected(lacking=(2,), warning="invalid_event"),
        complete=_protocol_error(),
    ),
    _hostile(
        "empty-answer",
        "status 200 and an empty body",
        "an error after bounded tries; never an empty success",
        lambda sample, way: [structs.replace(whole(sample, way), body=b"")],
        streamed=_protocol_error(retryable=None, requests=_TRIED, received=0),
        complete=_protocol_error(retryable=None, requests=_TRIED, received=0),
    ),
    _hostile(
        "closes-early",
        "the connection is closed after the headers",
        "an error after bounded tries",
        _nothing(ending="close"),
        streamed=_protocol_error(errors=(StreamTruncatedError, ConnectionLostError), retryable=True, requests=_TRIED, received=0),
        complete=_protocol_error(errors=(StreamTruncatedError, ConnectionLostError), retryable=True, requests=_TRIED, received=0),
    ),
    _hostile(
        "web-page",
        "status 200 and a web page",
        "ProtocolError that says so; no other try",
        _page,
        streamed=_protocol_error(received=0),
        complete=_protocol_error(received=0),
    ),
    _hostile(
        "drip",
        "a byte every two seconds",
        "bytes are no content: ProviderTimeoutError at the first-token limit",
        _drip,
        timeouts=BRISK,
        streamed=_protocol_error(errors=(ProviderTimeoutError,), phase="first_token", received=0, seconds=(10.0, 11.0)),
    ),
    _hostile(
        "slow-but-steady",
        "a few tokens every four seconds, where ten are allowed between them",
        "wait: the whole answer",
        _slow,
        timeouts=structs.replace(BRISK, total=900.0),
        streamed=Expected(seconds=(35.0, 60.0)),
    ),
    _hostile("end-twice", "the end marker three times", "one answer, ended once", _end_twice, streamed=Expected()),
    _hostile(
        "trailing-garbage",
        "garbage after the end",
        "after a stream's own end it changes nothing; a document with it is ProtocolError",
        _trailing,
        streamed=Expected(),
        complete=_protocol_error(received=0),
    ),
    _hostile(
        "tool-call-flood",
        "a million tool calls",
        "ProtocolError at a bound",
        _call_flood,
        streamed=_protocol_error(),
        complete=_protocol_error(),
    ),
    _hostile(
        "deep-json",
        "JSON nested a hundred thousand times",
        "ProtocolError; the process lives",
        _deep,
        streamed=_protocol_error(received=0, phase="first_token"),
        complete=_protocol_error(received=0),
    ),
    _hostile(
        "unknown-encoding",
        "compressed in a way that nobody asked for",
        "a typed error",
        _encoded,
        streamed=_protocol_error(retryable=None, requests=_TRIED, received=0),
        complete=_protocol_error(retryable=None, requests=_TRIED, received=0),
    ),
    _hostile(
        "gzip-bomb",
        "a hundred kilobytes that unpack to a hundred megabytes",
        "ProtocolError at a bound; memory stays bounded",
        _gzip_bomb,
        streamed=_protocol_error(retryable=None, requests=_TRIED),
        complete=_protocol_error(),
    ),
    _hostile(
        "length-too-short",
        "a content-length that ends in the middle of the answer",
        "an error; never a success",
        _too_short,
        streamed=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED),
        complete=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED),
    ),
    _hostile(
        "length-too-long",
        "a content-length that the answer does not fill, then silence",
        "the total limit holds; ProviderTimeoutError",
        _too_long,
        timeouts=BRISK,
        complete=_protocol_error(errors=(ProviderTimeoutError,), phase="complete", received=0, seconds=(40.0, 41.0)),
    ),
    _hostile(
        "header-bomb",
        "a header of ten megabytes",
        "ProtocolError; the header is not kept",
        _raw(b"HTTP/1.1 200 OK\r\nx-bomb: " + b"x" * 10 * MEGABYTE + b"\r\n\r\n"),
        streamed=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
        complete=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
    ),
    _hostile(
        "header-flood",
        "two hundred thousand headers",
        "a typed error, or the answer that follows; memory stays bounded",
        _raw(b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: y\r\n" % number for number in range(200_000)) + b"\r\n"),
        streamed=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
        complete=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
    ),
    _hostile(
        "redirect",
        "a redirect to another address",
        "ProtocolError; it is never followed, for it would carry the key along",
        _redirect,
        streamed=_protocol_error(received=0),
        complete=_protocol_error(received=0),
    ),
    _hostile(
        "not-http",
        "something that is no HTTP",
        "ProtocolError",
        _raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
        streamed=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
        complete=_protocol_error(errors=(ProtocolError, ConnectionLostError), retryable=None, requests=_TRIED, received=0),
    ),
)
