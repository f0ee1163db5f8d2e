"""The API's reference as one plain page, made from the OpenAPI document. Loads nothing from anywhere and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

REFERENCE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; --line: color-mix(in srgb, currentColor 18%, transparent) }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; text-transform: capitalize }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0; padding: .4rem .8rem }
summary { cursor: pointer } code, .method { font: .9em ui-monospace, monospace }
.method { display: inline-block; min-width: 4rem; font-weight: 700 } .note { opacity: .75 }
table { border-collapse: collapse; margin: .5rem 0 } td, th { text-align: left; vertical-align: top; padding: .2rem 1rem .2rem 0 }
"""
_MAX_DEPTH: Final = 4


def reference_page(document: Mapping[str, Any]) -> str:
    """The whole page."""
    title = escape(f"{document['info']['title']} API {document['info']['version']}")
    body = "\n".join(_resources(document))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f'<p>{escape(document["info"]["description"])} The same as <a href="openapi.json">an OpenAPI document</a>.</p>'
        f"{body}</body></html>\n"
    )


def _resources(document: Mapping[str, Any]) -> Iterator[str]:
    by_resource: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            by_resource.setdefault(operation["tags"][0], []).append(_operation(document, f"{method.upper()} {path}", operation))
    for resource, operations in sorted(by_resource.items()):
        yield f"<h2>{escape(resource)}</h2>" + "".join(operations)


def _operation(document: Mapping[str, Any], place: str, operation: Mapping[str, Any]) -> str:
    method, _, path = place.partition(" ")
    parts = [
        f'<details><summary><span class="method">{method}</span><code>{escape(path)}</code> '
        f'<span class="note">{escape(operation["summary"])}</span></summary>',
        f'<p class="note">For: {escape(", ".join(operation["x-parley-policy"]["principals"]))}</p>',
    ]
    if operation.get("parameters"):
        rows = [(parameter["name"], parameter["schema"], parameter["required"]) for parameter in operation["parameters"]]
        parts.append("<h4>Parameters</h4>" + _table(document, rows, 0))
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"<h4>Body <code>{escape(media_type)}</code></h4>{_schema(document, content['schema'], 0)}")
    for status, response in operation["responses"].items():
        for media_type, content in response.get("content", {}).items() if status < "400" else ():
            parts.append(f"<h4>{status} <code>{escape(media_type)}</code></h4>{_schema(document, content['schema'], 0)}")
    failures = ", ".join(status for status in operation["responses"] if status >= "400")
    return "".join(parts) + f'<p class="note">Errors: {failures}</p></details>'


def _schema(document: Mapping[str, Any], schema: Mapping[str, Any], depth: int) -> str:
    resolved = _resolved(document, schema)
    properties: Mapping[str, Any] = resolved.get("properties", {})
    if not properties or depth >= _MAX_DEPTH:
        return ""
    required = resolved.get("required", [])
    return _table(document, [(name, part, name in required) for name, part in properties.items()], depth)


def _table(document: Mapping[str, Any], rows: list[tuple[str, Mapping[str, Any], bool]], depth: int) -> str:
    cells = [
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(document, schema))}{_optional(required)}"
        f"{_schema(document, _item(document, schema), depth + 1)}</td></tr>"
        for name, schema, required in rows
    ]
    return f"<table>{''.join(cells)}</table>"


def _item(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is worth unfolding: the elements of a list, the one object among alternatives."""
    resolved = _resolved(document, schema)
    if items := _items(resolved):
        return items
    objects = [choice for choice in resolved.get("anyOf", []) if "properties" in _resolved(document, choice)]
    return objects[0] if len(objects) == 1 else resolved


def _type(document: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    resolved = _resolved(document, schema)
    if "enum" in resolved:
        return " | ".join(str(value) for value in resolved["enum"])
    if "anyOf" in resolved:
        return " | ".join(_type(document, choice) for choice in resolved["anyOf"])
    if resolved.get("type") == "array":
        return f"list of {_type(document, _items(resolved))}"
    examples = ", ".join(str(value) for value in resolved.get("examples", []))
    return f"{resolved.get('type', 'any')}, such as {examples}" if examples else str(resolved.get("type", "any"))


def _items(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a list holds; a tuple says `false`, as there is nothing behind its fixed places."""
    items: Any = schema.get("items")
    return items or {}


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if reference := schema.get("$ref"):
        return document["components"]["schemas"][reference.rpartition("/")[2]]
    return schema


def _optional(required: bool) -> str:
    return "" if required else ' <span class="note">optional</span>'
