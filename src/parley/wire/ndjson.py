"""JSON lines (https://jsonlines.org) from bytes in any pieces. Knows nothing of what stands in a line."""

from __future__ import annotations

from parley.contract.errors import ProtocolError

MAX_LINE_BYTES = 16 * 1024 * 1024


class JsonLinesParser:
    """Feed it bytes, take lines without their line ends; blank lines are left out."""

    __slots__ = ("_max_line_bytes", "_tail")

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._tail = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete. Raises ProtocolError where one is longer than the bound."""
        if b"\n" not in data:
            self._tail += data
            self._check_size(len(self._tail))
            return []
        lines = (bytes(self._tail) + data).split(b"\n")
        self._tail.clear()
        self._tail += lines.pop()
        for line in lines:
            self._check_size(len(line))
        self._check_size(len(self._tail))
        return [line for line in map(bytes.strip, lines) if line]

    def close(self) -> list[bytes]:
        """The last line, where the stream ended without a line end."""
        line = bytes(self._tail).strip()
        self._tail.clear()
        return [line] if line else []

    def _check_size(self, line_bytes: int) -> None:
        if line_bytes > self._max_line_bytes:
            self._tail.clear()
            raise ProtocolError(f"the provider sent one line of more than {self._max_line_bytes} bytes")
