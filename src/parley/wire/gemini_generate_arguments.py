"""Puts a function call's arguments together that Gemini streams by path (`partialArgs`). Knows no reply around them.

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling#streaming-fc (read 2026-11-22).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, cast

from parley.contract.errors import ProtocolError
from parley.wire.json_values import list_of, object_of, text_of

MAX_PATH_DEPTH = 64
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]""")
_VALUES = ("stringValue", "numberValue", "boolValue", "structValue", "listValue")


class StreamedArguments:
    """Feed it `partialArgs`, take the object. A string may come in pieces, which are joined once it is whole."""

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}
        self._path = ""
        self._pieces: list[str] = []

    def add(self, pieces: Any) -> None:
        """Take one event's pieces. Raises ProtocolError for a path that leads nowhere."""
        for piece in map(object_of, list_of(pieces)):
            path = text_of(piece.get("jsonPath"))
            text = piece.get("stringValue")
            if self._path and path != self._path:
                self._flush()
            if isinstance(text, str):
                self._path = path
                self._pieces.append(text)
                if piece.get("willContinue") is not True:
                    self._flush()
            else:
                self._set(path, next((piece[name] for name in _VALUES if name in piece), None))

    def value(self) -> dict[str, Any]:
        """The arguments so far."""
        if self._path:
            self._flush()
        return self._root

    def _flush(self) -> None:
        self._set(self._path, "".join(self._pieces))
        self._path = ""
        self._pieces.clear()

    def _set(self, path: str, value: Any) -> None:
        holder: Any = self._root
        steps = _steps(path)
        for step, following in pairwise(steps):
            holder = _place(holder, step, [] if isinstance(following, int) else {}, replace=False)
        _place(holder, steps[-1], value, replace=True)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None or len(steps) >= MAX_PATH_DEPTH:
            break
        name, index, single, double = found.groups()
        steps.append(int(index) if index is not None else name or single or double or "")
        position = found.end()
    if not steps or position < len(path) or not path.startswith("$"):
        raise ProtocolError("the provider streamed an argument of a tool call under a path that cannot be read")
    return steps


def _place(holder: Any, step: str | int, value: Any, *, replace: bool) -> Any:
    """What stands at `step`: what is there, else `value`, put there."""
    if isinstance(step, str) and isinstance(holder, dict):
        fields = cast("dict[str, Any]", holder)
        if replace or step not in fields:
            fields[step] = value
        return fields[step]
    items = cast("list[Any]", holder)
    if not isinstance(holder, list) or isinstance(step, str) or step > len(items):
        raise ProtocolError("the provider streamed an argument of a tool call under a path that does not fit the ones before")
    if step == len(items):
        items.append(value)
    elif replace:
        items[step] = value
    return items[step]
