from __future__ import annotations

import contextlib
import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.wire.eventstream import EventStreamParser, StreamMessage


def framed(payload: bytes, headers: dict[str, str] | None = None, *, more: bytes = b"") -> bytes:
    """A message as the service writes it."""
    written = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in (headers or {}).items()
    )
    written += more
    prelude = struct.pack(">II", 16 + len(written) + len(payload), len(written))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + written + payload
    return body + struct.pack(">I", zlib.crc32(body))


def test_messages_come_with_their_headers() -> None:
    parser = EventStreamParser()
    headers = {":event-type": "messageStop", ":content-type": "application/json"}
    assert parser.feed(framed(b"{}", headers) + framed(b"")) == [StreamMessage(headers, b"{}"), StreamMessage({}, b"")]
    assert not parser.pending


def test_headers_of_other_kinds_are_passed_over() -> None:
    other = b"\x01a\x00" + b"\x01b\x02\x07" + b"\x01c\x04\x00\x00\x00\x01" + b"\x01d\x06\x00\x02xy" + b"\x01e\x09" + b"u" * 16
    assert EventStreamParser().feed(framed(b"x", {"name": "value"}, more=other)) == [StreamMessage({"name": "value"}, b"x")]


@given(st.lists(st.binary(max_size=40), max_size=5), st.lists(st.integers(0, 400), max_size=8))
def test_any_split_gives_the_same_messages(payloads: list[bytes], cuts: list[int]) -> None:
    body = b"".join(framed(payload, {":event-type": "e"}) for payload in payloads)
    places = sorted({0, len(body), *(cut for cut in cuts if cut < len(body))})
    parser = EventStreamParser()
    found = [message for start, end in itertools.pairwise(places) for message in parser.feed(body[start:end])]
    assert [message.payload for message in found] == payloads
    assert not parser.pending


def test_half_a_message_waits() -> None:
    parser = EventStreamParser()
    assert parser.feed(framed(b"hello")[:-1]) == []
    assert parser.pending


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda body: body[:4] + b"\xff" + body[5:], "checksum of a length"),
        (lambda body: body[:-5] + b"\xff" + body[-4:], "checksum is wrong"),
        (lambda body: b"<html><title>nginx</title></html>", "checksum of a length"),
    ],
)
def test_damage_is_told(damage: object, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        EventStreamParser().feed(damage(framed(b"hello", {"a": "b"})))  # type: ignore[operator]


def test_a_message_too_large_to_hold_is_refused_by_its_length() -> None:
    prelude = struct.pack(">II", 100 * 1024 * 1024, 0)
    with pytest.raises(ProtocolError, match="at most"):
        EventStreamParser().feed(prelude + struct.pack(">I", zlib.crc32(prelude)))


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda headers: framed(b"", more=headers)))
def test_no_bytes_whatever_raise_anything_else(data: bytes) -> None:
    parser = EventStreamParser()
    with contextlib.suppress(ProtocolError):
        assert all(isinstance(message, StreamMessage) for message in parser.feed(data))
