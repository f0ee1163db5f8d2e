"""The OpenAPI 3.1 document, from the same table and the same types that the router uses. Knows no route by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from parley.server.errors import ErrorDocument
from parley.server.handlers import PATH_PARAMETER, Signature, signature_of
from parley.server.policy import Policy, Route
from parley.server.twins import camel

REFERENCES: Final = "#/components/schemas/{name}"
CLIENT_GONE: Final = 499
"""What nobody reads any more; not in the standard, yet known to every operator since nginx."""
_PROVIDER_NAME: Final = "ProviderName"
_PROVIDER_FIELDS: Final = frozenset({"provider", "defaultProvider"})
_UNDERSCORED: Final = re.compile(r"_(\w)")


def openapi_document(routes: Sequence[Route], *, version: str, server_url: str, providers: Sequence[str] = ()) -> dict[str, Any]:
    """The document for every documented route. Each error it names follows from policy, body and the route's own list.

    `providers` are the names that answer now: examples of what a request may name, since more can be set up while the server runs.
    """
    documented = [(route, signature_of(route)) for route in routes if route.documented]
    schemas = _schemas([signature for _, signature in documented], providers)
    paths: dict[str, dict[str, Any]] = {}
    for route, signature in documented:
        paths.setdefault(_path(route), {})[route.method.lower()] = _operation(route, signature, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley", "version": version, "description": "One API in front of any AI provider."},
        "servers": [{"url": server_url}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "A token from sign-in, or an API key."}},
        },
    }


def errors_of(route: Route) -> list[int]:
    """Every status in which a route may fail."""
    signature = signature_of(route)
    statuses = {500, 503, *route.errors}
    if route.policy.identified:
        statuses.add(401)
        if "anonymous" not in route.policy.principals:
            statuses.add(403)
    if signature.path_parameters:
        statuses.add(404)
    if signature.body is not None:
        statuses |= {400, 413, 422}
    if signature.query is not None:
        statuses.add(422)
    return sorted(statuses)


class _Schemas(Struct):
    """The schema of each twin, in place, and those they refer to."""

    places: dict[type[Struct], dict[str, Any]]
    components: dict[str, Any]


def _schemas(signatures: Sequence[Signature], providers: Sequence[str]) -> _Schemas:
    types: list[type[Struct]] = [ErrorDocument]
    for signature in signatures:
        types += [camel(signature.body, closed=True)] if signature.body is not None else []
        types += [camel(reply) for reply in signature.replies]
    unique = list(dict.fromkeys(types))
    found, components = msgspec.json.schema_components(unique, ref_template=REFERENCES)
    places = dict(zip(unique, found, strict=True))
    bodies = (places[camel(signature.body, closed=True)] for signature in signatures if signature.body is not None)
    for properties in (components[place["$ref"].rpartition("/")[2]].get("properties", {}) for place in bodies):
        for name in _PROVIDER_FIELDS & properties.keys():
            properties[name] = _naming_a_provider(properties[name])
    components[_PROVIDER_NAME] = {
        "type": "string",
        "description": "One of these, or another that is set up while the server runs.",
        "examples": list(providers),
    }
    return _Schemas(places=places, components=components)


def _naming_a_provider(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a text, or of one that may be null, with what texts may be."""
    if schema.get("type") == "string":
        rest = {key: value for key, value in schema.items() if key != "type"}
        return {"$ref": REFERENCES.format(name=_PROVIDER_NAME), **rest}
    return {**schema, "anyOf": [_naming_a_provider(choice) for choice in schema["anyOf"]]} if "anyOf" in schema else schema


def _operation(route: Route, signature: Signature, schemas: _Schemas) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.handler.__qualname__.replace(".", "_"),
        "summary": route.summary,
        "tags": [route.policy.resource],
        "x-parley-policy": _policy(route.policy),
        "responses": {str(route.status): _success(route, signature, schemas)} | _failures(route, schemas),
    }
    if parameters := [*_path_parameters(route, signature), *_query_parameters(signature)]:
        operation["parameters"] = parameters
    if signature.body is not None:
        body = schemas.places[camel(signature.body, closed=True)]
        operation["requestBody"] = {"required": True, "content": {route.body_media_type: {"schema": body}}}
    elif route.body_schema:
        operation["requestBody"] = {"required": True, "content": {route.body_media_type: {"schema": dict(route.body_schema)}}}
    if route.policy.identified:
        operation["security"] = [{"bearer": []}, *([{}] if "anonymous" in route.policy.principals else [])]
    return operation


def _success(route: Route, signature: Signature, schemas: _Schemas) -> dict[str, Any]:
    described: dict[str, Any] = {"description": HTTPStatus(route.status).phrase}
    if route.status == HTTPStatus.NO_CONTENT:
        return described
    places = [schemas.places[camel(reply)] for reply in signature.replies]
    described["content"] = {media_type: {"schema": _reply_schema(places, media_type)} for media_type in route.media_types}
    return described


def _reply_schema(places: Sequence[dict[str, Any]], media_type: str) -> dict[str, Any]:
    """Of one of these; where none is known, JSON may be anything, and everything else is text."""
    if not places:
        return {} if media_type == "application/json" else {"type": "string"}
    return places[0] if len(places) == 1 else {"anyOf": list(places)}


def _failures(route: Route, schemas: _Schemas) -> dict[str, Any]:
    # Where a vendor's wire is spoken, so are its errors.
    schema = {"type": "object"} if route.render_error else schemas.places[ErrorDocument]
    content = {"application/json": {"schema": schema}}
    return {str(status): {"description": _phrase(status), "content": content} for status in errors_of(route)}


def _phrase(status: int) -> str:
    return "Client Closed Request" if status == CLIENT_GONE else HTTPStatus(status).phrase


def _path(route: Route) -> str:
    return PATH_PARAMETER.sub(lambda match: "{" + _camel_name(match[1]) + "}", route.path)


def _path_parameters(route: Route, signature: Signature) -> list[dict[str, Any]]:
    schema = {"$ref": REFERENCES.format(name=_PROVIDER_NAME)} if route.policy.resource == "provider" else {"type": "string"}
    return [{"name": _camel_name(name), "in": "path", "required": True, "schema": schema} for name in signature.path_parameters]


def _query_parameters(signature: Signature) -> list[dict[str, Any]]:
    if signature.query is None:
        return []
    (place,), components = msgspec.json.schema_components([signature.query], ref_template=REFERENCES)
    properties: dict[str, Any] = components[place["$ref"].rpartition("/")[2]]["properties"]
    return [
        {"name": info.encode_name, "in": "query", "required": info.required, "schema": properties[info.encode_name]}
        for info in structs.fields(signature.query)
    ]


def _policy(policy: Policy) -> dict[str, Any]:
    return {
        "resource": policy.resource,
        "verb": policy.verb,
        "principals": sorted(policy.principals),
        "scopes": sorted(policy.scopes),
    }


def _camel_name(name: str) -> str:
    return _UNDERSCORED.sub(lambda match: match[1].upper(), name)
