from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from parley.server.errors import handle_exception
from parley.server.handlers import Handlers
from parley.server.pages import Pages
from parley.server.routes.system import page_routes
from parley.services.errors import UnauthenticatedError
from parley.services.principals import Principal

SCRIPT = "export const answer = 42;\n" * 200


async def everybody(_principal: Principal, *, since_ms: int) -> None:
    pass


async def nobody(_token: str) -> Principal:
    raise UnauthenticatedError("no")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "static" / "assets").mkdir(parents=True)
    (tmp_path / "static" / "index.html").write_text("<!doctype html><title>first</title>")
    (tmp_path / "static" / "assets" / "app-1a2b3c.js").write_text(SCRIPT)
    (tmp_path / "secret.txt").write_text("secret")
    return tmp_path / "static"


def client(directory: Path, **named: Any) -> TestClient[Litestar]:
    handlers = Handlers(authenticate=nobody, confirm=everybody, metrics_token="")
    app = Litestar(
        [handlers.handler(route) for route in page_routes(Pages(directory, **named))],
        openapi_config=None,
        logging_config=None,
        exception_handlers={Exception: handle_exception},
    )
    inner = app.asgi_handler

    async def with_id(scope, receive, send):
        scope["state"]["parley.request_id"] = "id"
        await inner(scope, receive, send)

    app.asgi_handler = with_id
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/chat/0193", "/setup", "/settings/keys/"])
def test_every_page_address_gets_the_index_which_is_asked_for_again(built: Path, path: str) -> None:
    reply = client(built).get(path)
    assert (reply.status_code, reply.headers["cache-control"]) == (200, "no-cache")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "first" in reply.text
    assert "script-src 'self'" in reply.headers["content-security-policy"]
    assert "unsafe-inline" not in reply.headers["content-security-policy"].split("style-src")[0]


def test_hashed_files_are_kept_for_ever_and_compressed_where_taken(built: Path) -> None:
    with client(built) as browser:
        plain = browser.get("/assets/app-1a2b3c.js", headers={"Accept-Encoding": "identity"})
        assert "immutable" in plain.headers["cache-control"]
        assert plain.text == SCRIPT
        assert plain.headers["content-type"].startswith("text/javascript")
        with browser.stream("GET", "/assets/app-1a2b3c.js", headers={"Accept-Encoding": "gzip"}) as reply:
            assert gzip.decompress(b"".join(reply.iter_raw())).decode() == SCRIPT
        again = browser.get("/assets/app-1a2b3c.js", headers={"If-None-Match": plain.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/missing.js", "/assets/app-old.js", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/assets/%00.js"]
)
def test_what_is_not_there_is_not_found(built: Path, path: str) -> None:
    reply = client(built).get(path)
    assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
    assert "secret" not in reply.text


def test_a_page_built_anew_is_served_without_a_restart(built: Path) -> None:
    with client(built) as browser:
        assert "first" in browser.get("/").text
        (built / "index.html").write_text("<!doctype html><title>second</title>")
        os.utime(built / "index.html", ns=(1, 1))
        assert "second" in browser.get("/").text


def test_before_there_is_an_account_the_page_leads_to_set_up(built: Path) -> None:
    accounts: list[str] = []

    async def is_set_up() -> bool:
        return bool(accounts)

    with client(built, is_set_up=is_set_up) as browser:
        reply = browser.get("/", follow_redirects=False)
        assert (reply.status_code, reply.headers["location"], reply.headers["cache-control"]) == (303, "/setup", "no-store")
        assert "first" in browser.get("/setup").text
        accounts.append("ada")
        assert browser.get("/", follow_redirects=False).status_code == 200


def test_without_a_page_it_says_so(tmp_path: Path) -> None:
    reply = client(tmp_path).get("/")
    assert (reply.status_code, reply.json()["message"]) == (404, "this Parley was installed without its page")
