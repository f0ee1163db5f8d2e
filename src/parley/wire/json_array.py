"""The objects of one JSON array from bytes in any pieces, each as soon as it is whole. Knows nothing of what an object means."""

from __future__ import annotations

import re

from parley.contract.errors import ProtocolError

MAX_OBJECT_BYTES = 64 * 1024 * 1024
_MARKS = re.compile(rb'["\\{}\[\]]')
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")
_QUOTE, _BACKSLASH = b'"'[0], b"\\"[0]


class JsonArrayParser:
    """Feed it bytes that begin with `[`, take the objects directly in that array. `ended` says that its `]` came; the rest is not read."""

    __slots__ = ("_buffer", "_depth", "_in_string", "_max_object_bytes", "_position", "_start", "ended")

    def __init__(self, *, max_object_bytes: int = MAX_OBJECT_BYTES) -> None:
        self._max_object_bytes = max_object_bytes
        self._buffer = bytearray()
        self._position: int = 0
        self._start: int = 0
        self._depth: int = 0
        self._in_string = False
        self.ended = False

    def feed(self, data: bytes) -> list[bytes]:
        """The objects that these bytes complete. Raises ProtocolError where one is larger than the bound."""
        objects: list[bytes] = []
        if self.ended:
            return objects
        self._buffer += data
        while not self.ended:
            found = _MARKS.search(self._buffer, self._position)
            if found is None:
                self._position = len(self._buffer)
                break
            self._position = found.end()
            mark = self._buffer[found.start()]
            if mark == _BACKSLASH:
                if self._position == len(self._buffer):
                    # What it escapes has not come: it is looked at again with the next bytes.
                    self._position -= 1
                    break
                self._position += 1
            elif mark == _QUOTE:
                self._in_string = not self._in_string
            elif not self._in_string:
                self._nest(mark, found.start(), objects)
        self._forget_what_was_read()
        return objects

    def _nest(self, mark: int, position: int, objects: list[bytes]) -> None:
        if mark in _OPENING:
            self._depth += 1
            if self._depth == 2:
                self._start = position
        elif mark in _CLOSING:
            self._depth -= 1
            if self._depth == 1:
                objects.append(bytes(self._buffer[self._start : position + 1]))
                self._start = position + 1
            self.ended = self._depth == 0

    def _forget_what_was_read(self) -> None:
        kept_from = self._start if self._depth > 1 else self._position
        del self._buffer[:kept_from]
        self._position -= kept_from
        self._start = 0
        if len(self._buffer) > self._max_object_bytes:
            self._buffer.clear()
            raise ProtocolError(f"the provider sent one object of more than {self._max_object_bytes} bytes")
