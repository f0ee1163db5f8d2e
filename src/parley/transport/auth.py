"""Credentials on a request, put there anew for each attempt. Knows where a key goes, not whose it is."""

from __future__ import annotations

from parley.contract.config import Config
from parley.contract.http import AuthScheme, HttpRequest


class HeaderAuth:
    """The key in one header, as the scheme says: `Authorization: Bearer …`, `x-api-key: …`."""

    def __init__(self, scheme: AuthScheme, key: str) -> None:
        self._header = scheme.header
        self._value = scheme.prefix + key

    def __repr__(self) -> str:
        return f"HeaderAuth({self._header}: …)"

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """The request with the header; one of the same name that the wire had set gives way."""
        headers = {name: value for name, value in request.headers.items() if name.lower() != self._header.lower()}
        headers[self._header] = self._value
        return HttpRequest(method=request.method, url=request.url, headers=headers, body=request.body, warnings=request.warnings)


class NoAuth:
    """No credentials: a server of one's own, or one that takes them in a configured header. Usable as `Dialect(auth=NoAuth)`."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config

    async def apply(self, request: HttpRequest) -> HttpRequest:
        """The request as it is."""
        return request
