"""What a codec makes and reads of HTTP: plain values. Knows no client, opens nothing."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from parley.contract.capabilities import Capabilities
from parley.contract.response import ResponseWarning


class HttpRequest(Struct, frozen=True, kw_only=True):
    """One request, complete but for authentication. `warnings` says what encoding had to drop; they join the reply's."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""
    warnings: list[ResponseWarning] = []


class ResponseHead(Struct, frozen=True, kw_only=True):
    """Status and headers (names in lower case) of a reply, and whom it is from: `provider` and `model` name what was asked."""

    status: int
    headers: Mapping[str, str] = {}
    provider: str = ""
    model: str = ""


class Target(Struct, frozen=True, kw_only=True):
    """Where a request goes: the provider's configured name, the model, and the base URL with its version prefix.

    `capabilities` are the model's, over the provider's, over the wire's.
    """

    provider: str
    model: str
    endpoint: str
    capabilities: Capabilities = Capabilities()


class AuthScheme(Struct, frozen=True, kw_only=True):
    """How a wire expects its key: in this header, after this prefix."""

    header: str = "Authorization"
    prefix: str = "Bearer "
