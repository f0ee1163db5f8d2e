from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.wire.sse import SseEvent, SseParser


def parse(*pieces: bytes) -> list[SseEvent]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.close()


def message(data: bytes) -> SseEvent:
    return SseEvent("message", data)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end_of_the_standard_ends_a_line(end: bytes) -> None:
    assert parse(b"event: ping" + end + b"data: one" + end + end + b"data: two" + end + end) == [SseEvent("ping", b"one"), message(b"two")]


def test_a_carriage_return_and_its_line_feed_may_come_apart() -> None:
    assert parse(b"data: one\r", b"\n\r", b"\ndata: two\r", b"\n\r\n") == [message(b"one"), message(b"two")]


def test_data_of_several_lines_is_joined_and_only_one_space_is_taken() -> None:
    assert parse(b"data:  a\ndata\ndata:b\n\n") == [message(b" a\n\nb")]


def test_comments_unknown_fields_ids_and_a_byte_order_mark_are_not_events() -> None:
    assert parse(b"\xef\xbb\xbfdata: x\n: keep-alive\nid: 7\nretry: 10\nfoo: bar\n\n: more\n\n") == [message(b"x")]


def test_an_event_without_data_is_none_and_its_name_is_forgotten() -> None:
    assert parse(b"event: ping\n\ndata: x\n\n") == [message(b"x")]


def test_an_error_line_is_an_event_of_its_own() -> None:
    assert parse(b'data: a\nerror: {"detail":1}\n\ndata: b\n\n') == [message(b"a"), SseEvent("error", b'{"detail":1}'), message(b"b")]


def test_a_bare_line_of_json_is_an_event_without_a_name() -> None:
    assert parse(b'{"error": "x"}\n\n') == [SseEvent("", b'{"error": "x"}')]


def test_the_last_event_counts_without_its_blank_line() -> None:
    assert parse(b"data: [DONE]") == [message(b"[DONE]")]


def test_what_is_no_event_stream_is_kept_to_be_named() -> None:
    parser = SseParser()
    assert parser.feed(b"upstream connect error\nreset\n") == []
    assert parser.ignored == b"upstream connect error\nreset\n"
    parser.feed(b"x\n" * 10_000)
    assert len(parser.ignored) < 5000


@pytest.mark.parametrize("body", [b"data: " + b"x" * 200, b"data: xxxxxxxx\n" * 20, b"event: " + b"x" * 200])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_an_event_over_the_bound_is_refused_in_any_pieces(body: bytes, size: int) -> None:
    parser = SseParser(max_event_bytes=100)
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        list(map(parser.feed, pieces))


def test_a_hundred_small_events_are_no_large_one() -> None:
    parser = SseParser(max_event_bytes=100)
    assert len(parser.feed(b"data: xxxxxxxxxx\n\n" * 100)) == 100


@given(
    st.lists(
        st.sampled_from([b"data: a", b"data:b", b"event: e", b": c", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b"error: x", b"{", b"id"])
    ),
    st.lists(st.integers(min_value=0, max_value=80), max_size=8),
)
def test_any_split_gives_the_same_events(tokens: list[bytes], cuts: list[int]) -> None:
    body = b"".join(tokens)
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    assert parse(*[body[start:end] for start, end in pairwise(edges)]) == parse(body)


@given(st.binary(max_size=400))
def test_hostile_bytes_never_crash_the_parser(body: bytes) -> None:
    assert parse(body) == parse(*[body[position : position + 1] for position in range(len(body))])
