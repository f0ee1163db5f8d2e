from __future__ import annotations

from typing import Any

from parley.wire.schema import SchemaSubset, downgrade

TREE: dict[str, Any] = {
    "type": "object",
    "properties": {"left": {"$ref": "#/$defs/node"}, "name": {"type": ["string", "null"], "title": "Name"}},
    "$defs": {"node": {"type": "object", "properties": {"child": {"$ref": "#/$defs/node"}}, "additionalProperties": False}},
}


def test_definitions_are_put_where_they_are_used_and_recursion_ends() -> None:
    flat = downgrade(TREE, SchemaSubset(inline_references=True)).schema
    assert "$defs" not in flat
    assert flat["properties"]["left"] == {"type": "object", "properties": {"child": {}}, "additionalProperties": False}


def test_unknown_keywords_go_but_properties_with_their_names_stay() -> None:
    schema = {"type": "object", "properties": {"title": {"type": "string", "title": "T"}}, "title": "x", "enum": [{"title": 1}]}
    kept = downgrade(schema, SchemaSubset(keywords=frozenset({"type", "properties", "enum"}))).schema
    assert kept == {"type": "object", "properties": {"title": {"type": "string"}}, "enum": [{"title": 1}]}


def test_null_becomes_nullable_in_both_spellings() -> None:
    subset = SchemaSubset(nullable=True)
    assert downgrade({"type": ["string", "null"]}, subset).schema == {"type": "string", "nullable": True}
    assert downgrade({"anyOf": [{"type": "integer"}, {"type": "null"}]}, subset).schema == {"type": "integer", "nullable": True}
    assert downgrade({"type": ["string", "integer"]}, subset).schema == {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def test_const_and_one_of_are_written_in_older_words() -> None:
    subset = SchemaSubset(enum_for_const=True, any_for_one=True)
    assert downgrade({"oneOf": [{"const": 1}, {"type": "string"}]}, subset).schema == {"anyOf": [{"enum": [1]}, {"type": "string"}]}


def test_the_original_is_not_changed_and_depth_is_bounded() -> None:
    before = repr(TREE)
    downgrade(TREE, SchemaSubset(inline_references=True, nullable=True))
    assert repr(TREE) == before
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(400):
        deep = {"type": "array", "items": deep}
    assert downgrade(deep, SchemaSubset()).schema["type"] == "array"


def test_nothing_is_asked_nothing_is_changed() -> None:
    assert downgrade(TREE, SchemaSubset()).schema == TREE
