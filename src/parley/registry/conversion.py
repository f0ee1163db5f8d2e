"""Turns text and TOML values into contract types, field by field, so that every problem is reported at once. Knows no source."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Final, Literal, TypeGuard, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, structs

from parley.contract.errors import FieldProblem
from parley.guard.suggestions import did_you_mean

INVALID: Final[Any] = object()
"""What a conversion returns after it has reported a problem; None is a value."""

_WORDS: dict[Any, str] = {str: "text", bool: "true or false", int: "a whole number", float: "a number", dict: "a table", list: "a list"}
_BOOLEANS = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}


def convert(value: Any, hint: Any, *, path: str, problems: list[FieldProblem], text: bool = False) -> Any:
    """The value as that type, or INVALID with its problems added. `text` is for values that can only be text (environment)."""
    hint = _without_none(hint)
    if text and isinstance(value, str):
        value = _from_text(value, hint)
    if _is_struct(hint):
        if isinstance(value, hint):
            return value
        return convert_struct(value, hint, path=path, problems=problems)
    origin: Any = get_origin(hint)
    arguments = get_args(hint)
    if origin is list and isinstance(value, list):
        items = [
            convert(item, arguments[0], path=f"{path}[{index}]", problems=problems) for index, item in enumerate(cast("list[Any]", value))
        ]
        return INVALID if INVALID in items else items
    if origin is dict and isinstance(value, dict):
        entries = {
            key: convert(item, arguments[1], path=f"{path}.{key}", problems=problems) for key, item in cast("dict[str, Any]", value).items()
        }
        return INVALID if INVALID in entries.values() else entries
    try:
        return msgspec.convert(value, hint, strict=not text)
    except msgspec.ValidationError:
        problems.append(FieldProblem(path=path, message=f"must be {_expected(hint)}{_received(value, hint)}"))
        return INVALID


def convert_struct(value: Any, struct_type: type[Struct], *, path: str, problems: list[FieldProblem]) -> Any:
    """A table as that struct, or INVALID with a problem for every field that is unknown, missing or of the wrong type."""
    if not isinstance(value, Mapping):
        names = ", ".join(struct_type.__struct_fields__)
        problems.append(FieldProblem(path=path, message=f"must be a table of {names}{_received(value, struct_type)}"))
        return INVALID
    table = cast("Mapping[str, Any]", value)
    before = len(problems)
    report_unknown(table, struct_type.__struct_fields__, path=path, problems=problems)
    hints = get_type_hints(struct_type)
    converted: dict[str, Any] = {}
    for info in structs.fields(struct_type):
        field_path = _join(path, info.name)
        if info.name in table:
            converted[info.name] = convert(table[info.name], hints[info.name], path=field_path, problems=problems)
        elif info.required:
            problems.append(FieldProblem(path=field_path, message=f"is missing; it must be {_expected(_without_none(hints[info.name]))}"))
    return struct_type(**converted) if len(problems) == before else INVALID


def report_unknown(table: Mapping[str, Any], known: tuple[str, ...], *, path: str, problems: list[FieldProblem]) -> None:
    """A problem, with a did-you-mean, for every key of the table that is not known."""
    for key in table:
        if key not in known:
            suggestion = did_you_mean(key, known) or f" Known are: {', '.join(known)}."
            problems.append(FieldProblem(path=_join(path, key), message=f"is not a known setting.{suggestion}"))


def _is_struct(hint: Any) -> TypeGuard[type[Struct]]:
    return isinstance(hint, type) and issubclass(hint, Struct)


def _join(path: str, name: str) -> str:
    return name if not path else f"{path}{name}" if path.endswith(" ") else f"{path}.{name}"


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in {Union, UnionType}:
        others: list[Any] = [argument for argument in get_args(hint) if argument is not NoneType]
        return others[0] if len(others) == 1 else hint
    return hint


def _from_text(value: str, hint: Any) -> Any:
    if hint is bool:
        return _BOOLEANS.get(value.strip().lower(), value)
    if get_origin(hint) in {list, dict} or _is_struct(hint):
        try:
            decoded: object = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
        return cast("Any", decoded) if isinstance(decoded, (dict, list)) else value
    return value.strip() if hint in {int, float} else value


def _expected(hint: Any) -> str:
    origin = get_origin(hint)
    if origin is Literal:
        choices = [f'"{choice}"' for choice in get_args(hint)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if _is_struct(hint):
        return f"a table of {', '.join(hint.__struct_fields__)}"
    return _WORDS.get(origin or hint, "another type")


def _example(hint: Any) -> str:
    if get_origin(hint) is list:
        return '["one", "two"]'
    if not _is_struct(hint):
        return '{"name": "value"}'
    name, kind = next(iter(get_type_hints(hint).items()))
    return f'{{"{name}": {10 if _without_none(kind) in {int, float} else "…"}}}'


def _received(value: Any, hint: Any) -> str:
    """What came instead, by kind and never by value: it may be a secret."""
    if get_origin(hint) is Literal:
        hint = did_you_mean(value, [str(choice) for choice in get_args(hint)]) if isinstance(value, str) else ""
        return f".{hint}" if hint else ""
    if isinstance(value, str) and (_expected(hint).startswith("a table") or get_origin(hint) in {list, dict}):
        return f", written as JSON, for example {_example(hint)}"
    return f", not {_WORDS.get(type(value), type(value).__name__)}"
