"""A request's tools and schemas as the text that models are shown in their stead. Knows no family and counts nothing.

Declarations are written as TypeScript, as OpenAI's models are shown them (https://github.com/openai/harmony, read 2026-11-25); other
vendors have other forms, whose length follows from this one's by a factor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

from parley.contract.options import SchemaFormat, Tool

MAX_DEPTH = 32
"""Deeper than this a schema is written as `any`: it may refer to itself, and nobody nests so deep."""

_PLAIN_TYPES = {"integer": "number"}


def tool_text(tool: Tool) -> str:
    """One tool's declaration."""
    lines = [f"// {line}\n" for line in (tool.description or "").splitlines()]
    parameters = _type_of(tool.parameters, 0) if tool.parameters.get("properties") else ""
    return f"{''.join(lines)}type {tool.name} = ({'_: ' if parameters else ''}{parameters}) => any;\n\n"


def schema_text(schema: SchemaFormat) -> str:
    """A response format: its name and its JSON, without what every strict schema says alike."""
    return f"# Response Formats\n\n## {schema.name}\n\n{compact_json(_without_rules(schema.schema, 0))}"


def compact_json(value: object) -> str:
    """JSON without spaces, as vendors keep schemas."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _without_rules(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return None
    if isinstance(value, Mapping):
        entries = cast("Mapping[str, Any]", value).items()
        return {name: _without_rules(inner, depth + 1) for name, inner in entries if name != "additionalProperties" or inner}
    return [_without_rules(inner, depth + 1) for inner in cast("list[Any]", value)] if isinstance(value, list) else value


def _type_of(schema: Any, depth: int) -> str:
    if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
        return "any"
    given = cast("Mapping[str, Any]", schema)
    if isinstance(values := given.get("enum"), list):
        return " | ".join(compact_json(value) for value in cast("list[Any]", values))
    for name in ("anyOf", "oneOf"):
        if isinstance(choices := given.get(name), list):
            return " | ".join(_type_of(choice, depth + 1) for choice in cast("list[Any]", choices))
    kind = given.get("type")
    if isinstance(kind, list):
        return " | ".join(_type_of({**given, "type": one}, depth + 1) for one in cast("list[Any]", kind))
    if kind == "array":
        return _type_of(given.get("items"), depth + 1) + "[]"
    if kind == "object" or "properties" in given:
        return "{\n" + "".join(_properties(given, depth)) + "}"
    return _PLAIN_TYPES.get(str(kind), str(kind or "any").lower())


def _properties(schema: Mapping[str, Any], depth: int) -> Iterator[str]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, Mapping):
        return
    for name, inner in cast("Mapping[str, Any]", properties).items():
        details: Mapping[str, Any] = cast("Mapping[str, Any]", inner) if isinstance(inner, Mapping) else {}
        if description := details.get("description"):
            yield f"// {description}\n"
        optional = "" if isinstance(required, list) and name in required else "?"
        default = f" // default: {compact_json(details['default'])}" if "default" in details else ""
        yield f"{name}{optional}: {_type_of(details, depth + 1)},{default}\n"
