"""Who may do what, on every route of the server's own table; whose ids are found; where secrets never appear."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from parley.config import load_settings
from parley.server.app import route_table
from parley.server.composition import Services
from parley.server.handlers import PATH_PARAMETER, signature_of
from parley.server.metrics import Metrics
from parley.server.policy import MEBIBYTE, Route
from parley.services.principals import SCOPES
from parley.services.tokens import Tokens

from .server_process import PASSWORD, Account, Reply, ServerProcess, running_server

SIGNING_SECRET = "qN3x8vR5tY7uW1zB4dF6hJ9kL2mP0sTc"
# A minimal body for each route that needs one; ids are put in by name.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/v1/auth/register": {"username": "fresh", "email": "fresh@example.com", "password": PASSWORD},
    "POST /api/v1/auth/login": {"username": "nobody", "password": PASSWORD},
    "POST /api/v1/auth/refresh": {"refreshToken": "rk-unknown"},
    "PUT /api/v1/auth/password": {"currentPassword": PASSWORD, "newPassword": PASSWORD + "!"},
    "POST /api/v1/keys": {"name": "script"},
    "POST /api/v1/chat/message": {"sessionId": "{session_id}", "message": "code", "attachments": ["{attachment_id}"]},
    "POST /api/v1/chat/message/simple": {"sessionId": "{session_id}", "message": "code", "attachments": ["{attachment_id}"]},
    "PATCH /api/v1/chat/messages/{message_id}": {"message": "table"},
    "PATCH /api/v1/chat/sessions/{session_id}": {"shownMessageId": "{message_id}"},
    "POST /v1/chat/completions": {"model": "demo", "messages": [{"role": "user", "content": "code"}]},
}
# These answer with the refusal of the credentials in the body, which is no refusal of the caller.
REFUSE_BY_BODY = {"POST /api/v1/auth/login", "POST /api/v1/auth/refresh"}
# These end the sign-in of whoever calls them.
SELF_ENDING = {"POST /api/v1/auth/logout", "PUT /api/v1/auth/password"}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f00050001ff89993d1d0000000049454e44ae426082"
)


async def routes_of_the_server(directory: Path) -> Sequence[Route]:
    """The table that router and OpenAPI are made from."""
    environ = {"PARLEY_DATA_DIR": str(directory), "PARLEY_ENV": "development"}
    settings = load_settings(environ=environ, directory=directory)
    services = await Services.open(settings)
    try:
        return list(route_table(settings, services, metrics=Metrics()))
    finally:
        await services.aclose()


def name_of(route: Route) -> str:
    return f"{route.method} {route.path}"


class Ids(Struct, frozen=True):
    """One of each thing that has an id, all of one owner."""

    session_id: str
    message_id: str
    key_id: str
    attachment_id: str
    name: str = "demo"
    path: str = "anything"

    def fill(self, value: Any) -> Any:
        """The same with ids in the place of their names."""
        if isinstance(value, str):
            return PATH_PARAMETER.sub(lambda match: getattr(self, match[1]), value)
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        return {name: self.fill(item) for name, item in value.items()} if isinstance(value, dict) else value


async def make_ids(server: ServerProcess, account: Account) -> Ids:
    token = account.token
    session_id = await server.session(token)
    answered = await server.answer(token, session_id, "code")
    key = await server.request("POST", "/api/v1/keys", token=token, json={"name": "script"})
    return Ids(session_id, answered["userMessage"]["id"], key.json()["id"], await upload(server, token))


async def upload(server: ServerProcess, token: str) -> str:
    reply = await server.request("POST", "/api/v1/attachments", token=token, data=form())
    assert reply.status == 201, reply.body
    return reply.json()["id"]


def form() -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field("file", PNG, filename="dot.png", content_type="image/png")
    return data


async def call(server: ServerProcess, route: Route, ids: Ids, *, token: str | None = None, **options: Any) -> Reply:
    """One well-formed request of a route."""
    if "data" not in options and "json" not in options and route.method in {"POST", "PUT", "PATCH"}:
        if route.body_media_type == "multipart/form-data":
            options["data"] = form()
        elif name_of(route) in BODIES:
            options["json"] = ids.fill(BODIES[name_of(route)])
        elif signature_of(route).body is not None:
            options["json"] = {}
    return await server.request(route.method, ids.fill(route.path), token=token, **options)


def denial(route: Route, actor: str) -> int | None:
    """The status that the policy means for this actor; None where it lets them in."""
    policy = route.policy
    if not policy.identified or "operator" in policy.principals:
        return None
    if actor in {"expired", "revoked", "deactivated", "forged"}:
        return 401
    if actor == "anonymous":
        return None if "anonymous" in policy.principals else 401
    if "anonymous" in policy.principals:
        return None
    kind, _, scope = actor.partition(":")
    if "user" not in policy.principals and kind != "admin":
        return 403
    return 403 if scope and scope not in policy.scopes else None


def is_refusal(route: Route, reply: Reply) -> bool:
    return reply.status >= 500 or (reply.status in {401, 403} and name_of(route) not in REFUSE_BY_BODY)


@asynccontextmanager
async def peopled(directory: Path, **variables: str) -> AsyncIterator[tuple[ServerProcess, dict[str, Account]]]:
    """A server with an administrator, the owner of everything, and somebody else."""
    async with running_server(directory, JWT_SECRET=SIGNING_SECRET, **variables) as server:
        yield server, {name: await server.sign_up(name) for name in ("admin", "owner", "other")}


async def tokens_of(server: ServerProcess, people: dict[str, Account]) -> dict[str, str | None]:
    """A token, or its lack, for everybody that a policy can mean."""
    left = await server.sign_up("left")
    assert (await server.request("POST", "/api/v1/auth/logout", token=left.token, json={})).status == 204
    gone = await server.sign_up("gone")
    with closing(sqlite3.connect(server.data_directory / "parley.db")) as database, database:
        database.execute("UPDATE users SET is_active = 0 WHERE id = ?", [gone.id])
    owner = people["owner"].id
    long_ago = Tokens(SIGNING_SECRET, now=lambda: time.time() - 86_400)
    tokens: dict[str, str | None] = {
        "anonymous": None,
        "admin": people["admin"].token,
        "owner": people["owner"].token,
        "expired": long_ago.issue(owner, family="a-sign-in"),
        "forged": Tokens(SIGNING_SECRET[::-1]).issue(owner, family="a-sign-in"),
        "revoked": left.token,
        "deactivated": gone.token,
    }
    for name in ("admin", "owner"):
        for scope in sorted(SCOPES if name == "admin" else SCOPES - {"admin"}):
            asked = {"name": scope, "scopes": [scope]}
            made = await server.request("POST", "/api/v1/keys", token=tokens[name], json=asked)
            tokens[f"{name}:{scope}"] = made.json()["key"]
    return tokens


async def test_every_route_lets_in_whom_its_policy_names_and_nobody_else(tmp_path: Path) -> None:
    routes = await routes_of_the_server(tmp_path / "table")
    wrong: list[str] = []
    async with peopled(tmp_path) as (server, people):
        tokens = await tokens_of(server, people)
        known: dict[str, Ids] = {}
        for route in sorted(routes, key=lambda route: name_of(route) in SELF_ENDING):
            for actor, token in tokens.items():
                owner = "admin" if actor.startswith("admin") else "owner"
                denied = denial(route, actor)
                if owner not in known:
                    known[owner] = await make_ids(server, people[owner])
                passing = name_of(route) in SELF_ENDING and denied is None
                used = (await server.sign_up(f"{route.policy.verb}-by-{actor.replace(':', '-')}")).token if passing else token
                reply = await call(server, route, known[owner], token=used)
                if route.method == "DELETE" and denied is None:
                    del known[owner]
                if denied is not None and reply.status != denied:
                    wrong.append(f"{name_of(route)} for {actor}: {reply.status}, not {denied}")
                elif denied is None and is_refusal(route, reply):
                    wrong.append(f"{name_of(route)} for {actor}: {reply.status}, though the policy lets them in: {reply.body[:200]}")
    assert not wrong, "\n".join(wrong)


async def test_a_key_counts_alike_in_both_headers(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        account = await server.sign_up("ada")
        key = (await server.request("POST", "/api/v1/keys", token=account.token, json={"name": "k", "scopes": ["read"]})).json()["key"]
        for path, status in {"/api/v1/auth/profile": 200, "/api/v1/chat/sessions": 200, "/api/v1/keys": 403, "/v1/models": 200}.items():
            by_bearer = await server.request("GET", path, token=key)
            by_key = await server.request("GET", path, headers={"x-api-key": key})
            assert (by_bearer.status, by_key.status) == (status, status), path


async def test_what_belongs_to_somebody_else_does_not_exist(tmp_path: Path) -> None:
    routes = await routes_of_the_server(tmp_path / "table")
    wrong: list[str] = []
    async with peopled(tmp_path) as (server, people):
        foreign = await make_ids(server, people["owner"])
        for actor in ("other", "admin"):
            own = await make_ids(server, people[actor])
            for route in routes:
                named = set(PATH_PARAMETER.findall(route.path + json.dumps(BODIES.get(name_of(route), {})))) - {"name", "path"}
                for parameter in named:
                    mixed = Ids(*[getattr(foreign if field == parameter else own, field) for field in Ids.__struct_fields__])
                    reply = await call(server, route, mixed, token=people[actor].token)
                    if (reply.status, reply.json()["code"] if reply.status >= 400 else None) != (404, "not_found"):
                        wrong.append(f"{name_of(route)} by {actor}, {parameter} of somebody else: {reply.status} {reply.body[:200]}")
        stream = f"/api/v1/chat/sessions/{own.session_id}/stream"
        for options in (
            {"params": {"messageId": foreign.message_id}},
            {"headers": {"Last-Event-ID": f"{foreign.message_id}:3"}},
            {"params": {"messageId": (await make_ids(server, people["admin"])).message_id}},
        ):
            reply = await server.request("GET", stream, token=people["admin"].token, **options)
            if reply.status != 404:
                wrong.append(f"{stream} with {options}: {reply.status}")
        # A cursor is opaque to people, and still only a message's id.
        cursor = base64.urlsafe_b64encode(json.dumps(foreign.message_id).encode()).decode().rstrip("=")
        for path in (f"/api/v1/chat/sessions/{own.session_id}/messages", "/api/v1/attachments"):
            reply = await server.request("GET", path, token=people["admin"].token, params={"cursor": cursor})
            if foreign.message_id in reply.body.decode() or foreign.attachment_id in reply.body.decode():
                wrong.append(f"{path} with the cursor of somebody else: {reply.body[:200]}")
        for path in (f"/api/v1/chat/sessions/{foreign.session_id}", f"/api/v1/attachments/{foreign.attachment_id}"):
            assert (await server.request("GET", path, token=people["owner"].token)).status == 200
    assert not wrong, "\n".join(wrong)


async def test_no_body_raises_a_role_a_quota_or_speaks_for_another(tmp_path: Path) -> None:
    routes = await routes_of_the_server(tmp_path / "table")
    wrong: list[str] = []
    async with peopled(tmp_path) as (server, people):
        ids = await make_ids(server, people["admin"])
        for route in [route for route in routes if signature_of(route).body is not None]:
            for field, value in {"role": "admin", "quota": 1, "quotas": {}, "userId": people["other"].id, "isActive": True}.items():
                body = {**ids.fill(BODIES.get(name_of(route), {})), field: value}
                reply = await call(server, route, ids, token=people["admin"].token, json=body)
                if reply.status != 422 or field not in reply.json()["message"]:
                    wrong.append(f"{name_of(route)} with {field}: {reply.status} {reply.body[:200]}")
        profile = await server.request("GET", "/api/v1/auth/profile", token=people["other"].token)
        assert profile.json()["role"] == "user"
    assert not wrong, "\n".join(wrong)


async def test_bodies_that_are_too_large_malformed_or_of_another_kind(tmp_path: Path) -> None:
    routes = await routes_of_the_server(tmp_path / "table")
    wrong: list[str] = []
    async with peopled(tmp_path) as (server, people):
        ids, token = await make_ids(server, people["admin"]), people["admin"].token
        spaces = b" " * (10 * MEBIBYTE)
        cases = {
            "malformed": (b"{not JSON", 400, "malformed_json"),
            "a list": (b"[]", 422, "invalid_request"),
            "10 MB": (spaces, 413, "body_too_large"),
        }
        for route in [route for route in routes if signature_of(route).body is not None]:
            for kind, (data, status, code) in cases.items():
                headers = {"Content-Type": "application/json"}
                reply = await call(server, route, ids, token=token, data=io.BytesIO(data), headers=headers)
                if (reply.status, reply.json()["code"]) != (status, code):
                    wrong.append(f"{name_of(route)}, {kind}: {reply.status} {reply.body[:200]}")
        for path, size in {"/api/v1/attachments": 21, "/v1/chat/completions": 33}.items():
            headers = {"Content-Type": "multipart/form-data; boundary=b" if "attach" in path else "application/json"}
            reply = await server.request("POST", path, token=token, data=io.BytesIO(b" " * (size * MEBIBYTE)), headers=headers)
            if reply.status != 413:
                wrong.append(f"{path}, {size} MiB: {reply.status}")
        assert (await server.request("GET", "/ready")).status == 200
    assert not wrong, "\n".join(wrong)


async def test_metrics_are_for_this_machine_and_the_bearer_of_the_token(tmp_path: Path) -> None:
    metrics_token = "metrics-token-of-this-test"
    async with running_server(tmp_path, METRICS_TOKEN=metrics_token) as server:
        account = await server.sign_up("ada")
        from_afar = {"X-Forwarded-For": "203.0.113.9"}
        assert (await server.request("GET", "/metrics")).status == 200
        assert (await server.request("GET", "/metrics", headers=from_afar)).status == 401
        assert (await server.request("GET", "/metrics", headers=from_afar, token=account.token)).status == 401
        assert (await server.request("GET", "/metrics", headers=from_afar, token=metrics_token)).status == 200


async def test_many_who_sign_up_at_once_make_one_administrator(tmp_path: Path) -> None:
    async with running_server(tmp_path) as server:
        accounts = await asyncio.gather(*[server.sign_up(f"user-{number}") for number in range(10)])
        profiles = [await server.request("GET", "/api/v1/auth/profile", token=account.token) for account in accounts]
        assert sorted(profile.json()["role"] for profile in profiles) == ["admin"] + ["user"] * 9


async def test_outside_development_the_first_account_needs_the_code_that_the_server_printed(tmp_path: Path) -> None:
    async with running_server(tmp_path, PARLEY_ENV="local") as server:
        code = server.output.partition("/setup#")[2].split()[0]
        account = {"username": "ada", "email": "ada@example.com", "password": PASSWORD}
        for given in ({}, {"setupCode": ""}, {"setupCode": code[::-1]}):
            refused = await server.request("POST", "/api/v1/auth/register", json=account | given)
            assert (refused.status, refused.json()["code"]) == (403, "forbidden")
        made = await server.request("POST", "/api/v1/auth/register", json=account | {"setupCode": code})
        assert (made.status, made.json()["user"]["role"]) == (201, "admin")
        again = await server.request("POST", "/api/v1/auth/register", json=account | {"username": "eve", "setupCode": code})
        assert again.status == 403
