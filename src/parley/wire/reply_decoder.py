"""Reads a reply that is either server-sent events or one JSON document, told apart by its first byte, and hands out its objects.
Knows no vendor's fields: a wire says what an object means and what makes a reply whole.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

from parley.contract.errors import ParleyError, ProtocolError, StreamTruncatedError
from parley.contract.events import Event, ResponseStarted, WarningRaised
from parley.contract.http import ResponseHead
from parley.contract.messages import ProviderData
from parley.contract.request import ChatRequest
from parley.wire.errors import plain_words, provider_error, request_id
from parley.wire.json_array import JsonArrayParser
from parley.wire.json_events import JsonEvents, decode_json, is_cut
from parley.wire.json_values import list_of, object_of
from parley.wire.rate_limits import rate_limits
from parley.wire.sse import SseEvent, SseParser

MAX_DOCUMENT_BYTES = 64 * 1024 * 1024
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NO_OBJECTS = frozenset({b"", b"[DONE]", b'"[DONE]"'})
_CUT = "the provider's reply ended in the middle of its JSON"
_BETWEEN_OBJECTS = re.compile(rb"\}\r?\n\{")
_BETWEEN_BYTES = 3


class ReplyDecoder(ABC):
    """Derive a wire's decoder from this: write `_read` (one object) and `_finish` (the end).

    The first byte decides, not the content type: recordings have none at all, or "text/event-stream" over a JSON document. A wire with
    another framing overrides `_take` and `_take_rest`. An error that follows events of the same piece is raised with the next call, so
    that any split of the bytes delivers the same events before it.
    """

    streams_arrays = False
    """Whether a JSON array is a stream on this wire, read object by object."""

    def __init__(self, request: ChatRequest, head: ResponseHead, *, wire: str) -> None:
        self._head = head
        self._wire = wire
        self._strict = request.options.response_format is not None and request.options.response_format != "text"
        self._json = JsonEvents()
        self._parser: SseParser | None = None
        self._document: bytearray | None = None
        self._array: JsonArrayParser | None = None
        self._beginning = b""
        self._started = False
        self._ended = False
        self._failure: ParleyError | None = None

    @abstractmethod
    def _read(self, value: dict[str, Any], name: str, events: list[Event]) -> None:
        """Append the events of one object; `name` is its SSE event type ("" in a document). Raises the error that it stands for."""

    @abstractmethod
    def _finish(self, events: list[Event]) -> None:
        """Append the last events. Raises StreamTruncatedError where the reply is not whole."""

    def _inside_call(self) -> bool:
        """Whether a lost object would corrupt a tool call."""
        return False

    def feed(self, data: bytes) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        try:
            self._take(data, events)
        except ParleyError as error:
            if not events:
                raise
            self._failure = error
        return events

    def close(self) -> list[Event]:
        """See parley.contract.codec.Decoder."""
        if self._failure is not None:
            raise self._failure
        events: list[Event] = []
        if not self._ended:
            self._take_rest(events)
            self._end(events)
        return events

    def _end(self, events: list[Event]) -> None:
        """The reply is over: at the end of the bytes, or where the wire's own mark says so and nothing can follow."""
        if not self._ended:
            self._finish(events)
            self._ended = True

    def _take(self, data: bytes, events: list[Event]) -> None:
        if self._parser is not None:
            for event in self._parser.feed(data):
                self._read_event(event, events)
        elif self._array is not None:
            for item in self._array.feed(data):
                self._read_event(SseEvent("", item), events)
        elif self._document is not None:
            known = len(self._document)
            self._document += data
            if len(self._document) > MAX_DOCUMENT_BYTES:
                self._document.clear()
                raise ProtocolError(f"the provider sent a reply of more than {MAX_DOCUMENT_BYTES} bytes")
            if _BETWEEN_OBJECTS.search(self._document, max(0, known - _BETWEEN_BYTES)):
                self._take_lines(events)
        else:
            self._choose(self._beginning + data, events)

    def _choose(self, beginning: bytes, events: list[Event]) -> None:
        beginning = beginning.lstrip()
        if _BYTE_ORDER_MARK.startswith(beginning):
            self._beginning = beginning
            return
        beginning = beginning.removeprefix(_BYTE_ORDER_MARK)
        if beginning[:1] == b"[" and self.streams_arrays:
            self._array = JsonArrayParser()
        elif beginning[:1] in {b"{", b"[", b"<"}:
            self._document = bytearray()
        else:
            self._parser = SseParser()
        self._take(beginning, events)

    def _take_lines(self, events: list[Event]) -> None:
        """No document after all but JSON lines: a stream of bare objects, which the event parser takes one by one."""
        body, self._document = bytes(self._document or b""), None
        self._parser = SseParser()
        self._take(body, events)

    def _take_rest(self, events: list[Event]) -> None:
        """An event that the end of the stream cut in half is no invalid event: the reply was cut, unless it had ended before."""
        if self._parser is not None:
            for event in self._parser.close():
                if event.event == "error" or not is_cut(event.data):
                    self._read_event(event, events)
        elif self._array is not None:
            if not self._array.ended:
                raise StreamTruncatedError(_CUT)
        elif self._document is not None:
            self._read_document(bytes(self._document), events)

    def _read_event(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        if data[:1] != b"{" and data.strip() in _NO_OBJECTS:
            return
        if event.event == "error" and not data.lstrip().startswith(b"{"):
            words = decode_json(data)
            raise provider_error(self._head, message=words[:1000] if isinstance(words, str) else data[:1000].decode("utf-8", "replace"))
        if data.startswith(b"data:"):
            # A proxy took the events that it passed on for mere text.
            self._read_event(SseEvent(event.event, data.removeprefix(b"data:").strip()), events)
            return
        value = self._json.decode(data, strict=self._strict or self._inside_call())
        if isinstance(value, WarningRaised):
            events.append(value)
        else:
            self._read(value, event.event, events)

    def _read_document(self, body: bytes, events: list[Event]) -> None:
        value = decode_json(body)
        if value is None:
            if is_cut(body):
                raise StreamTruncatedError(_CUT)
            raise ProtocolError(plain_words(self._head, body))
        for item in list_of(value) if isinstance(value, list) else [value]:
            self._read(object_of(item), "", events)

    def _start(self, events: list[Event], *, reply_id: str | None, model: str | None) -> None:
        """Append ResponseStarted, once."""
        if not self._started:
            self._started = True
            headers = self._head.headers
            events.append(
                ResponseStarted(id=reply_id, model=model, request_id=request_id(headers), rate_limits=rate_limits(headers)),
            )

    def _own(self, data: Any) -> ProviderData:
        """Data that goes back unchanged to whom it came from."""
        return ProviderData(wire=self._wire, provider=self._head.provider, data=data)
