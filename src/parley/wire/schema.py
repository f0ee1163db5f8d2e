"""Rewrites a JSON Schema for wires that take only a subset of it, and says what was lost. Knows no vendor: the wire says what it takes.

https://json-schema.org/draft/2020-12.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from parley.contract.errors import FieldProblem, InvalidRequestError, UnsupportedFeatureError
from parley.wire.json_values import list_of, object_of, text_of

MAX_DEPTH = 64
ANNOTATIONS = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$vocabulary", "title", "description", "default", "example", "examples"}
    | {"deprecated", "readOnly", "writeOnly", "discriminator", "propertyOrdering", "$defs", "definitions"}
)
"""What says nothing of what an answer must look like: to leave it out loses no rule."""

_SCHEMA_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_SCHEMA_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "contains", "if", "then", "else", "propertyNames", "unevaluatedProperties")
_LIMITS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
# Without these an answer has another shape, not only fewer rules.
_SHAPES = frozenset({"allOf", "anyOf", "oneOf", "$ref", "prefixItems", "patternProperties", "items", "properties", "enum", "const", "type"})
# Values with which a keyword rules nothing.
_IDLE: dict[str, tuple[Any, ...]] = {
    "uniqueItems": (False,),
    "minItems": (0,),
    "minLength": (0,),
    "minProperties": (0,),
    "additionalProperties": (True, False),
    "unevaluatedProperties": (True, False),
    "required": ([],),
}
_NO_SCHEMAS = ("enum", "const", "default", "examples", "example")


class SchemaSubset(Struct, frozen=True, kw_only=True):
    """What a wire takes. `keywords` are those it knows (None: all) but for `unknown`, `formats` the values of `format` (None: any).

    `inline_references` puts definitions where they are used, `bare_references` does where other words stand beside a reference, and
    without `recursion` no definition may hold itself. `nullable` writes `{"type": ["string", "null"]}` as
    `{"type": "string", "nullable": true}`; `enum_for_const` and `any_for_one` write `const` as a one-value `enum` and `oneOf` as `anyOf`.
    `root_object`: the whole is an object. `closed`: no object holds more than its properties, `all_required`: nor fewer.
    `number_limits`: limits bind numbers, not integers alone; `open_patterns`: a pattern need not span the whole text.
    `when_strict`: all this holds where strictness is asked for; else, and where it cannot be had, any schema goes as a hint.
    """

    keywords: frozenset[str] | None = None
    unknown: frozenset[str] = frozenset()
    formats: frozenset[str] | None = None
    inline_references: bool = False
    bare_references: bool = False
    recursion: bool = True
    nullable: bool = False
    enum_for_const: bool = False
    any_for_one: bool = False
    root_object: bool = False
    closed: bool = False
    all_required: bool = False
    number_limits: bool = True
    open_patterns: bool = True
    when_strict: bool = False

    def takes(self, keyword: str) -> bool:
        """Whether the wire knows a keyword."""
        return keyword not in self.unknown and (self.keywords is None or keyword in self.keywords)


class Downgraded(Struct, frozen=True, kw_only=True):
    """A schema in the subset's words. `dropped` names the rules that are left out, as "minimum at properties.age"; `misshapen` those
    without which answers have another shape than was asked for.
    """

    schema: dict[str, Any]
    dropped: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        """All that was left out."""
        return (*self.misshapen, *self.dropped)


def downgrade(schema: dict[str, Any], subset: SchemaSubset, *, where: str = "schema") -> Downgraded:
    """The schema in the subset's words; the original is not changed. `where` is its place in the request, for errors.

    Raises InvalidRequestError for a reference that leads nowhere, UnsupportedFeatureError where no part of it can be said.
    """
    return _Rewriting(schema, subset, where=where).whole()


class _Rewriting:
    """One schema on its way into a subset; collects what is lost."""

    def __init__(self, root: dict[str, Any], subset: SchemaSubset, *, where: str) -> None:
        self._root = root
        self._subset = subset
        self._where = where
        self._dropped: dict[str, None] = {}
        self._misshapen: dict[str, None] = {}

    def whole(self) -> Downgraded:
        root = self._root
        if self._subset.root_object:
            root = self._as_object(root)
        written = self._rewrite(root, path=(), seen=())
        return Downgraded(schema=written, dropped=tuple(self._dropped), misshapen=tuple(self._misshapen))

    def _as_object(self, root: dict[str, Any]) -> dict[str, Any]:
        reference = text_of(root.get("$ref"))
        if reference:
            beside = {key: value for key, value in root.items() if key != "$ref"}
            root = {**self._target(reference, ()), **beside}
        kind = root.get("type")
        if kind != "object" and not (kind is None and "properties" in root):
            found = f"of type {kind}" if kind else "of no type" if not root.get("anyOf") and not root.get("oneOf") else "a choice"
            problem = f"the vendor takes only an object at the top, and this is {found}; put it into a property of an object"
            raise UnsupportedFeatureError(f"{self._where}: {problem}", fields=[FieldProblem(path=self._where, message=problem)])
        return root

    def _rewrite(self, schema: dict[str, Any], *, path: tuple[str, ...], seen: tuple[str, ...]) -> dict[str, Any]:
        if len(seen) > MAX_DEPTH:
            self._lose(f"everything deeper than {MAX_DEPTH} levels", path)
            return {}
        reference = text_of(schema.get("$ref"))
        if reference:
            target = self._target(reference, path)
            if self._inlines(schema, reference):
                if reference in seen:
                    self._lose("$ref to what it stands in", path, shape=True)
                    return {}
                beside = {key: value for key, value in schema.items() if key != "$ref"}
                return self._rewrite({**target, **beside}, path=path, seen=(*seen, reference))
            if not self._subset.recursion and self._reaches(reference, reference, set()):
                self._lose("$ref to what it stands in", path, shape=True)
            if self._subset.bare_references:
                schema = {"$ref": reference}
        return self._reword(self._merged(schema), path=path, seen=seen)

    def _inlines(self, schema: dict[str, Any], reference: str) -> bool:
        if self._subset.inline_references:
            return True
        return self._subset.bare_references and len(schema) > 1 and not self._reaches(reference, reference, set())

    def _reword(self, schema: dict[str, Any], *, path: tuple[str, ...], seen: tuple[str, ...]) -> dict[str, Any]:
        subset = self._subset
        written = {key: self._inside(key, value, path=path, seen=seen) for key, value in schema.items()}
        if subset.inline_references:
            written.pop("$defs", None)
            written.pop("definitions", None)
        if subset.enum_for_const and "const" in written:
            written["enum"] = [written.pop("const")]
        if subset.any_for_one and "oneOf" in written:
            written.setdefault("anyOf", written.pop("oneOf"))
        if subset.nullable:
            _mark_nullable(written)
        self._check_values(written, path)
        written = self._known(written, path)
        if _is_object(written):
            self._close(written, schema, path)
        return written

    def _inside(self, key: str, value: Any, *, path: tuple[str, ...], seen: tuple[str, ...]) -> Any:
        def within(inner: Any, *names: str) -> Any:
            below = (*path, key, *names)
            return self._rewrite(object_of(inner), path=below, seen=(*seen, "")) if isinstance(inner, dict) else inner

        # What is left out as a whole is named as a whole, not by what stands in it.
        if not self._subset.takes(key) and not (key == "oneOf" and self._subset.any_for_one):
            return value
        if key in _SCHEMA_MAPS:
            return {name: within(schema, name) for name, schema in object_of(value).items()}
        if key in _SCHEMA_LISTS:
            return [within(schema, str(number)) for number, schema in enumerate(list_of(value))]
        return within(value) if key in _SCHEMAS else value

    def _check_values(self, schema: dict[str, Any], path: tuple[str, ...]) -> None:
        """Keywords that the wire knows, with values that it does not."""
        subset = self._subset
        if subset.formats is not None and subset.takes("format") and schema.get("format", "") not in {*subset.formats, ""}:
            self._lose(f"format {schema.pop('format')}", path)
        if not subset.number_limits and schema.get("type") != "integer":
            for name in _LIMITS:
                if name in schema and subset.takes(name):
                    del schema[name]
                    self._lose(name, path)
        pattern = text_of(schema.get("pattern"))
        if not subset.open_patterns and subset.takes("pattern") and pattern and not (pattern.startswith("^") and pattern.endswith("$")):
            del schema["pattern"]
            self._lose("pattern without ^ and $", path)

    def _known(self, schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for key, value in schema.items():
            if self._subset.takes(key):
                known[key] = value
            elif key not in ANNOTATIONS and value not in _IDLE.get(key, ()):
                self._lose(key, path, shape=key in _SHAPES)
        return known

    def _close(self, written: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...]) -> None:
        properties = object_of(written.get("properties"))
        if self._subset.closed:
            more = schema.get("additionalProperties", "properties" not in schema)
            if isinstance(more, dict) or (more and not properties):
                self._lose("additionalProperties", path, shape=True)
            elif more:
                self._lose("additionalProperties", path)
            written["additionalProperties"] = False
        if self._subset.all_required:
            required = list_of(written.get("required"))
            for name in properties:
                if name not in required:
                    self._lose(f"optional {name}", (*path, "properties"), shape=True)

    def _merged(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Without `allOf`, where the wire does not know it and its parts do not contradict each other."""
        if self._subset.takes("allOf") or "allOf" not in schema:
            return schema
        merged = {key: value for key, value in schema.items() if key != "allOf"}
        parts = [object_of(part) for part in list_of(schema["allOf"])]
        for part in parts:
            reference = text_of(part.get("$ref"))
            if reference and len(parts) + len(merged) > 1:
                if self._reaches(reference, reference, set()):
                    return schema
                part = {**self._target(reference, ()), **{key: value for key, value in part.items() if key != "$ref"}}  # noqa: PLW2901
            for key, value in part.items():
                if key == "required":
                    merged[key] = [*dict.fromkeys([*list_of(merged.get(key)), *list_of(value)])]
                elif key == "properties" and not object_of(merged.get(key)).keys() & object_of(value).keys():
                    merged[key] = {**object_of(merged.get(key)), **object_of(value)}
                elif merged.setdefault(key, value) != value and key not in ANNOTATIONS:
                    return schema
        return merged

    def _target(self, reference: str, path: tuple[str, ...]) -> dict[str, Any]:
        """What a reference points at, by JSON pointer."""
        found: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list):
                found = next((item for number, item in enumerate(list_of(found)) if str(number) == name), None)
            else:
                found = object_of(found).get(name)
        if not reference.startswith("#") or not isinstance(found, dict):
            place = ".".join((self._where, *path, "$ref"))
            leads = "leads to nothing in this schema" if reference.startswith("#") else "leads out of this schema; only #/… is taken"
            problem = f'"{reference[:80]}" {leads}'
            raise InvalidRequestError(f"{place}: {problem}", fields=[FieldProblem(path=place, message=problem)])
        return object_of(found)

    def _reaches(self, reference: str, goal: str, visited: set[str]) -> bool:
        """Whether what stands at a reference leads to the goal."""
        visited.add(reference)
        for further in references_in(self._target(reference, ())):
            if further == goal or (further not in visited and self._reaches(further, goal, visited)):
                return True
        return False

    def _lose(self, what: str, path: tuple[str, ...], *, shape: bool = False) -> None:
        (self._misshapen if shape else self._dropped)[f"{what} at {'.'.join(path) or 'the top'}"] = None


def references_in(value: Any, depth: int = 0) -> Iterator[str]:
    """Every reference in a schema."""
    if depth > 4 * MAX_DEPTH:
        return
    if isinstance(value, dict):
        for key, inner in object_of(value).items():
            if key == "$ref" and isinstance(inner, str):
                yield inner
            elif key not in _NO_SCHEMAS:
                yield from references_in(inner, depth + 1)
    elif isinstance(value, list):
        for inner in list_of(value):
            yield from references_in(inner, depth + 1)


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)


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
