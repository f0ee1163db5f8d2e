from __future__ import annotations

import logging
from ipaddress import ip_network
from typing import Any

import pytest

from parley.server.boundary import Boundary, TrustedProxies, client_address_of, is_loopback
from parley.server.metrics import Metrics

PROXIES = TrustedProxies([ip_network("10.0.0.0/8"), ip_network("127.0.0.1/32")])


def scope(client: str | None = "127.0.0.1", *headers: tuple[str, str]) -> dict[str, Any]:
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers]
    address = (client, 1) if client else None
    return {"type": "http", "method": "GET", "path": "/x", "headers": encoded, "client": address, "state": {}}


@pytest.mark.parametrize(
    ("client", "forwarded", "expected"),
    [
        ("203.0.113.5", "198.51.100.7", "203.0.113.5"),
        ("10.1.1.1", "198.51.100.7", "198.51.100.7"),
        ("10.1.1.1", "6.6.6.6, 198.51.100.7, 10.2.2.2", "198.51.100.7"),
        ("10.1.1.1", "198.51.100.7, <script>", "10.1.1.1"),
        ("10.1.1.1", "", "10.1.1.1"),
        ("127.0.0.1", "2001:db8::1", "2001:db8::1"),
    ],
)
def test_only_what_a_trusted_proxy_says_is_believed(client: str, forwarded: str, expected: str) -> None:
    assert PROXIES.client_address(scope(client, ("X-Forwarded-For", forwarded))) == expected
    assert TrustedProxies([]).client_address(scope(client, ("X-Forwarded-For", forwarded))) == client


async def run(app: Any, asked: dict[str, Any], metrics: Metrics | None = None) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await Boundary(app, proxies=PROXIES, metrics=metrics or Metrics(), strict_transport=True)(asked, receive, send)
    return sent


async def fine(scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"own")]})
    await send({"type": "http.response.body", "body": b"fine"})


async def test_every_answer_carries_its_id_and_the_headers_that_protect() -> None:
    asked = scope("127.0.0.1", ("X-Request-ID", "mine"))
    headers = dict((await run(fine, asked))[0]["headers"])
    assert headers[b"x-request-id"] == b"mine"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"] == b"own"
    assert headers[b"cache-control"] == b"no-store"
    assert b"strict-transport-security" in headers


@pytest.mark.parametrize("forged", ["", "two words", "a" * 65, "line\nbreak"])
async def test_an_id_that_could_forge_a_line_is_replaced(forged: str) -> None:
    headers = dict((await run(fine, scope("127.0.0.1", ("X-Request-ID", forged))))[0]["headers"])
    assert headers[b"x-request-id"] != forged.encode()


async def test_what_is_forwarded_is_not_from_this_machine() -> None:
    seen: list[tuple[str, bool]] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        seen.append((client_address_of(scope), is_loopback(scope)))
        await fine(scope, receive, send)

    await run(look, scope("127.0.0.1"))
    await run(look, scope("127.0.0.1", ("X-Forwarded-For", "127.0.0.1")))
    await run(look, scope("192.0.2.1"))
    await run(look, scope(None))
    assert seen == [("127.0.0.1", True), ("127.0.0.1", False), ("192.0.2.1", False), ("", False)]


async def test_a_fault_is_logged_scrubbed_and_answered_without_details(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        raise ValueError("key sk-abcdefgh12345678")

    metrics = Metrics()
    with caplog.at_level(logging.ERROR, logger="parley"):
        sent = await run(broken, scope("127.0.0.1", ("X-Request-ID", "it")), metrics)
    assert (sent[0]["status"], sent[1]["body"]) == (500, b"")
    assert "request_id=it" in caplog.text
    assert "ValueError" in caplog.text
    assert "sk-abcdefgh" not in caplog.text
    assert b'parley_requests_total{method="GET",route="other",status="500"} 1.0' in metrics.exposition()
