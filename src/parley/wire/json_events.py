"""Makes an object of an event's bytes and forgives a few broken ones. Knows no field of any vendor."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import msgspec

from parley.contract.errors import ProtocolError
from parley.contract.events import WarningRaised
from parley.contract.response import ResponseWarning

MAX_INVALID_EVENTS = 3
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_decode_json = msgspec.json.Decoder().decode


def decode_object(data: bytes) -> dict[str, Any] | None:
    """The JSON object in these bytes, None where they hold none. Raises ProtocolError for nesting too deep to read."""
    value = decode_json(data)
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def decode_json(data: bytes) -> Any:
    """The JSON value in these bytes, None where they hold none. Raises ProtocolError for nesting too deep to read."""
    try:
        return _decode_json(data)
    except RecursionError as error:
        raise ProtocolError("the provider sent JSON that is nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_lenient(data)


def _decode_lenient(data: bytes) -> Any:
    """What Python servers write though JSON has it not (NaN, Infinity), and half a surrogate pair, which becomes U+FFFD."""
    try:
        value = json.loads(data, parse_constant=_no_number)
        text = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return _decode_json(text.encode())
    except RecursionError as error:
        raise ProtocolError("the provider sent JSON that is nested too deeply") from error
    except ValueError:
        return None


def _no_number(_: str) -> None:
    return None


def is_cut(data: bytes) -> bool:
    """Whether these bytes begin a JSON object or array that is not closed before they end."""
    if data[:1] not in {b"{", b"["}:
        return False
    outside = _STRING.sub(b"", data)
    opened, closed = outside.count(b"{") + outside.count(b"["), outside.count(b"}") + outside.count(b"]")
    return b'"' in outside or opened > closed


class JsonEvents:
    """Decodes the events of one reply. An event that is no JSON object is skipped with a warning, the fourth ends the reply."""

    __slots__ = ("_invalid",)

    def __init__(self) -> None:
        self._invalid = 0

    def decode(self, data: bytes, *, strict: bool = False) -> dict[str, Any] | WarningRaised:
        """The event's object, or the warning that stands for it. Raises ProtocolError for the fourth broken event, or the first
        where `strict` (a tool call or structured output is being received, which a gap would corrupt).
        """
        value = decode_json(data)
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        self._invalid += 1
        if strict:
            raise ProtocolError("the provider sent an event that is not valid JSON inside a tool call or structured output")
        if self._invalid > MAX_INVALID_EVENTS:
            raise ProtocolError(f"the provider sent more than {MAX_INVALID_EVENTS} events that are not valid JSON")
        message = "an event of the provider was not valid JSON and was skipped; part of the reply may be missing"
        return WarningRaised(warning=ResponseWarning(code="invalid_event", message=message), incomplete=True)
