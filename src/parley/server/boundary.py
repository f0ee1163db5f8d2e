"""What every request passes first and every answer last: request id, client address, security headers, metrics. Knows no route."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Send

from parley.server.metrics import Metrics
from parley.telemetry import get_logger

REQUEST_ID: Final = "parley.request_id"
CLIENT_ADDRESS: Final = "parley.client_address"
_log = get_logger(__name__)
_FITTING_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
_ALWAYS: Final[list[tuple[bytes, bytes]]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(self), geolocation=()"),
]
# For what is data: nothing in it may run, load or be framed. Pages bring a policy of their own.
_DATA_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NOT_KEPT: Final = (b"cache-control", b"no-store")


def request_id_of(scope: Any) -> str:
    """The id of this request, as it stands in its answer's header."""
    return scope["state"][REQUEST_ID]


def header_of(scope: Any, name: bytes) -> str | None:
    """A request's header by its name in lower case. Litestar's own way makes a mapping of all of them first."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def client_address_of(scope: Any) -> str:
    """The client's address; through a trusted proxy, the one that it names."""
    return scope["state"][CLIENT_ADDRESS]


def log_unexpected(exception: BaseException, request_id: str) -> None:
    """Write down what happened, under the id that the caller was given."""
    from traceback import format_exception

    _log.error("unexpected_error", request_id=request_id, traceback="".join(format_exception(exception)))


class TrustedProxies:
    """The networks whose X-Forwarded-For is believed (TRUSTED_PROXIES); of anybody else it is ignored."""

    def __init__(self, networks: Sequence[IPv4Network | IPv6Network]) -> None:
        self._networks = networks

    def client_address(self, scope: Any) -> str:
        """From the right, the first address that is no trusted proxy: what stands left of it, anybody may have written."""
        client: tuple[str, int] | None = scope.get("client")
        address = client[0] if client else ""
        if not self._networks or not self._is_trusted(address):
            return address
        for forwarded in reversed(_forwarded(scope)):
            if not _is_address(forwarded):
                return address
            address = forwarded
            if not self._is_trusted(address):
                return address
        return address

    def _is_trusted(self, address: str) -> bool:
        return _is_address(address) and any(ip_address(address) in network for network in self._networks)


class Boundary:
    """Wraps the whole application, errors and unknown paths included."""

    def __init__(self, app: ASGIApp, *, proxies: TrustedProxies, metrics: Metrics, strict_transport: bool) -> None:
        self._app = app
        self._proxies = proxies
        self._metrics = metrics
        self._always = _ALWAYS + ([(b"strict-transport-security", b"max-age=31536000")] if strict_transport else [])

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        request_id = _asked_id(scope) or secrets.token_hex(12)
        scope["state"][REQUEST_ID] = request_id
        scope["state"][CLIENT_ADDRESS] = self._proxies.client_address(scope)
        if scope["type"] == "websocket":
            await self._serve_socket(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *self._missing(message["headers"])]
            await send(message)

        try:
            await self._app(scope, receive, send_guarded)
        except Exception as error:  # noqa: BLE001 - the last resort: the server below would write it to its log unscrubbed
            log_unexpected(error, request_id)
            if not status:
                await send_guarded({"type": "http.response.start", "status": 500, "headers": []})
                await send_guarded({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            seconds = time.perf_counter() - started
            self._metrics.count_request(scope, status=status, seconds=seconds)
            if _log.debug_enabled:
                _log.debug("request", id=request_id, method=scope["method"], path=scope["path"], status=status, seconds=seconds)

    async def _serve_socket(self, scope: Any, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - as for requests
            log_unexpected(error, request_id_of(scope))

    def _missing(self, headers: Any) -> list[tuple[bytes, bytes]]:
        present = {name.lower() for name, _ in headers}
        return self._always + [header for header in (_DATA_POLICY, _NOT_KEPT) if header[0] not in present]


def is_loopback(scope: Any) -> bool:
    """Whether this comes from the machine itself. What a proxy passed on does not, whoever the proxy is."""
    address = client_address_of(scope)
    return _is_address(address) and ip_address(address).is_loopback and not _was_forwarded(scope)


def _was_forwarded(scope: Any) -> bool:
    return any(name in {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"} for name, _ in scope["headers"])


def _forwarded(scope: Any) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
    return [address.strip() for value in values for address in value.split(",")]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _asked_id(scope: Any) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _FITTING_ID.fullmatch(value):
            return value.decode("ascii")
    return None
