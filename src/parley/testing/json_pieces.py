"""The JSON inside a body, whatever frames it: one document, a document on each line, or one after each `data:`. Knows no wire."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from msgspec import Struct

# Only these end a line: the other separators that Unicode knows may stand inside a JSON text.
_LINE_ENDS = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
_LINE = re.compile(r"(?P<before>[\ufeff ]*(?:data:)?[ \t]*)(?P<json>[\[{].*[\]}])(?P<after>[ \t\r]*\n?)")


class Piece(Struct, frozen=True, kw_only=True):
    """A stretch of a body. `value` is its JSON where `is_json`; `before` and `after` frame it. Else `text` is all there is."""

    text: str
    is_json: bool = False
    value: Any = None
    before: str = ""
    after: str = ""


def pieces_of(body: str) -> Iterator[Piece]:
    """The body in pieces, which together are the whole of it."""
    value = _container(body)
    if value is not None:
        yield Piece(text=body, is_json=True, value=value)
        return
    for line in _LINE_ENDS.split(body):
        match = _LINE.fullmatch(line)
        value = _container(match["json"]) if match else None
        if match is None or value is None:
            yield Piece(text=line)
        else:
            yield Piece(text=line, is_json=True, value=value, before=match["before"], after=match["after"])


def strings_in(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in a JSON value with its path: `choices[0].delta.content`."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            waiting += [(f"{path}.{name}".lstrip("."), inner) for name, inner in reversed(fields.items())]
        elif isinstance(value, list):
            items = cast("list[Any]", value)
            waiting += [(f"{path}[{index}]", items[index]) for index in reversed(range(len(items)))]


def _container(text: str) -> Any:
    """The object or list that the text is; None where it is neither."""
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return cast("Any", value) if isinstance(value, (dict, list)) else None
