"""Reads a client's request value by value, and says in its wire's own names what is wrong with one. Knows no wire's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, cast

import msgspec

from parley.contract.errors import ErrorCode, FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.contract.response import ResponseWarning

_decode = msgspec.json.Decoder().decode


def body_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises InvalidRequestError with the code malformed_json."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRequestError(f"the body is no valid JSON: {error}", code=ErrorCode.MALFORMED_JSON) from error
    except RecursionError as error:
        raise InvalidRequestError("the body is JSON that is nested too deeply", code=ErrorCode.MALFORMED_JSON) from error
    if not isinstance(value, dict):
        raise InvalidRequestError("the body must be a JSON object", code=ErrorCode.MALFORMED_JSON)
    return cast("dict[str, Any]", value)


def invalid(path: str, problem: str) -> NoReturn:
    """Refuse the request for one field."""
    raise InvalidRequestError(f"{path}: {problem}", fields=[FieldProblem(path=path, message=problem)])


def unsupported(path: str, problem: str) -> NoReturn:
    """Refuse what would be answered with something else than was asked for."""
    raise UnsupportedFeatureError(f"{path}: {problem}", fields=[FieldProblem(path=path, message=problem)])


class Dropped:
    """Collects what had to be left out, each name once; a strict request is refused instead."""

    __slots__ = ("_names", "_strict", "warnings")

    def __init__(self, *, strict: bool) -> None:
        self._strict = strict
        self._names: set[str] = set()
        self.warnings: list[ResponseWarning] = []

    def add(self, name: str, reason: str = "was left out", *, code: str = "field_dropped") -> None:
        """Say it of this field."""
        if self._strict:
            unsupported(name, f"{reason}; x-parley-strict refuses that")
        if name not in self._names:
            self._names.add(name)
            self.warnings.append(ResponseWarning(code=code, message=f"{name} {reason}"))


def object_at(value: Any, path: str) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        invalid(path, f"expected an object, got {_kind(value)}")
    return cast("dict[str, Any]", value)


def list_at(value: Any, path: str) -> list[Any]:
    """An array."""
    if not isinstance(value, list):
        invalid(path, f"expected an array, got {_kind(value)}")
    return cast("list[Any]", value)


def text_at(value: Any, path: str) -> str:
    """A string."""
    if not isinstance(value, str):
        invalid(path, f"expected a string, got {_kind(value)}")
    return value


def name_at(value: Any, path: str) -> str:
    """A string that is not empty."""
    if not (isinstance(value, str) and value):
        invalid(path, "is empty" if value == "" else f"expected a string, got {_kind(value)}")
    return value


def optional_text(fields: Mapping[str, Any], name: str, path: str) -> str | None:
    """A string, or nothing."""
    value = fields.get(name)
    return None if value is None else text_at(value, path)


def number(fields: Mapping[str, Any], name: str) -> float | None:
    """A number, or nothing."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        invalid(name, f"expected a number, got {_kind(value)}")
    return value


def integer(fields: Mapping[str, Any], name: str) -> int | None:
    """A whole number, or nothing."""
    value = number(fields, name)
    if value is None or isinstance(value, int):
        return value
    if not value.is_integer():
        invalid(name, f"expected a whole number, got {value}")
    return int(value)


def boolean(fields: Mapping[str, Any], name: str, path: str = "") -> bool | None:
    """True, false, or nothing."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        invalid(path or name, f"expected true or false, got {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    """What it is, in JSON's words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    kinds = {str: "a string", int: "a number", float: "a number", list: "an array", dict: "an object"}
    return kinds.get(cast("type[Any]", type(value)), "something else")
