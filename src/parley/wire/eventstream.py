"""Amazon's binary event stream from bytes in any pieces. Knows nothing of what an event means.

https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream: total length, header length and
their checksum, headers, payload, checksum of all; numbers are big-endian.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from msgspec import Struct

from parley.contract.errors import ProtocolError

MAX_MESSAGE_BYTES = 24 * 1024 * 1024
_PRELUDE_BYTES = 12
_TRAILER_BYTES = 4
_STRINGS = 7
_FIXED_BYTES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
_SIZED = (6, _STRINGS)


class StreamMessage(Struct, frozen=True):
    """One message: its headers that are strings (names as sent, `:event-type`), and its payload."""

    headers: dict[str, str]
    payload: bytes


class EventStreamParser:
    """Feed it bytes, take messages. What is wrong behind some messages is raised by the next call, after they were taken."""

    __slots__ = ("_buffer", "_failure")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._failure: ProtocolError | None = None

    @property
    def pending(self) -> bool:
        """Whether a message has begun that has not ended."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[StreamMessage]:
        """The messages that these bytes complete. Raises ProtocolError for what is no such stream or fails its checksum."""
        if self._failure is not None:
            raise self._failure
        self._buffer += data
        messages: list[StreamMessage] = []
        try:
            while (message := self._next()) is not None:
                messages.append(message)
        except ProtocolError as error:
            if not messages:
                raise
            self._failure = error
        return messages

    def _next(self) -> StreamMessage | None:
        """The next whole message."""
        if len(self._buffer) < _PRELUDE_BYTES:
            return None
        total, header_bytes, checksum = struct.unpack_from(">III", self._buffer)
        if zlib.crc32(self._buffer[:8]) != checksum:
            raise ProtocolError("the provider sent what is no event stream (the checksum of a length is wrong)")
        if total > MAX_MESSAGE_BYTES or header_bytes + _PRELUDE_BYTES + _TRAILER_BYTES > total:
            raise ProtocolError(f"the provider sent an event of {total} bytes; at most {MAX_MESSAGE_BYTES} are read")
        if len(self._buffer) < total:
            return None
        message = bytes(self._buffer[:total])
        del self._buffer[:total]
        return _message(message, header_bytes)


def _message(message: bytes, header_bytes: int) -> StreamMessage:
    if zlib.crc32(message[:-_TRAILER_BYTES]) != int.from_bytes(message[-_TRAILER_BYTES:]):
        raise ProtocolError("the provider sent an event whose checksum is wrong")
    payload_at = _PRELUDE_BYTES + header_bytes
    try:
        headers = dict(_headers(message[_PRELUDE_BYTES:payload_at]))
    except (IndexError, KeyError, UnicodeDecodeError, struct.error) as error:
        raise ProtocolError("the provider sent an event whose headers cannot be read") from error
    return StreamMessage(headers, message[payload_at:-_TRAILER_BYTES])


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    position = 0
    while position < len(data):
        name_end = position + 1 + data[position]
        name, kind = data[position + 1 : name_end].decode(), data[name_end]
        position = name_end + 1
        if kind in _SIZED:
            (size,) = struct.unpack_from(">H", data, position)
            position += 2
            if kind == _STRINGS:
                yield name, data[position : position + size].decode()
            position += size
        else:
            position += _FIXED_BYTES[kind]
