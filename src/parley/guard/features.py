"""What a model is known not to do: refused where the answer would be another one, dropped with a warning where it is mere tuning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from parley.contract.capabilities import Capabilities, ExtraOption
from parley.contract.errors import FieldProblem, UnsupportedFeatureError
from parley.contract.messages import FilePart, ImagePart, Message, Part, ToolResult
from parley.contract.options import Options
from parley.contract.request import ChatRequest
from parley.contract.response import ResponseWarning
from parley.guard.checks import invalid
from parley.guard.suggestions import did_you_mean

REFUSED = ("tools", "tool_choice", "response_format", "stop", "reasoning_effort")
DROPPED = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "parallel_tool_calls",
)
# What is the same as not asking needs no capability.
_NEUTRAL = {"tool_choice": "auto", "response_format": "text"}


def missing_features(capabilities: Capabilities) -> frozenset[str]:
    """The names of what is known not to be supported."""
    return frozenset(name for name in Capabilities.__struct_fields__ if getattr(capabilities, name) is False)


def fit_request(request: ChatRequest, missing: frozenset[str], *, provider: str) -> tuple[ChatRequest, list[ResponseWarning]]:
    """The request without the tuning that the model does not know, and a warning for each. Raises UnsupportedFeatureError for the rest."""
    if not missing:
        return request, []
    if missing & {"images", "image_urls", "files"}:
        _check_media(request, missing, provider)
    warnings: list[ResponseWarning] = []
    request = _fit_options(request, missing, warnings, provider=provider)
    if "cache_markers" in missing and any(_is_marked(message) for message in request.messages):
        request = _without_markers(request, warnings, provider=provider)
    return request, warnings


def _fit_options(request: ChatRequest, missing: frozenset[str], warnings: list[ResponseWarning], *, provider: str) -> ChatRequest:
    options = request.options
    changes: dict[str, None] = {}
    for name in REFUSED:
        value = getattr(options, name)
        if name in missing and value is not None:
            if value != _NEUTRAL.get(name):
                _refuse(f"options.{name}", provider, options)
            changes[name] = None
    for name in DROPPED:
        if name in missing and getattr(options, name) is not None:
            if request.strict_options:
                _refuse(f"options.{name}", provider, options)
            changes[name] = None
            warnings.append(
                ResponseWarning(code="option_dropped", message=f"{_whom(provider, options)} does not know {name}; it was left out")
            )
    return structs.replace(request, options=structs.replace(options, **changes)) if changes else request


def _without_markers(request: ChatRequest, warnings: list[ResponseWarning], *, provider: str) -> ChatRequest:
    if request.strict_options:
        _refuse("messages", provider, request.options, what="cache markers")
    words = f"{_whom(provider, request.options)} knows no cache markers; they were left out"
    warnings.append(ResponseWarning(code="cache_markers_dropped", message=words))
    return structs.replace(request, messages=[_unmarked(message) for message in request.messages])


def _is_marked(message: Message) -> bool:
    return not isinstance(message.content, str) and any(
        part.cache or (isinstance(part, ToolResult) and not isinstance(part.content, str) and any(inner.cache for inner in part.content))
        for part in message.content
    )


def _unmarked(message: Message) -> Message:
    if isinstance(message.content, str):
        return message
    parts: list[Part] = []
    for part in message.content:
        if isinstance(part, ToolResult) and not isinstance(part.content, str):
            part = structs.replace(part, content=[structs.replace(inner, cache=None) for inner in part.content])  # noqa: PLW2901
        parts.append(structs.replace(part, cache=None))
    return structs.replace(message, content=parts)


def check_extra(extra: dict[str, Any], declared: Sequence[ExtraOption] | None, *, provider: str) -> None:
    """The provider's own options, against what it declares; None declares that anything goes."""
    if declared is None:
        return
    by_name = {option.name: option for option in declared}
    for name, value in extra.items():
        path = f"options.extra.{name}"
        if name not in by_name:
            known = did_you_mean(name, by_name) or (f" Known are {', '.join(by_name)}." if by_name else "")
            invalid(path, f"{provider} has no such option.{known}")
        try:
            msgspec.convert(value, by_name[name].type)
        except msgspec.ValidationError as error:
            invalid(path, str(error).replace("`", ""))


def _check_media(request: ChatRequest, missing: frozenset[str], provider: str) -> None:
    for number, message in enumerate(request.messages):
        if isinstance(message.content, str):
            continue
        for position, part in enumerate(message.content):
            path = f"messages[{number}].content[{position}]"
            inner = part.content if isinstance(part, ToolResult) and not isinstance(part.content, str) else [part]
            for medium in inner:
                feature = _feature_of(medium)
                if feature in missing or (feature == "images" and "image_urls" in missing and getattr(medium, "url", None)):
                    _refuse(path, provider, request.options)


def _feature_of(part: object) -> str | None:
    if isinstance(part, ImagePart):
        return "images"
    return "files" if isinstance(part, FilePart) else None


def _refuse(path: str, provider: str, options: Options, *, what: str = "this") -> None:
    problem = f"{_whom(provider, options)} does not support {what}; leave it out or choose another model"
    raise UnsupportedFeatureError(
        f"{path}: {problem}", provider=provider, model=options.model, fields=[FieldProblem(path=path, message=problem)]
    )


def _whom(provider: str, options: Options) -> str:
    return f"{provider}/{options.model}" if options.model else provider
