"""What no field may hold, and the error that names it. Knows no shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NoReturn

from parley.contract.errors import FieldProblem, InvalidRequestError

MAX_JSON_DEPTH = 64


def invalid(path: str, problem: str) -> NoReturn:
    """Refuse the request for one field."""
    raise InvalidRequestError(f"{path}: {problem}", fields=[FieldProblem(path=path, message=problem)])


def check_number(value: float, path: str, least: float | None, greatest: float | None) -> None:
    """Refuse NaN, infinity, and what is out of its range."""
    if not math.isfinite(value):
        invalid(path, f"is {value}; expected an ordinary number")
    if least is not None and value < least:
        invalid(path, f"is {value}; the least is {least:g}")
    if greatest is not None and value > greatest:
        invalid(path, f"is {value}; the greatest is {greatest:g}")


def check_text(text: str | None, path: str) -> None:
    """Refuse half a surrogate pair: no wire can carry it."""
    if text and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            invalid(path, "holds half a surrogate pair, which is no character")


def check_json(value: Any, path: str, depth: int = 0) -> None:
    """Refuse what JSON cannot carry, NaN and endless nesting included."""
    if depth > MAX_JSON_DEPTH:
        invalid(path, f"is nested deeper than {MAX_JSON_DEPTH} levels")
    if isinstance(value, str):
        check_text(value, path)
    elif isinstance(value, float):
        check_number(value, path, None, None)
    elif isinstance(value, Mapping):
        _check_mapping(value, path, depth)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for number, item in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            check_json(item, f"{path}[{number}]", depth + 1)
    elif value is not None and not isinstance(value, int):
        invalid(path, "is something that JSON does not know")


def _check_mapping(value: Mapping[Any, Any], path: str, depth: int) -> None:
    for key, item in value.items():
        if not isinstance(key, str):
            invalid(path, f"has the key {key!r}; keys are strings")
        check_text(key, path)
        check_json(item, f"{path}.{key}", depth + 1)
