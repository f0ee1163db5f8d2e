"""Which addresses a user may make the server call: public ones, and what the operator allows. Knows no provider and sends no request."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from msgspec import Struct

from parley.contract.errors import FieldProblem, InvalidRequestError
from parley.transport.settings import Permits

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]

# The ports of Ollama, llama.cpp, vLLM, LM Studio, text-generation-inference, LocalAI, GPT4All and Jan on this machine.
LOOPBACK_INFERENCE_PORTS: Final = (11434, 8080, 8000, 8001, 1234, 3000, 5000, 4891, 1337)
DEFAULT_ALLOWED: Final = tuple(f"{host}:{port}" for host in ("127.0.0.1", "[::1]") for port in LOOPBACK_INFERENCE_PORTS)
RESOLVE_SECONDS = 5.0

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_.])?")
_ENTRY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]/:]+)(?::(?P<port>\d{1,5}))?")
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
_SCHEME_PORTS: Final = {"http": 80, "https": 443}


class Allowed(Struct, frozen=True):
    """One entry of the operator's list: a network or a host by name, on one port or (0) on all."""

    network: Network | None
    host: str
    port: int


def parse_allowed(entry: str) -> Allowed:
    """`10.0.0.0/8`, `gpu.internal`, `gpu.internal:8000`, `127.0.0.1:9000`, `[::1]:9000`. Raises ValueError with what to write instead."""
    if network := _network(entry):
        return Allowed(network, "", 0)
    match = _ENTRY.fullmatch(entry)
    port = int(match["port"] or 0) if match else 0
    if match is None or port > 65535:
        raise ValueError("is neither a host (gpu.internal, gpu.internal:8000) nor a network (10.0.0.0/8)")
    host = match["host"].strip("[]")
    if network := _network(host):
        return Allowed(network, "", port)
    if not _HOST.fullmatch(host):
        raise ValueError("is neither a host (gpu.internal, gpu.internal:8000) nor a network (10.0.0.0/8)")
    return Allowed(None, host.lower().rstrip("."), port)


class EndpointPolicy:
    """Tells a public endpoint from one that leads into the operator's own network."""

    def __init__(self, allowed: Sequence[str] = (), *, resolve: Resolve | None = None) -> None:
        self._allowed = [parse_allowed(entry) for entry in (*DEFAULT_ALLOWED, *allowed)]
        self._resolve = resolve or _resolve

    async def check(self, endpoint: str, *, path: str = "endpoint") -> None:
        """Raise InvalidRequestError, naming the field, unless every address behind the endpoint may be called."""
        if problem := await self._problem(endpoint):
            raise InvalidRequestError(f"{path} {problem}", fields=[FieldProblem(path=path, message=problem)])

    def permits(self, address: str, port: int) -> bool:
        """Whether requests may go to this address, which a connection already has."""
        return self._may_be_called(ipaddress.ip_address(address.partition("%")[0]), port)

    def permits_for(self, endpoint: str) -> Permits | None:
        """What a connection for this endpoint is held to; None where the operator allows the host by its name."""
        parts = urlsplit(endpoint)
        host = (parts.hostname or "").lower().rstrip(".")
        return None if self._is_named(host, parts.port or _SCHEME_PORTS.get(parts.scheme, 0)) else self.permits

    async def _problem(self, endpoint: str) -> str | None:
        try:
            parts = urlsplit(endpoint)
            port = parts.port or _SCHEME_PORTS.get(parts.scheme, 0)
        except ValueError:
            return "is no URL; write it like https://api.example.com/v1"
        host = (parts.hostname or "").lower().rstrip(".")
        if not port or not host or "@" in parts.netloc:
            return "is no base URL of http or https without a user in it; write it like https://api.example.com/v1"
        if self._is_named(host, port):
            return None
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in await self._resolve(host, port)]
        except (OSError, UnicodeError, ValueError, TimeoutError):
            return f"names the host {host[:253]!r}, which cannot be found; check its spelling"
        if addresses and all(self._may_be_called(address, port) for address in addresses):
            return None
        return (
            f"leads to a private address ({host[:253]}); to allow it, the operator of this server adds"
            f" {host[:253]}:{port} to PARLEY_ALLOW_ENDPOINTS"
        )

    def _is_named(self, host: str, port: int) -> bool:
        return any(entry.host == host and entry.port in {0, port} for entry in self._allowed if entry.host)

    def _may_be_called(self, address: Address, port: int) -> bool:
        plain = _unwrapped(address)
        if _is_public(plain):
            return True
        return any(
            plain in entry.network
            for entry in self._allowed
            if entry.network is not None and entry.network.version == plain.version and entry.port in {0, port}
        )


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _unwrapped(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one: mapped, translated, or by 6to4."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not address.is_reserved


async def _resolve(host: str, port: int) -> list[str]:
    """Every address that the system would connect to, which also reads 2130706433 and 0x7f.1 as addresses."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]
