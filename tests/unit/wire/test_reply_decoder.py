"""What holds on every wire whatever the server in between does to a reply: other framing, noise, cuts, and fields of other shapes."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from parley.contract.codec import Codec
from parley.contract.errors import ParleyError, PermissionDeniedError, ProtocolError, StreamTruncatedError
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.testing.recordings import find_recordings, load_recording
from parley.wire.anthropic_messages import AnthropicMessages
from parley.wire.gemini_generate import GeminiGenerate
from parley.wire.json_values import list_of, object_of
from parley.wire.openai_chat import OpenAIChat
from parley.wire.sse import SseEvent, SseParser

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
HEAD = ResponseHead(status=200, headers={}, provider="acme", model="m")
CODECS: dict[str, Codec] = {"openai-chat": OpenAIChat(), "anthropic": AnthropicMessages(), "gemini": GeminiGenerate()}
MAX_BYTES = 24 * 1024
NOISE = [b"{}", b'{"type":"ping"}', b'{"type":"not_yet_invented","a":{"b":[1]}}', b'{"choices":[]}']
ODD_VALUES: list[Any] = [None, "x", "", 7, -1, 1.5, True, [], {}, ["a"], {"a": 1}, [None], [[]], [{}]]


def _replies(*, streamed: bool) -> list[Any]:
    """Small recorded replies that end well. A stream of two messages is left out: cut between them, it is whole."""
    found: list[Any] = []
    for path in find_recordings():
        recording = load_recording(path)
        is_chat = recording.wire_family in CODECS and recording.kind not in {"count_tokens", "embeddings", "models", "error-stream"}
        is_small = len(recording.body) <= MAX_BYTES and recording.body.count(b'"message_start"') < 2
        if is_chat and is_small and recording.status == 200 and recording.streaming is streamed:
            found.append(pytest.param(CODECS[recording.wire_family], recording.body, id=recording.file))
    return found or [pytest.param(None, b"", marks=pytest.mark.skip(reason="the recordings are not here (PARLEY_RECORDINGS)"))]


STREAMS, DOCUMENTS = _replies(streamed=True), _replies(streamed=False)


def _events_of(body: bytes) -> list[SseEvent]:
    parser = SseParser()
    return parser.feed(body) + parser.close()


def _written(events: list[SseEvent], *, end: bytes = b"\n", noise: bytes = b"", lines: bool = False) -> bytes:
    written = b""
    for event in events:
        data = event.data
        if lines and data.startswith(b"{"):
            data = json.dumps(json.loads(data), indent=1).encode()
        name = b"" if event.event == "message" else b"event: " + event.event.encode() + end
        written += noise + name + b"".join(b"data: " + line + end for line in data.split(b"\n")) + end
    return written


@pytest.mark.parametrize(("codec", "body"), STREAMS)
def test_framing_and_noise_change_nothing(codec: Codec, body: bytes, decode: Any, fold: Any) -> None:
    events = _events_of(body)
    expected = fold(decode(codec, HEAD, [body])[0])
    variants = [_written(events, end=end) for end in (b"\n", b"\r", b"\r\n")]
    variants += [b"\xef\xbb\xbf" + variants[0], b"\n\n: hello\n\n" + variants[0] + b"\n  \n: bye\n\n", _written(events, lines=True)]
    variants += [_written(events, noise=b": keep-alive\n\nid: 7\nretry: 10\nunheard: of\n\n")]
    variants += [_written([SseEvent(event.event, b" " + event.data + b" \t") for event in events], noise=b"data: \n\ndata:  \n\n")]
    variants += [_written(events, noise=b"data: " + noise + b"\n\n") for noise in NOISE]
    variants += [b"".join(b"data: data: " + event.data + b"\n\n" for event in events)]
    variants += [b"".join(b"data: " + event.data + b"\n" for event in events)]
    variants += [b"\r\n".join(event.data if event.data.startswith(b"{") else b"data: " + event.data for event in events)]
    for variant in variants:
        received, error = decode(codec, HEAD, [variant])
        assert error is None
        assert fold(received) == expected


@pytest.mark.parametrize(("codec", "body"), STREAMS)
def test_a_cut_stream_is_whole_or_truncated(codec: Codec, body: bytes, decode: Any, fold: Any) -> None:
    whole = fold(decode(codec, HEAD, [body])[0])
    events = _events_of(body)
    chance = random.Random(len(body))
    ends = {len(_written(events[:count])) for count in chance.sample(range(len(events)), min(6, len(events)))}
    text = _written(events)
    for end in sorted(ends | {chance.randrange(8, len(text)) for _ in range(8)} | {len(text) - 2, len(text) - 5}):
        received, error = decode(codec, HEAD, [text[:end]])
        if error is None:
            part = fold(received)
            assert (part.parts, part.refusal, part.warnings) == (whole.parts, whole.refusal, whole.warnings)
        else:
            assert isinstance(error, StreamTruncatedError)


@pytest.mark.parametrize(("codec", "body"), DOCUMENTS)
def test_a_cut_document_is_truncated(codec: Codec, body: bytes, decode: Any) -> None:
    body = body.rstrip()
    closers = [found.end() for found in re.finditer(rb"[}\]\"]", body[:-1])]
    chance = random.Random(len(body))
    for end in [1, 2, len(body) - 1, *chance.sample(closers, min(12, len(closers))), *(chance.randrange(1, len(body)) for _ in range(6))]:
        assert isinstance(decode(codec, HEAD, [body[:end]])[1], StreamTruncatedError)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("body", [b'{"a":1}}', b"{a}", b'{"a" 1}', b"[1,,]", b"<html><title>Oops</title></html>"])
def test_a_document_that_is_broken_but_not_cut_is_no_truncated_one(codec: Codec, body: bytes, decode: Any) -> None:
    error = decode(codec, HEAD, [body])[1]
    assert isinstance(error, ProtocolError)
    assert not isinstance(error, StreamTruncatedError)


@pytest.mark.parametrize(("codec", "body"), STREAMS)
def test_events_that_were_run_together_come_as_they_are_sent(codec: Codec, body: bytes, decode: Any, fold: Any) -> None:
    """Without blank lines, or as bare lines of JSON: nothing waits for the end, where a cut would take it away."""
    events = [event for event in _events_of(body) if event.data.startswith(b"{")]
    half = [*events[: len(events) // 2], SseEvent("message", b"{}"), SseEvent("message", b"{}")]
    expected = fold(decode(codec, HEAD, [_written(half)])[0])
    for prefix in (b"data: ", b""):
        written = b"".join(prefix + event.data + b"\n" for event in half)
        decoder = codec.decoder(REQUEST, HEAD)
        received = [event for position in range(len(written)) for event in decoder.feed(written[position : position + 1])]
        assert fold(received).reply.text == expected.reply.text


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (301, b"", ProtocolError, "empty body"),
        (200, b"<html><title>Sign in</title></html>", ProtocolError, "Sign in"),
        (403, b'{"message":"no entry"}', PermissionDeniedError, "no entry"),
        (403, b'{"detail":"no entry"}', PermissionDeniedError, "no entry"),
        (403, b'{"error":"no entry"}', PermissionDeniedError, "no entry"),
        (403, b'[{"error":{"message":"no entry"}}]', PermissionDeniedError, "no entry"),
        (403, b"no entry", PermissionDeniedError, "no entry"),
    ],
)
def test_an_error_body_of_any_shape_says_what_went_wrong(
    codec: Codec, status: int, body: bytes, expected: type[ParleyError], words: str
) -> None:
    error = codec.decode_error(ResponseHead(status=status, headers={}, provider="acme", model="m"), body)
    assert type(error) is expected
    assert words in error.message
    assert body.startswith(b"<") or "{" not in error.message


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key, inner in [*object_of(value).items(), *enumerate(list_of(value))]:
        yield (*path, key)
        yield from _paths(inner, (*path, key))


def _with(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    changed = copy.deepcopy(value)
    holder = changed
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = odd
    return changed


@pytest.mark.parametrize(("codec", "body"), STREAMS + DOCUMENTS)
def test_a_field_of_another_shape_is_read_as_absent_or_a_typed_error(codec: Codec, body: bytes, decode: Any) -> None:
    """`decode` lets anything through that is no ParleyError, which fails the test."""
    chance = random.Random(len(body))
    is_document = body.lstrip()[:1] in {b"{", b"["}
    texts = [body] if is_document else [event.data for event in _events_of(body)]
    values = [json.loads(text) if text != b"[DONE]" else None for text in texts]
    for _ in range(25):
        position = chance.randrange(len(values))
        paths = list(_paths(values[position]))
        if not paths:
            continue
        odd = json.dumps(_with(values[position], chance.choice(paths), chance.choice(ODD_VALUES))).encode()
        changed = [odd if index == position else text for index, text in enumerate(texts)]
        decode(codec, HEAD, changed if is_document else [_written([SseEvent("message", data) for data in changed])])
