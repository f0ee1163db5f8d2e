"""Reads decoded JSON of which no shape is certain: what is not of the expected type reads as absent. Knows no vendor."""

from __future__ import annotations

from typing import Any, cast

import msgspec


def object_of(value: Any) -> dict[str, Any]:
    """The object, or an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The list, or an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text_of(value: Any) -> str:
    """The string, or an empty one."""
    return value if isinstance(value, str) else ""


def count_of(value: Any) -> int | None:
    """A count: an integer that is not negative (a whole float counts), else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return int(value) if value >= 0 and value == value // 1 else None


def first_text(*values: Any) -> str:
    """The first string that is not empty, else an empty one."""
    return next((value for value in values if isinstance(value, str) and value), "")


def json_text(value: Any) -> str:
    """A value as compact JSON text."""
    return msgspec.json.encode(value).decode()
