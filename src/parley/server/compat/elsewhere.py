"""Everything else below `/v1`: what the vendors have there and we have not, refused in the shape that the client reads. Knows no wire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from litestar import Response

from parley.contract.errors import ParleyError
from parley.server.boundary import header_of
from parley.server.compat import anthropic, openai
from parley.server.compat.endpoint import AnyRequest
from parley.server.errors import MethodNotAllowedError
from parley.server.policy import Method, Route, signed_in
from parley.services.errors import NotFoundError

_METHODS: Final[tuple[Method, ...]] = ("GET", "POST", "PUT", "PATCH", "DELETE")


def elsewhere(served: Sequence[Route]) -> list[Route]:
    """The other methods of what is served, and every other address."""
    by_path: dict[str, set[str]] = {}
    for route in served:
        by_path.setdefault(route.path, set()).add(route.method)
    wrong = [
        _refused(method, path, _wrong_method_at if "{" in path else _wrong_method)
        for path, methods in by_path.items()
        for method in _METHODS
        if method not in methods
    ]
    addresses = ", ".join(path for path in by_path if "{" not in path)

    async def not_here(path: str) -> Response[bytes]:
        raise NotFoundError(f"Parley does not serve /v1/{path.lstrip('/')}; it serves {addresses}")

    return wrong + [_refused(method, "/v1/{path}", not_here) for method in _METHODS]


def is_anthropic(request: AnyRequest) -> bool:
    """Whether one of Anthropic's clients asks: they all name the version of their API."""
    return header_of(request.scope, b"anthropic-version") is not None or request.scope["path"].startswith("/v1/messages")


def render_error(request: AnyRequest, error: ParleyError) -> Response[bytes]:
    """An error in the shape of who asks."""
    return anthropic.render_error(request, error) if is_anthropic(request) else openai.render_error(request, error)


def _refused(method: Method, path: str, handler: Callable[..., Any]) -> Route:
    return Route(
        method=method,
        path=path,
        handler=handler,
        policy=signed_in("v1", "read", "v1"),
        summary="What is not served here",
        documented=False,
        render_error=render_error,
    )


async def _wrong_method() -> Response[bytes]:
    raise MethodNotAllowedError("this address does not take this method")


async def _wrong_method_at(path: str) -> Response[bytes]:
    raise MethodNotAllowedError(f"/v1/models{path} does not take this method")
