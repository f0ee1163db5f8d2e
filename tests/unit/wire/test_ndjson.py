from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.wire.ndjson import JsonLinesParser


def parse(*pieces: bytes) -> list[bytes]:
    parser = JsonLinesParser()
    return [line for piece in pieces for line in parser.feed(piece)] + parser.close()


def test_lines_come_without_their_ends_and_blank_ones_not_at_all() -> None:
    assert parse(b'{"a":1}\r\n\n  \n{"b"', b":2}\n{}") == [b'{"a":1}', b'{"b":2}', b"{}"]


@pytest.mark.parametrize("size", [1, 1000])
def test_a_line_over_the_bound_is_refused(size: int) -> None:
    parser = JsonLinesParser(max_line_bytes=10)
    body = b"x" * 11 + b"\n"
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    with pytest.raises(ProtocolError, match="more than 10 bytes"):
        list(map(parser.feed, pieces))


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=200))
def test_any_split_gives_the_same_lines(body: bytes, cut: int) -> None:
    assert parse(body[:cut], body[cut:]) == parse(body)
