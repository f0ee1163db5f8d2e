"""Where a page of a list ends, as opaque text. Knows no list."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from parley.guard.checks import invalid

MAX_PAGE = 100
DEFAULT_PAGE = 50

_Item = TypeVar("_Item")


class Page(Struct, Generic[_Item], frozen=True, kw_only=True, rename="camel"):
    """Some of a list. `next_cursor` asks for what follows; None where nothing does."""

    items: list[_Item]
    next_cursor: str | None


def written_cursor(position: Any) -> str:
    """A position as text that goes into a URL as it is."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).rstrip(b"=").decode()


def read_cursor(cursor: str | None, kind: type[_Item]) -> _Item | None:
    """The position again; None where there is no cursor. Raises InvalidRequestError for what is none of ours."""
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError):
        invalid("cursor", "is not one that this server gave; begin without it")


def check_limit(limit: int) -> int:
    """How many items a page may have."""
    if not 1 <= limit <= MAX_PAGE:
        invalid("limit", f"is {limit}; expected 1 to {MAX_PAGE}")
    return limit
