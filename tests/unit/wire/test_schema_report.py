"""What the built-in providers make of schemas that their vendors do not take in full."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities
from parley.contract.errors import CallerError, InvalidRequestError, UnsupportedFeatureError
from parley.contract.http import Target
from parley.contract.messages import Message
from parley.contract.options import Options, SchemaFormat, Tool
from parley.contract.request import ChatRequest

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "title": "Age"},
        "score": {"type": "number", "maximum": 1},
        "name": {"type": "string", "minLength": 2},
        "tags": {"type": "array", "items": {"type": "string", "pattern": "[a-z]"}, "uniqueItems": True, "maxItems": 3},
        "kind": {"oneOf": [{"const": "a"}, {"const": "b"}]},
    },
    "required": ["age", "score", "name", "tags", "kind"],
    "additionalProperties": False,
}
TREE: dict[str, Any] = {"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["child"]}
OPTIONAL: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}}}
LIST: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
LENGTH, PATTERN, UNIQUE = "minLength at properties.name", "pattern at properties.tags.items", "uniqueItems at properties.tags"
MAX_ITEMS, MINIMUM, MAXIMUM = "maxItems at properties.tags", "minimum at properties.age", "maximum at properties.score"


def sent(name: str, *, model: str = "m", mode: Any = "native", strict_options: bool = False, **options: Any) -> tuple[Any, dict[str, str]]:
    """The body that a built-in provider ("name" or "name/api") sends, and its warnings by code."""
    name, _, api = name.partition("/")
    dialect = import_module(f"parley.providers.{name.replace('-', '_')}").provider
    request = ChatRequest(messages=[Message(role="user", content="Hi")], options=Options(**options), strict_options=strict_options)
    target = Target(provider=name, model=model, endpoint="https://example.test/v1", capabilities=Capabilities(structured_output=mode))
    written = (dialect.apis[api] if api else dialect.wire).encode(request, target=target, stream=False)
    return json.loads(written.body), {warning.code: warning.message for warning in written.warnings}


def answer(schema: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    return {"response_format": SchemaFormat(name="n", schema=schema, strict=strict)}


@pytest.mark.parametrize(
    ("provider", "model", "lost"),
    [
        ("openai", "gpt-4.1", {LENGTH, UNIQUE}),
        ("openai/chat", "gpt-4.1", {LENGTH, UNIQUE}),
        ("azure-openai", "gpt-4.1", {LENGTH, UNIQUE}),
        ("groq", "openai/gpt-oss-20b", {LENGTH, UNIQUE}),
        ("cerebras", "gpt-oss-120b", {PATTERN, MAX_ITEMS}),
        ("fireworks", "glm", {LENGTH, PATTERN, MAX_ITEMS}),
        ("xai/chat", "grok-4.3", {LENGTH, MAX_ITEMS}),
        ("databricks", "m", {PATTERN, "oneOf at properties.kind"}),
        ("anthropic", "claude-sonnet-4-6", {LENGTH, PATTERN, UNIQUE, MAX_ITEMS, MINIMUM, MAXIMUM}),
        ("gemini", "gemini-3.5-flash", {LENGTH, PATTERN, UNIQUE}),
        ("gemini", "gemini-1.5-pro", {UNIQUE}),
        ("cohere", "command-a", {LENGTH, UNIQUE, MAX_ITEMS, MINIMUM, MAXIMUM, "oneOf at properties.kind"}),
        ("ollama", "qwen3", {UNIQUE, MAXIMUM, "pattern without ^ and $ at properties.tags.items"}),
        ("llama-cpp", "default", {UNIQUE, MAXIMUM, "pattern without ^ and $ at properties.tags.items"}),
        ("mistral", "mistral-large-latest", set()),
    ],
)
def test_what_a_vendor_does_not_enforce_is_left_out_and_named_with_its_place(provider: str, model: str, lost: set[str]) -> None:
    body, warnings = sent(provider, model=model, **answer(PERSON))
    said = warnings.get("schema_reduced", "")
    assert said == "" or said.startswith("options.response_format.schema: ")
    assert set(filter(None, said.partition("was not sent ")[2].split(", "))) == lost
    for loss in lost:
        assert f'"{loss.split()[0]}"' not in json.dumps(body)
    assert '"name"' in json.dumps(body)
    if lost:
        with pytest.raises(UnsupportedFeatureError, match=min(lost).replace("^", r"\^").replace("$", r"\$")) as refused:
            sent(provider, model=model, strict_options=True, **answer(PERSON))
        assert refused.value.fields[0].path == "options.response_format.schema"


@pytest.mark.parametrize("provider", ["openai", "openai/chat", "azure-openai/chat", "groq", "cerebras", "cohere"])
def test_a_list_at_the_top_is_refused_before_anything_is_sent_where_the_vendor_takes_objects_alone(provider: str) -> None:
    for strict in (True, False):
        with pytest.raises(UnsupportedFeatureError, match=r"options\.response_format\.schema: .*only an object at the top.*array"):
            sent(provider, **answer(LIST, strict=strict))
    assert sent("mistral", **answer(LIST))[1] == {}


def test_what_strict_mode_would_change_goes_as_a_hint_and_says_so() -> None:
    for provider, found in (("openai", lambda body: body["text"]["format"]), ("groq", lambda body: body["response_format"]["json_schema"])):
        body, warnings = sent(provider, **answer(OPTIONAL))
        assert (found(body)["strict"], found(body)["schema"]) == (False, OPTIONAL)
        assert "optional a at properties" in warnings["schema_not_enforced"]
        assert sent(provider, **answer(OPTIONAL, strict=False))[1] == {}
    with pytest.raises(UnsupportedFeatureError, match="optional a"):
        sent("openai", strict_options=True, **answer(OPTIONAL))
    map_of = {"type": "object", "additionalProperties": {"type": "integer"}}
    assert "additionalProperties at the top" in sent("openai", **answer(map_of))[1]["schema_not_enforced"]


def test_a_schema_that_claude_cannot_be_held_to_goes_as_a_tool() -> None:
    body, warnings = sent("anthropic", model="claude-sonnet-4-6", **answer(TREE))
    assert "output_config" not in body
    assert body["tools"][0]["input_schema"] == TREE
    assert body["tool_choice"] == {"type": "tool", "name": "structured_output"}
    assert "$ref to what it stands in at properties.child.anyOf.0" in warnings["schema_not_enforced"]
    assert sent("openai", **answer({**TREE, "additionalProperties": False}))[1] == {}


def test_tools_that_must_be_strict_are_written_alike_and_named_by_their_place() -> None:
    tools = [
        Tool(name="a", parameters=PERSON, strict=True),
        Tool(name="b", parameters=PERSON),
        Tool(name="c", parameters=OPTIONAL, strict=True),
    ]
    for provider, model in (("openai", "gpt-4.1"), ("openai/chat", "gpt-4.1"), ("anthropic", "claude-sonnet-4-6")):
        body, warnings = sent(provider, model=model, tools=tools)
        first, second, third = [tool.get("function", tool) for tool in body["tools"]]
        assert "minLength" not in json.dumps(first)
        assert "minLength" in json.dumps(second)
        assert first["strict"] is True
        assert "options.tools[0].parameters: " in warnings["schema_reduced"]
        if provider != "anthropic":
            assert third["strict"] is False
            assert "options.tools[2].parameters: " in warnings["schema_not_enforced"]


@pytest.mark.parametrize("reference", ["https://example.test/s.json", "#/$defs/nothing"])
def test_a_reference_that_leads_nowhere_is_an_error_of_the_caller(reference: str) -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": reference}}, "required": ["a"]}
    with pytest.raises(InvalidRequestError, match=r"options\.response_format\.schema\.properties\.a\.\$ref"):
        sent("openai", **answer(schema))


def test_definitions_survive_what_strict_mode_asks_of_them() -> None:
    """As pydantic writes them: the whole by a reference, a description beside one, and `allOf` around a single one."""
    dog = {"type": "object", "properties": {"name": {"type": "string", "default": "x"}}, "required": ["name"]}
    owner = {
        "type": "object",
        "properties": {
            "dog": {"allOf": [{"$ref": "#/$defs/Dog"}], "description": "His"},
            "cat": {"$ref": "#/$defs/Dog", "description": "?"},
        },
        "required": ["dog", "cat"],
    }
    body, warnings = sent("openai", **answer({"$ref": "#/$defs/Owner", "$defs": {"Dog": dog, "Owner": owner}}))
    schema = body["text"]["format"]["schema"]
    closed = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"], "additionalProperties": False}
    assert schema["properties"]["dog"] == {**closed, "description": "His"}
    assert schema["properties"]["cat"] == {**closed, "description": "?"}
    assert schema["type"] == "object"
    assert body["text"]["format"]["strict"] is True
    assert warnings == {}


def test_nesting_without_end_is_cut_not_followed() -> None:
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(300):
        deep = {"type": "object", "properties": {"a": deep}, "required": ["a"]}
    for provider in ("openai", "anthropic", "gemini", "ollama", "cohere"):
        try:
            sent(provider, **answer(deep))
        except CallerError as refused:
            pytest.fail(f"{provider}: {refused}")
