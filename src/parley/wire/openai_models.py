"""The list of models, as OpenAI's wires and everyone who speaks them give it. Knows no client and no vendor's name.

https://platform.openai.com/docs/api-reference/models; recordings of 2025 and 2026 from eight vendors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from parley.contract.capabilities import Model
from parley.contract.errors import ParleyError, ProtocolError
from parley.contract.http import HttpRequest, ResponseHead, Target
from parley.wire.errors import plain_words
from parley.wire.json_events import decode_json
from parley.wire.json_values import count_of, first_text, list_of, object_of, text_of
from parley.wire.openai_chat_errors import decode_error_body

_LENGTHS = ("context_length", "context_window", "max_context_length", "max_model_len")


def url_of(endpoint: str, path: str) -> str:
    """The endpoint with the path appended; a query (`?api-version=…`) stays at the end."""
    base, mark, query = endpoint.partition("?")
    return f"{base.rstrip('/')}{path}{mark}{query}"


def models_request(target: Target) -> HttpRequest:
    """Asks for the list."""
    return HttpRequest(method="GET", url=url_of(target.endpoint, "/models"), headers={"Accept": "application/json"})


def models_in(
    head: ResponseHead, body: bytes, *, decode_error: Callable[[ResponseHead, bytes], ParleyError] = decode_error_body
) -> Sequence[Model]:
    """The models listed: `{"data": […]}`, `{"models": […]}` or a bare list (Together). Raises ProtocolError for a body that is none."""
    document = decode_json(body)
    listed: Any = document
    if isinstance(document, dict):
        fields = object_of(document)
        if fields.get("error"):
            raise decode_error(head, body)
        listed = fields.get("data", fields.get("models"))
    if not isinstance(listed, list):
        raise ProtocolError(plain_words(head, body) if document is None else "the provider's list of models is no list")
    models = (_model(object_of(item)) for item in list_of(listed))
    return [model for model in models if model is not None]


def _model(item: dict[str, Any]) -> Model | None:
    identifier = first_text(item.get("id"), item.get("name"))
    if not identifier:
        return None
    label = first_text(item.get("display_name"), item.get("name"))
    lengths = [count_of(item.get(field)) for field in _LENGTHS]
    return Model(
        identifier,
        label=label if label != identifier else "",
        description=text_of(item.get("description")),
        context_tokens=next((length for length in lengths if length), 0),
    )
