"""The dicts that a seed-style class gives back, in snake_case or camelCase, as contract structs. Knows no callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import msgspec

from parley.contract.capabilities import Model
from parley.contract.errors import ConfigurationError, ProtocolError
from parley.contract.messages import Part, ReasoningPart, TextPart, ToolCall
from parley.contract.response import ChatResponse, ConnectionStatus, FinishReason
from parley.contract.usage import Usage
from parley.guard.suggestions import snake_case

_FINISH_REASONS: dict[str, FinishReason] = {reason: reason for reason in get_args(FinishReason)}


def read_reply(given: Any, *, provider: str, method: str) -> ChatResponse | None:
    """`{text, usage, id, model}`, a string, a ChatResponse, or nothing (None). Raises ProtocolError for anything else."""
    if given is None or isinstance(given, ChatResponse):
        return given
    if isinstance(given, str):
        given = {"text": given}
    if not isinstance(given, dict):
        raise ProtocolError(f"{method} of {provider} returned a {type(given).__name__}; it must be a dict with text, usage, id and model")
    fields = _snake_case(given)  # pyright: ignore[reportUnknownArgumentType]
    for name in ("text", "id", "model", "reasoning", "finish_reason"):
        if not isinstance(fields.get(name), str | None):
            raise ProtocolError(f"{method} of {provider} returned {name} as a {type(fields[name]).__name__}; it must be a string")
    parts: list[Part] = []
    if fields.get("reasoning"):
        parts.append(ReasoningPart(text=fields["reasoning"]))
    if fields.get("text"):
        parts.append(TextPart(text=fields["text"]))
    parts += _tool_calls(fields.get("tool_calls"), provider=provider, method=method)
    reason, raw_reason = _finish_reason(fields.get("finish_reason"), fields, parts)
    return ChatResponse(
        parts=parts,
        usage=_usage(fields.get("usage")),
        id=fields.get("id") or "",
        model=fields.get("model") or "",
        finish_reason=reason,
        raw_finish_reason=raw_reason,
    )


def read_status(given: Any, *, provider: str) -> ConnectionStatus:
    """`{success, provider, error?}`, or a bool."""
    if isinstance(given, ConnectionStatus):
        return given
    if isinstance(given, bool):
        return ConnectionStatus(success=given, provider=provider)
    fields = _snake_case(given)
    success, error = fields.get("success"), fields.get("error")
    if not isinstance(success, bool):
        raise ProtocolError(f"test_connection of {provider} must return a dict with success, provider and, if it failed, error")
    return ConnectionStatus(success=success, provider=provider, error=None if error is None else str(error))


def read_models(given: Any, *, provider: str) -> tuple[Model, ...]:
    """Models as structs, as dicts of their fields, or as bare ids."""
    try:
        return tuple(model if isinstance(model, Model) else _model(model) for model in given or ())
    except (TypeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"the models of {provider} cannot be read: {error}", provider=provider) from error


def _model(given: Any) -> Model:
    return Model(given) if isinstance(given, str) else msgspec.convert(given, Model)


def _snake_case(given: Any) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        return {}
    fields: Mapping[Any, Any] = given  # pyright: ignore[reportUnknownVariableType]
    return {snake_case(str(name)): value for name, value in fields.items()}


def _finish_reason(said: str | None, fields: dict[str, Any], parts: list[Part]) -> tuple[FinishReason, str | None]:
    if said:
        known = _FINISH_REASONS.get(said)
        return ("unknown", said) if known is None else (known, None)
    if any(isinstance(part, ToolCall) for part in parts):
        return "tool_calls", None
    # A method that returned a result has come to its own end; one that returned an empty one has said nothing.
    return ("stop", None) if fields.get("text") else ("unknown", None)


def _tool_calls(given: Any, *, provider: str, method: str) -> list[ToolCall]:
    if given is None:
        return []
    try:
        return msgspec.convert([{"type": "tool_call"} | _snake_case(call) for call in given], list[ToolCall])
    except (AttributeError, TypeError, msgspec.ValidationError) as error:
        raise ProtocolError(f"{method} of {provider} returned tool_calls that cannot be read: {error}") from error


def _usage(given: Any) -> Usage:
    """Counts of 0 are what the seed's template writes where its vendor said nothing, so they are taken as not reported."""
    counts = _snake_case(given)
    prompt = _count(counts, "prompt_tokens", "input_tokens")
    completion = _count(counts, "completion_tokens", "output_tokens")
    total = _count(counts, "total_tokens")
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        source="reported" if prompt or completion or total else "estimated",
    )


def _count(counts: dict[str, Any], *names: str) -> int:
    for name in names:
        value = counts.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return 0
