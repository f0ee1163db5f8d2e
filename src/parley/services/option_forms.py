"""The form of a provider's options as JSON Schema, derived from its capabilities and its own options. Knows no vendor and no page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

import msgspec

from parley.contract.capabilities import Capabilities, ExtraOption
from parley.contract.options import ReasoningEffort

# Field of the session's settings -> the capability that must not be known to be missing, and what a form needs to ask for it.
_OPTIONS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "temperature": (
        "temperature",
        {"type": "number", "minimum": 0, "maximum": 2, "title": "Temperature", "description": "low is predictable, high is varied"},
    ),
    "maxTokens": (
        "max_tokens",
        {"type": "integer", "minimum": 1, "title": "Longest answer", "description": "in tokens, roughly three quarters of a word each"},
    ),
    "reasoningEffort": (
        "reasoning_effort",
        {"type": "string", "enum": list(get_args(ReasoningEffort)), "title": "Reasoning", "description": "how long to think first"},
    ),
    "topP": (
        "top_p",
        {"type": "number", "minimum": 0, "maximum": 1, "title": "Top P", "description": "choose among the likeliest words only"},
    ),
    "topK": ("top_k", {"type": "integer", "minimum": 1, "title": "Top K", "description": "choose among this many words"}),
    "seed": ("seed", {"type": "integer", "title": "Seed", "description": "the same seed gives the same answer, as far as possible"}),
    "frequencyPenalty": (
        "frequency_penalty",
        {"type": "number", "minimum": -2, "maximum": 2, "title": "Frequency penalty", "description": "above 0 repeats words less often"},
    ),
    "presencePenalty": (
        "presence_penalty",
        {"type": "number", "minimum": -2, "maximum": 2, "title": "Presence penalty", "description": "above 0 looks for new subjects"},
    ),
    "stop": (
        "stop",
        {"type": "array", "items": {"type": "string"}, "title": "Stop at", "description": "words at which the answer ends"},
    ),
}


def options_schema(capabilities: Capabilities, extra_options: Sequence[ExtraOption]) -> dict[str, Any]:
    """A JSON Schema object with what this provider may be asked for, its own options under `extra`."""
    properties = {name: form for name, (capability, form) in _OPTIONS.items() if getattr(capabilities, capability) is not False}
    if extra_options:
        own = {option.name: _own_form(option) for option in extra_options}
        properties["extra"] = {"type": "object", "title": "Options of this provider", "properties": own, "additionalProperties": False}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _own_form(option: ExtraOption) -> dict[str, Any]:
    try:
        form = msgspec.json.schema(option.type)
    except TypeError:
        form: dict[str, Any] = {}  # A type that JSON Schema has no word for: any value is taken, and checked when it is sent.
    return {"title": option.name, **form, **({"description": option.description} if option.description else {})}
