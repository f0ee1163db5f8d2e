"""Where one of Ollama's own interfaces is, whichever of them its address was written for. Knows no request."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit


def url_of(endpoint: str, path: str) -> str:
    """The path on this server. An address that was written for another of its interfaces (`/v1`, `/api`) is the same server."""
    parts = urlsplit(endpoint)
    base = parts.path.rstrip("/")
    for suffix in ("/v1", "/api"):
        base = base.removesuffix(suffix)
    return urlunsplit(parts._replace(path=f"{base}{path}"))
