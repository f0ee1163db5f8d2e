"""How tools and schemas are written for models."""

from __future__ import annotations

from typing import Any

from parley.contract.options import SchemaFormat, Tool
from parley.guard.token_rendering import schema_text, tool_text


def test_a_tool_is_written_as_typescript() -> None:
    parameters = {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where"},
            "days": {"type": "integer", "default": 1},
            "units": {"enum": ["celsius", "kelvin"]},
            "points": {"type": "array", "items": {"type": "object", "properties": {"x": {"type": ["number", "null"]}}}},
            "either": {"anyOf": [{"type": "string"}, {"type": "BOOLEAN"}]},
        },
        "required": ["city"],
    }
    assert tool_text(Tool(name="weather", description="The sky.\nNow.", parameters=parameters)) == (
        "// The sky.\n// Now.\ntype weather = (_: {\n// Where\ncity: string,\ndays?: number, // default: 1\n"
        'units?: "celsius" | "kelvin",\npoints?: {\nx?: number | null,\n}[],\neither?: string | boolean,\n}) => any;\n\n'
    )


def test_a_tool_without_parameters() -> None:
    assert tool_text(Tool(name="now")) == "type now = () => any;\n\n"


def test_a_schema_is_written_without_what_all_say() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": False}
    schema: dict[str, Any] = {"type": "object", "properties": {"a": inner}, "additionalProperties": False}
    assert schema_text(SchemaFormat(name="City", schema=schema)) == (
        '# Response Formats\n\n## City\n\n{"type":"object","properties":{"a":{"type":"object","properties":{"b":{"type":"string"}}}}}'
    )


def test_odd_and_deep_schemas_do_no_harm() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(1000):
        deep = {"type": "object", "properties": {"a": deep}, "items": [1], "required": "no"}
    assert tool_text(Tool(name="t", parameters=deep))
    assert schema_text(SchemaFormat(name="s", schema=deep))
    odd: dict[str, Any] = {"properties": {"a": 1, "b": {"type": None, "enum": "x"}, "c": {"type": "array", "items": True}}}
    assert tool_text(Tool(name="t", parameters=odd)) == "type t = (_: {\na?: any,\nb?: any,\nc?: any[],\n}) => any;\n\n"
