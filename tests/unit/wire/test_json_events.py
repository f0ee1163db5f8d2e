from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.contract.errors import ProtocolError
from parley.contract.events import WarningRaised
from parley.wire.json_events import MAX_INVALID_EVENTS, JsonEvents, decode_object, is_cut

BROKEN = [b"", b"{", b"[1]", b'"text"', b"null", b'{"a":1} x', b'{"a":"\xff"}', b"<html>", b'{"a":tru}']


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_event_is_skipped_with_a_warning(data: bytes) -> None:
    warning = JsonEvents().decode(data)
    assert isinstance(warning, WarningRaised)
    assert warning.incomplete
    assert warning.warning.code == "invalid_event"


def test_the_fourth_broken_event_ends_the_reply() -> None:
    events = JsonEvents()
    for _ in range(MAX_INVALID_EVENTS):
        events.decode(b"{")
    assert events.decode(b'{"a":1}') == {"a": 1}
    with pytest.raises(ProtocolError, match="more than 3"):
        events.decode(b"{")


def test_inside_a_tool_call_the_first_broken_event_ends_the_reply() -> None:
    with pytest.raises(ProtocolError, match="tool call"):
        JsonEvents().decode(b"{", strict=True)


@pytest.mark.parametrize("data", [b'{"a":' * 100_000, b"[" * 100_000, b'{"a":NaN,"b":' + b"[" * 100_000])
def test_json_that_is_nested_too_deeply_is_refused_and_does_not_crash(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="nested"):
        decode_object(data)


def test_what_python_servers_write_is_read() -> None:
    assert decode_object(b'{"logprob": NaN, "b": -Infinity}') == {"logprob": None, "b": None}
    assert decode_object(b'{"half": "\\ud83d!"}') == {"half": "\N{REPLACEMENT CHARACTER}!"}
    assert decode_object('{"whole": "\N{ROCKET}"}'.encode()) == {"whole": "\N{ROCKET}"}


@given(st.binary(max_size=100))
def test_hostile_bytes_are_an_object_or_none(data: bytes) -> None:
    value = decode_object(data)
    assert value is None or isinstance(value, dict)


@given(st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)), st.data())
def test_json_is_cut_anywhere_before_its_end_and_nowhere_else(value: Any, data: st.DataObject) -> None:
    text = json.dumps({"a": value}).encode()
    assert not is_cut(text)
    assert not is_cut(text + b"}")
    assert is_cut(text[: data.draw(st.integers(1, len(text) - 1))])
