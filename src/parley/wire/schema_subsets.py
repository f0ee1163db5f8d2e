"""What wires and their dialects take of JSON Schema, as it is documented. Knows no request; what only one provider does stands in its file.

OpenAI: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas. Anthropic, and Bedrock in the same words:
https://docs.claude.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations. Gemini: https://ai.google.dev/api/caching#Schema.
Cohere: https://docs.cohere.com/docs/structured-outputs#unsupported-schema-features. llama.cpp, and Ollama which is built on it:
https://github.com/ggml-org/llama.cpp/tree/master/grammars#json-schemas--gbnf.
Compared with its page on 2026-11-25: Cohere's. The others are known from earlier reading; no recording shows what a vendor refuses.
"""

from __future__ import annotations

from parley.wire.schema import SchemaSubset

_CONDITIONS = frozenset({"not", "if", "then", "else", "dependentRequired", "dependentSchemas"})
_LENGTHS = frozenset({"minLength", "maxLength"})
_SIZES = frozenset({"minItems", "maxItems"})
_RARE = frozenset(
    {"patternProperties", "propertyNames", "minProperties", "maxProperties", "unevaluatedProperties", "unevaluatedItems"}
    | {"contains", "minContains", "maxContains", "uniqueItems"}
)
_FORMATS = frozenset({"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"})

STRICT_SCHEMA = SchemaSubset(
    unknown=_CONDITIONS | _LENGTHS | _RARE | {"allOf", "prefixItems", "$schema", "$id", "default", "discriminator"},
    formats=_FORMATS,
    any_for_one=True,
    bare_references=True,
    root_object=True,
    closed=True,
    all_required=True,
    when_strict=True,
)
"""OpenAI's strict mode, which others have taken over."""

GRAMMAR_SCHEMA = SchemaSubset(
    unknown=_CONDITIONS | _RARE | {"multipleOf"},
    formats=frozenset({"date", "time", "date-time", "uuid", "uuid1", "uuid2", "uuid3", "uuid4", "uuid5"}),
    number_limits=False,
    open_patterns=False,
)
"""What llama.cpp makes a grammar of; the rest it passes over in silence, or fails at."""

CLOSED_SCHEMA = SchemaSubset(
    keywords=frozenset(
        {"type", "properties", "required", "items", "enum", "const", "anyOf", "allOf", "$ref", "$defs", "definitions"}
        | {"title", "description", "default", "format", "additionalProperties"}
    ),
    formats=_FORMATS | {"uri"},
    any_for_one=True,
    recursion=False,
    closed=True,
)
"""What Anthropic enforces."""

COHERE_SCHEMA = SchemaSubset(
    unknown=_CONDITIONS | _LENGTHS | _SIZES | _RARE | {"anyOf", "allOf", "oneOf", "minimum", "maximum", "additionalProperties"},
    formats=frozenset({"date-time", "uuid", "date", "time"}),
    root_object=True,
)

_GEMINI = frozenset(
    {"type", "format", "title", "description", "enum", "items", "minItems", "maxItems", "minimum", "maximum", "anyOf"}
    | {"properties", "required", "propertyOrdering"}
)
GEMINI_SCHEMA = SchemaSubset(
    keywords=_GEMINI | {"$defs", "$ref", "$id", "$anchor", "prefixItems", "oneOf", "additionalProperties"},
    enum_for_const=True,
)
OPENAPI_SCHEMA = SchemaSubset(
    keywords=_GEMINI | {"nullable", "pattern", "minLength", "maxLength", "default", "example"},
    inline_references=True,
    nullable=True,
    enum_for_const=True,
    any_for_one=True,
)
"""What Gemini took before it took JSON Schema: a part of OpenAPI 3.0's schemas."""
