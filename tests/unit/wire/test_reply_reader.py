"""The decoder that authors derive from: two plain methods, and all that every wire must see to is seen to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from parley.contract.errors import OverloadedError, ProtocolError, StreamTruncatedError
from parley.contract.events import Event, ResponseFinished, ResponseStarted, TextDelta, WarningRaised
from parley.contract.http import ResponseHead
from parley.contract.messages import Message
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse
from parley.wire.errors import provider_error
from parley.wire.reply_reader import ReplyReader

REQUEST = ChatRequest(messages=[Message(role="user", content="Hi")])
STREAM = b': ping\n\ndata: {"id": "r-1", "text": "a"}\n\nevent: more\ndata: {"text": "b"}\n\ndata: {"end": true}\n\ndata: [DONE]\n\n'


class Reader(ReplyReader):
    ended = False
    calling = False

    def read(self, value: dict[str, Any], event: str) -> Iterator[Event]:
        yield from self.started(reply_id=value.get("id"), model=value.get("model"))
        if "text" in value:
            yield TextDelta(value["text"])
        if "error" in value:
            raise provider_error(self.head, message=value["error"], provider_code="overloaded")
        self.calling = value.get("call", self.calling)
        self.ended = value.get("end", self.ended)

    def finish(self) -> Iterator[Event]:
        if not self.ended:
            raise StreamTruncatedError("cut")
        yield ResponseFinished(response=ChatResponse(finish_reason="stop"))

    def inside_call(self) -> bool:
        return self.calling


def reader(status: int = 200) -> Reader:
    return Reader(REQUEST, ResponseHead(status=status, provider="acme", headers={"x-request-id": "q-1"}), wire="acme")


@pytest.mark.parametrize("size", [1, 7, len(STREAM)])
def test_a_stream_in_any_pieces_is_the_same_events(size: int) -> None:
    made = reader()
    events = [event for start in range(0, len(STREAM), size) for event in made.feed(STREAM[start : start + size])] + made.close()
    assert events == [
        ResponseStarted(id="r-1", request_id="q-1"),
        TextDelta("a"),
        TextDelta("b"),
        ResponseFinished(response=ChatResponse(finish_reason="stop")),
    ]
    assert not made.is_document


def test_a_document_is_read_by_the_same_method() -> None:
    made = reader()
    events = made.feed(b'{"id": 7, "text": "whole",') + made.feed(b' "end": true}') + made.close()
    assert [type(event) for event in events] == [ResponseStarted, TextDelta, ResponseFinished]
    assert made.is_document


def test_what_came_before_an_error_is_delivered_before_it() -> None:
    made = reader()
    assert made.feed(b'data: {"text": "a", "error": "Busy."}\n\n')[1:] == [TextDelta("a")]
    with pytest.raises(OverloadedError, match="Busy"):
        made.feed(b"")


def test_a_stream_without_its_end_is_cut() -> None:
    made = reader()
    made.feed(b'data: {"text": "a"}\n\n')
    with pytest.raises(StreamTruncatedError):
        made.close()


def test_a_broken_event_is_a_warning_and_inside_a_call_an_error() -> None:
    made = reader()
    [warning] = made.feed(b"data: {broken\n\n")
    assert isinstance(warning, WarningRaised)
    made.feed(b'data: {"call": true}\n\n')
    with pytest.raises(ProtocolError):
        made.feed(b"data: {broken\n\n")


def test_a_web_page_is_told() -> None:
    made = reader()
    made.feed(b"<html><title>Welcome</title></html>")
    with pytest.raises(ProtocolError, match="Welcome"):
        made.close()


class TakenNames(Reader):
    """Its author calls his attributes what he likes, among them what the base has of its own."""

    def __init__(self) -> None:
        super().__init__(REQUEST, ResponseHead(status=200, provider="acme"), wire="acme")
        self._head = self._parser = self._document = self._json = self._started = self._ended = self._failure = "mine"
        self._decoder = self._reader = self._beginning = self._wire = self._strict = "mine"

    def _read(self) -> None:
        raise AssertionError("the base called a method of the author's that only happens to be called so")

    _finish = _inside_call = _take = _start = _own = _read


@pytest.mark.parametrize(
    "body",
    [
        STREAM,
        b'{"id": "r-1", "text": "a"}\n{"text": "b"}\n{"end": true}\n',
        b'{"id": "r-1", "text": "a"}\r\n{"text": "b", "new": [1]}\r\n{"end": true}',
        b'{"id": "r-1", "text": "ab", "end": true}\n',
        b'{\n "id": "r-1",\n "text": "ab",\n "end": true\n}\n',
    ],
    ids=["events", "lines", "lines without the last end", "one line", "a printed document"],
)
def test_any_framing_is_read_whatever_the_author_calls_his_own(body: bytes) -> None:
    for size in (1, len(body)):
        made = TakenNames()
        events = [event for start in range(0, len(body), size) for event in made.feed(body[start : start + size])] + made.close()
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "ab"
        assert isinstance(events[-1], ResponseFinished)
    assert (made.own({"a": 1}).wire, made.own({"a": 1}).provider) == ("acme", "acme")


def test_lines_that_are_cut_are_no_whole_answer() -> None:
    for cut in (b'{"text": "a"}\n{"en', b'{"text": "a"}\n', b'{\n "text": "a",'):
        made = reader()
        made.feed(cut)
        with pytest.raises(StreamTruncatedError):
            made.close()
