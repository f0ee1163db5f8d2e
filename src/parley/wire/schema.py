"""Rewrites a JSON Schema for wires that take only a subset of it. Knows no vendor: the wire says what it takes.

https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from parley.wire.json_values import list_of, object_of, text_of

MAX_DEPTH = 64
_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "contains")


class SchemaSubset(Struct, frozen=True, kw_only=True):
    """What a wire takes. `keywords` are those it knows (None: all); `inline_references` puts definitions where they are used;
    `nullable` writes `{"type": ["string", "null"]}` as `{"type": "string", "nullable": true}`; `enum_for_const` and `any_for_one`
    write `const` as a one-value `enum` and `oneOf` as `anyOf`.
    """

    keywords: frozenset[str] | None = None
    inline_references: bool = False
    nullable: bool = False
    enum_for_const: bool = False
    any_for_one: bool = False


def downgrade(schema: dict[str, Any], subset: SchemaSubset) -> dict[str, Any]:
    """The schema in the subset's words; the original is not changed. A reference to itself becomes a schema that takes anything."""
    definitions = {**object_of(schema.get("definitions")), **object_of(schema.get("$defs"))} if subset.inline_references else {}
    return _rewrite(schema, subset, definitions=definitions, seen=())


def _rewrite(schema: dict[str, Any], subset: SchemaSubset, *, definitions: dict[str, Any], seen: tuple[str, ...]) -> dict[str, Any]:
    if len(seen) > MAX_DEPTH:
        return {}
    name = text_of(schema.get("$ref")).rsplit("/", 1)[-1]
    if subset.inline_references and name:
        if name in seen or name not in definitions:
            return {}
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _rewrite({**object_of(definitions[name]), **beside}, subset, definitions=definitions, seen=(*seen, name))

    def within(value: Any) -> Any:
        return _rewrite(object_of(value), subset, definitions=definitions, seen=(*seen, "")) if isinstance(value, dict) else value

    rewritten = {key: _inside(key, value, within) for key, value in schema.items()}
    if subset.inline_references:
        rewritten.pop("$defs", None)
        rewritten.pop("definitions", None)
    _reword(rewritten, subset)
    if subset.keywords is not None:
        rewritten = {key: value for key, value in rewritten.items() if key in subset.keywords}
    return rewritten


def _inside(key: str, value: Any, within: Callable[[Any], Any]) -> Any:
    if key in _SCHEMA_MAPS:
        return {name: within(schema) for name, schema in object_of(value).items()}
    if key in _SCHEMA_LISTS:
        return [within(schema) for schema in list_of(value)]
    return within(value) if key in _SCHEMAS else value


def _reword(schema: dict[str, Any], subset: SchemaSubset) -> None:
    if subset.enum_for_const and "const" in schema:
        schema["enum"] = [schema.pop("const")]
    if subset.any_for_one and "oneOf" in schema:
        schema.setdefault("anyOf", schema.pop("oneOf"))
    if subset.nullable:
        _mark_nullable(schema)


def _mark_nullable(schema: dict[str, Any]) -> None:
    kinds = list_of(schema.get("type"))
    if "null" in kinds:
        schema["nullable"] = True
    others = [kind for kind in kinds if kind != "null"]
    if len(others) == 1:
        schema["type"] = others[0]
    elif others:
        schema.pop("type")
        schema["anyOf"] = [{"type": kind} for kind in others]
    choices = list_of(schema.get("anyOf"))
    without_null = [choice for choice in choices if object_of(choice).get("type") != "null"]
    if len(without_null) < len(choices):
        schema["nullable"] = True
        schema.pop("anyOf")
        if len(without_null) == 1:
            schema.update({key: value for key, value in object_of(without_null[0]).items() if key not in schema})
        elif without_null:
            schema["anyOf"] = without_null
