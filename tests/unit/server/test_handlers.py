from __future__ import annotations

from typing import Any

import pytest
from litestar import Litestar, Response
from litestar.testing import TestClient
from msgspec import Struct

from parley.server.boundary import Boundary, TrustedProxies
from parley.server.errors import handle_exception
from parley.server.handlers import Handlers
from parley.server.metrics import Metrics
from parley.server.openapi import errors_of, openapi_document
from parley.server.policy import Route, administrators, public, signed_in
from parley.server.reference import reference_page
from parley.services.errors import UnauthenticatedError
from parley.services.principals import SCOPES, Principal


class Body(Struct, kw_only=True):
    first_name: str = "nobody"


class Shown(Struct, kw_only=True):
    full_name: str
    user_id: str | None = None


class Query(Struct, kw_only=True):
    limit: int = 5


async def greet(principal: Principal, body: Body, query: Query) -> Shown:
    return Shown(full_name=f"{body.first_name} {query.limit}", user_id=principal.user_id)


async def thing(thing_id: str) -> Shown:
    return Shown(full_name=thing_id)


async def gone() -> None:
    return None


async def broken() -> Response[bytes]:
    raise ZeroDivisionError("secret detail")


async def authenticate(token: str) -> Principal:
    if token == "good":
        return Principal(user_id="u1", role="user", scopes=SCOPES, kind="jwt", token_id="t")
    raise UnauthenticatedError("no")


async def confirm(_principal: Principal, *, since_ms: int) -> None:
    return None


ROUTES = [
    Route(method="POST", path="/greet", handler=greet, policy=signed_in("greeting", "make", "chat"), summary="Greet", status=201),
    Route(method="GET", path="/things/{thing_id}", handler=thing, policy=public("thing", "read"), summary="A thing"),
    Route(method="DELETE", path="/gone", handler=gone, policy=administrators("thing", "remove"), summary="Remove", status=204),
    Route(method="GET", path="/broken", handler=broken, policy=public("thing", "break"), summary="Break"),
]
GOOD = {"Authorization": "Bearer good"}


@pytest.fixture
def client() -> TestClient[Litestar]:
    handlers = Handlers(authenticate=authenticate, confirm=confirm, metrics_token="")
    app = Litestar(
        [handlers.handler(route) for route in ROUTES],
        exception_handlers={Exception: handle_exception},
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = Boundary(app.asgi_handler, proxies=TrustedProxies([]), metrics=Metrics(), strict_transport=False)
    return TestClient(app)


def test_a_handler_gets_what_it_declares_and_its_reply_is_spelled_in_camel_case(client: TestClient[Litestar]) -> None:
    reply = client.post("/greet?limit=7", json={"firstName": "Ada"}, headers=GOOD)
    assert (reply.status_code, reply.json()) == (201, {"fullName": "Ada 7", "userId": "u1"})
    assert client.post("/greet", headers=GOOD).json()["fullName"] == "nobody 5"
    assert client.post("/greet", headers={"x-api-key": "good"}).status_code == 201


@pytest.mark.parametrize(
    ("headers", "body", "status", "path"),
    [
        ({}, "not json", 401, None),
        ({"Authorization": "Bearer bad"}, "{}", 401, None),
        ({"Authorization": "Basic Z29vZA=="}, "{}", 401, None),
        ({"Authorization": "Bearer"}, "{}", 401, None),
        (GOOD, "not json", 400, None),
        (GOOD, '{"first_name": "Ada"}', 422, "first_name"),
    ],
)
def test_the_policy_comes_before_the_body(
    client: TestClient[Litestar], headers: dict[str, str], body: str, status: int, path: str | None
) -> None:
    reply = client.post("/greet", content=body, headers=headers)
    assert reply.status_code == status
    assert [field["path"] for field in reply.json().get("fields", [])] == ([path] if path else [])


def test_what_is_no_id_names_nothing(client: TestClient[Litestar]) -> None:
    assert client.get("/things/01a204cd-ff61-708a-b894-be1bc17f4306").status_code == 200
    for name in ("1", "x' OR 1=1 --", "%00", "01A204CD-FF61-708A-B894-BE1BC17F4306"):
        assert client.get(f"/things/{name}").status_code == 404


def test_a_fault_is_an_error_without_details(client: TestClient[Litestar]) -> None:
    reply = client.get("/broken")
    assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
    assert "secret detail" not in reply.text


def test_a_route_without_a_policy_or_with_a_parameter_that_nothing_fills_is_refused() -> None:
    handlers = Handlers(authenticate=authenticate, confirm=confirm, metrics_token="")
    nobody: Any = None
    with pytest.raises(TypeError, match="no policy"):
        handlers.handler(Route(method="GET", path="/x", handler=gone, policy=nobody, summary=""))
    with pytest.raises(TypeError, match="nothing fills the parameter thing_id"):
        handlers.handler(Route(method="GET", path="/x", handler=thing, policy=public("x", "y"), summary=""))


def test_the_document_says_what_the_router_does() -> None:
    document = openapi_document(ROUTES, version="1", server_url="http://localhost")
    greeting = document["paths"]["/greet"]["post"]
    assert greeting["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Body"}
    assert document["components"]["schemas"]["Body"]["additionalProperties"] is False
    assert "fullName" in document["components"]["schemas"]["Shown"]["properties"]
    assert [parameter["name"] for parameter in greeting["parameters"]] == ["limit"]
    assert greeting["x-parley-policy"] == {"resource": "greeting", "verb": "make", "principals": ["admin", "user"], "scopes": ["chat"]}
    assert document["paths"]["/things/{thingId}"]["get"]["parameters"][0]["name"] == "thingId"
    assert errors_of(ROUTES[0]) == [400, 401, 403, 413, 422, 500, 503]
    assert "security" not in document["paths"]["/things/{thingId}"]["get"]


class Choice(Struct, frozen=True, kw_only=True):
    provider: str
    default_provider: str | None = None
    other: str = ""


async def choose(name: str, body: Choice) -> None:
    assert body.provider == name


def test_the_document_names_the_providers_that_may_be_asked_for_and_lets_others_be() -> None:
    policy = public("provider", "choose")
    document = openapi_document(
        [Route(method="PUT", path="/providers/{name}", handler=choose, policy=policy, summary="", status=204)],
        version="1",
        server_url="http://localhost",
        providers=["acme", "demo"],
    )
    schemas = document["components"]["schemas"]
    assert schemas["ProviderName"]["examples"] == ["acme", "demo"]
    assert schemas["ProviderName"]["type"] == "string"
    assert "enum" not in schemas["ProviderName"]
    reference = {"$ref": "#/components/schemas/ProviderName"}
    assert document["paths"]["/providers/{name}"]["put"]["parameters"][0]["schema"] == reference
    body = document["paths"]["/providers/{name}"]["put"]["requestBody"]["content"]["application/json"]["schema"]
    properties = schemas[body["$ref"].rpartition("/")[2]]["properties"]
    assert properties["provider"] == reference
    assert reference in properties["defaultProvider"]["anyOf"]
    assert properties["other"]["type"] == "string"
    assert "acme, demo" in reference_page(document)
