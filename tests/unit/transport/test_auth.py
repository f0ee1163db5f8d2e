"""Where a key goes, and that it is seen nowhere else."""

from __future__ import annotations

from parley.contract.http import AuthScheme, HttpRequest
from parley.transport.auth import HeaderAuth, NoAuth

REQUEST = HttpRequest(method="POST", url="http://h/v1", headers={"Content-Type": "application/json"}, body=b"{}")


async def test_bearer_by_default() -> None:
    request = await HeaderAuth(AuthScheme(), "k1").apply(REQUEST)
    assert request.headers == {"Content-Type": "application/json", "Authorization": "Bearer k1"}
    assert (request.method, request.url, request.body) == (REQUEST.method, REQUEST.url, REQUEST.body)
    assert "Authorization" not in REQUEST.headers


async def test_a_wires_own_header() -> None:
    request = await HeaderAuth(AuthScheme(header="x-api-key", prefix=""), "k1").apply(REQUEST)
    assert request.headers["x-api-key"] == "k1"


async def test_replaces_a_header_of_the_same_name() -> None:
    before = HttpRequest(method="GET", url="http://h", headers={"authorization": "old"})
    request = await HeaderAuth(AuthScheme(), "k1").apply(before)
    assert request.headers == {"Authorization": "Bearer k1"}


async def test_no_auth_changes_nothing() -> None:
    assert await NoAuth().apply(REQUEST) is REQUEST


def test_the_key_is_not_shown() -> None:
    assert "k1-secret" not in repr(HeaderAuth(AuthScheme(), "k1-secret"))
