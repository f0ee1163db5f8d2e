"""`/v1/models`: every model that can be asked for, in OpenAI's shape, or in Anthropic's for its clients. Knows no provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
from litestar import Response

from parley.dispatch.client import Client
from parley.server.compat.answering import Reply
from parley.server.compat.elsewhere import is_anthropic, render_error
from parley.server.compat.endpoint import ERRORS, AnyRequest
from parley.server.policy import Route, signed_in

_POLICY: Final = signed_in("models", "read", "v1", "read")
# A date is part of the shape; when a model was made, nobody says.
_NO_DATE: Final = "1970-01-01T00:00:00Z"
_OURS: Final = "parley"
"""A route is owned by nobody behind it."""


class Models:
    """The list and its entries. `client` gives the providers as they are configured now."""

    def __init__(self, *, client: Callable[[], Client]) -> None:
        self._client = client

    def routes(self) -> list[Route]:
        """The rows of the table."""
        return [
            Route(
                method="GET",
                path="/v1/models",
                handler=self.list_models,
                policy=_POLICY,
                summary="Every model that can be asked for",
                errors=ERRORS,
                render_error=render_error,
            ),
            Route(
                method="GET",
                path="/v1/models/{path}",
                handler=self.get_model,
                policy=_POLICY,
                summary="One model",
                errors=ERRORS,
                render_error=render_error,
            ),
        ]

    async def list_models(self, request: AnyRequest) -> Response[bytes]:
        """The operator's routes, then every model that a provider which is ready lists, each provider's for embeddings last."""
        client = self._client()
        listed = [(route.name, _OURS) for route in client.registry.routes]
        listed += [
            (f"{provider.name}/{model.id}", provider.name)
            for provider in client.providers()
            if provider.status == "ready"
            for model in (*provider.models, *(provider.embedding_models if not is_anthropic(request) else ()))
        ]
        if not is_anthropic(request):
            return _json({"object": "list", "data": [_model(name, owner) for name, owner in listed]})
        data = [_anthropic_model(name) for name, _ in listed]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
        return _json({"data": data, "has_more": False, **ends})

    async def get_model(self, request: AnyRequest, path: str) -> Response[bytes]:
        """The model that a name means."""
        name = path.lstrip("/")
        client = self._client()
        owner, _ = client.resolve(name)
        if any(route.name == owner for route in client.registry.routes):
            owner = _OURS
        return _json(_anthropic_model(name) if is_anthropic(request) else _model(name, owner))


def _model(identifier: str, owner: str) -> dict[str, Any]:
    return {"id": identifier, "object": "model", "created": 0, "owned_by": owner}


def _anthropic_model(identifier: str) -> dict[str, Any]:
    return {"type": "model", "id": identifier, "display_name": identifier, "created_at": _NO_DATE}


def _json(document: Any) -> Response[bytes]:
    return Reply(msgspec.json.encode(document))
