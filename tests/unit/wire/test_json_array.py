from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.wire.json_array import JsonArrayParser

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='a"\\{}[],é\n', max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.lists(st.dictionaries(st.text(alphabet='a"\\{}[]', max_size=8), VALUES, max_size=4), max_size=5),
    st.integers(1, 7),
    st.sampled_from([None, 1]),
)
def test_the_objects_come_out_whatever_the_pieces(objects: list[dict[str, Any]], size: int, indent: int | None) -> None:
    body = json.dumps(objects, indent=indent, ensure_ascii=False).encode()
    parser = JsonArrayParser()
    received = [value for start in range(0, len(body), size) for value in parser.feed(body[start : start + size])]
    assert [json.loads(value) for value in received] == objects
    assert parser.ended


def test_an_object_comes_as_soon_as_it_is_whole() -> None:
    parser = JsonArrayParser()
    assert parser.feed(b'[{"a": 1') == []
    assert parser.feed(b'},\r\n{"b"') == [b'{"a": 1}']
    assert not parser.ended
    assert parser.feed(b": []}\n]\n{") == [b'{"b": []}']
    assert parser.ended


def test_what_it_keeps_is_bounded() -> None:
    parser = JsonArrayParser(max_object_bytes=1000)
    for _ in range(100):
        parser.feed(b'{"a": "' + b"x" * 500 + b'"},' if _ else b"[")
    with pytest.raises(ProtocolError, match="1000"):
        parser.feed(b'{"a": "' + b"x" * 1000)
