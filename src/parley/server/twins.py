"""The camelCase twin of a struct: the same fields as the API spells them. Derived, so that no second definition can differ."""

from __future__ import annotations

import re
from functools import cache
from types import GenericAlias, UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct, structs

_UNDERSCORED = re.compile(r"_(\w)")


def camel(struct_type: type[Struct], *, closed: bool = False) -> type[Struct]:
    """The struct type with camelCase names, in its nested structs too; `closed` refuses unknown fields, as requests do."""
    return _twin(struct_type, closed)


@cache
def _twin(struct_type: type[Struct], closed: bool) -> type[Struct]:
    hints = get_type_hints(struct_type, include_extras=True)
    if not closed and _is_camel_already(struct_type, hints):
        return struct_type
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        (info.name, _twin_annotation(hints[info.name], closed=closed))
        if info.required
        else (info.name, _twin_annotation(hints[info.name], closed=closed), _default(info))
        for info in structs.fields(struct_type)
    ]
    settings = struct_type.__struct_config__
    twin = msgspec.defstruct(
        struct_type.__name__,
        fields,
        rename="camel",
        kw_only=True,
        frozen=True,
        omit_defaults=settings.omit_defaults,
        forbid_unknown_fields=closed,
        tag_field=settings.tag_field,
        tag=settings.tag,
        module=struct_type.__module__,
    )
    twin.__doc__ = struct_type.__doc__
    return twin


def to_camel(value: Any) -> Any:
    """The value with every struct in it as its twin. Plain dicts keep their keys: they are somebody's data, not ours to rename."""
    if isinstance(value, Struct):
        twin = camel(type(value))
        if twin is type(value):
            return value
        return twin(**{name: to_camel(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, (list, tuple)):
        return [to_camel(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: to_camel(item) for key, item in cast("dict[Any, Any]", value).items()}
    return value


def _is_camel_already(struct_type: type[Struct], hints: dict[str, Any]) -> bool:
    """Whether nothing would change, in what is nested neither: then it is its own twin, and one name stands for one thing."""
    return all(
        info.encode_name == _UNDERSCORED.sub(lambda match: match[1].upper(), info.name)
        and _twin_annotation(hints[info.name], closed=False) == hints[info.name]
        for info in structs.fields(struct_type)
    )


def _is_struct(annotation: Any) -> bool:
    return isinstance(annotation, type) and not isinstance(annotation, GenericAlias) and issubclass(annotation, Struct)


def _default(info: structs.FieldInfo) -> Any:
    if info.default_factory is not msgspec.NODEFAULT:
        factory: Any = info.default_factory
        return msgspec.field(default_factory=lambda: to_camel(factory()))
    return to_camel(info.default) if isinstance(info.default, Struct) else info.default


def _twin_annotation(annotation: Any, *, closed: bool) -> Any:
    """The annotation with each struct in it replaced by its twin."""
    if _is_struct(annotation):
        return camel(annotation, closed=closed)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is None or not arguments:
        return annotation
    if origin is Annotated:
        return Annotated[(_twin_annotation(arguments[0], closed=closed), *arguments[1:])]  # type: ignore[misc]
    twins = tuple(_twin_annotation(argument, closed=closed) for argument in arguments)
    if twins == arguments:
        return annotation
    return Union[twins] if origin in {Union, UnionType} else origin[twins]  # noqa: UP007 - made at run time
