"""Server-sent events as the WHATWG standard reads them, from bytes in any pieces. Knows nothing of what an event means.

https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream.
"""

from __future__ import annotations

from msgspec import Struct

from parley.contract.errors import ProtocolError
from parley.wire.json_events import decode_json

MAX_EVENT_BYTES = 16 * 1024 * 1024
MAX_IGNORED_BYTES = 2048
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_KNOWN_FIELDS = frozenset({b"", b"id", b"retry"})


class SseEvent(Struct, frozen=True):
    """One event. `event` is its type: "message" where none was given, "error" also for a bare `error:` line, "" for a bare line of JSON."""

    event: str
    data: bytes


class SseParser:
    """Feed it bytes, take events. Three departures from the standard: an `error:` line and a bare line of JSON are events of their own
    instead of being ignored, an event that the end of the stream cuts off before its blank line still counts (both seen at vendors), and
    a `data:` line that is a whole JSON object is an event even where a proxy dropped the blank line after it.
    `ignored` holds the beginning of what is no event stream at all, so that a caller can say what came instead.
    """

    __slots__ = ("_after_carriage_return", "_at_start", "_data", "_event", "_event_bytes", "_max_event_bytes", "_tail", "ignored")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail = bytearray()
        self._after_carriage_return = False
        self._at_start = True
        self._event = ""
        self._data: list[bytes] = []
        self._event_bytes = 0
        self.ignored = b""

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that these bytes complete. Raises ProtocolError where one event is larger than the bound."""
        events: list[SseEvent] = []
        for line in self._lines(data):
            if not line:
                if self._data or self._event:
                    self._dispatch(events)
            elif line.startswith(b"data: "):
                self._add_data(line, 6, events)
            else:
                self._read_line(line, events)
        if self._tail:
            self._check_size(len(self._tail))
        return events

    def _lines(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete; what follows the last line end waits."""
        if self._after_carriage_return and data:
            self._after_carriage_return = False
            if data[:1] == b"\n":
                data = data[1:]
        if b"\r" in data:
            self._after_carriage_return = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in data:
            self._tail += data
            return []
        if self._tail:
            data = bytes(self._tail) + data
            self._tail.clear()
        lines = data.split(b"\n")
        self._tail += lines.pop()
        return lines

    def close(self) -> list[SseEvent]:
        """The event that the end of the stream completes, if any."""
        events: list[SseEvent] = []
        if self._tail:
            self._read_line(bytes(self._tail), events)
            self._tail.clear()
        self._dispatch(events)
        return events

    def _read_line(self, line: bytes, events: list[SseEvent]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._add_data(line, len(line) - len(value), events)
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"error":
            self._dispatch(events)
            events.append(SseEvent("error", value))
        elif line.startswith(b"{"):
            self._dispatch(events)
            events.append(SseEvent("", line))
        elif name not in _KNOWN_FIELDS and len(self.ignored) < MAX_IGNORED_BYTES:
            self.ignored += line[:MAX_IGNORED_BYTES] + b"\n"

    def _add_data(self, line: bytes, start: int, events: list[SseEvent]) -> None:
        if len(self._data) == 1 and self._data[0].startswith(b"{") and decode_json(self._data[0]) is not None:
            self._dispatch(events)
        self._event_bytes += len(line)
        if self._event_bytes > self._max_event_bytes:
            self._check_size(0)
        self._data.append(line[start:])

    def _dispatch(self, events: list[SseEvent]) -> None:
        data = self._data
        if data:
            events.append(SseEvent(self._event or "message", data[0] if len(data) == 1 else b"\n".join(data)))
            self._data = []
        self._event = ""
        self._event_bytes = 0

    def _check_size(self, more_bytes: int) -> None:
        if self._event_bytes + more_bytes > self._max_event_bytes:
            self._tail.clear()
            raise ProtocolError(f"the provider sent one event of more than {self._max_event_bytes} bytes")
