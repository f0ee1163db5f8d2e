"""What a client must bring back with a tool call for its vendor to go on: signatures and signed thought.

On chat completions it travels as `extra_content` of the call, under a key of our own: the wire has no place for it. Knows no request and
no cache. https://ai.google.dev/gemini-api/docs/openai (read 2026-11-22) uses `extra_content` for the same purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from parley.contract.messages import Part, ProviderData, ReasoningPart, ToolCall

KEY = "parley"


class CallState(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The opaque data of one tool call, and the thought that led to it."""

    reasoning: list[ReasoningPart] = []
    provider_data: ProviderData | None = None


def call_states(parts: Sequence[Part]) -> dict[int, CallState]:
    """The states of a reply's tool calls by their number; only of calls that have one."""
    states: dict[int, CallState] = {}
    thoughts: list[ReasoningPart] = []
    number = 0
    for part in parts:
        if isinstance(part, ReasoningPart):
            if part.provider_data is not None or part.signature or part.redacted:
                thoughts.append(part)
        elif isinstance(part, ToolCall):
            if thoughts or part.provider_data is not None:
                states[number] = CallState(reasoning=thoughts, provider_data=part.provider_data)
                thoughts = []
            number += 1
    return states


def extra_content(state: CallState) -> dict[str, Any]:
    """The state in the form in which it leaves us."""
    return {KEY: msgspec.to_builtins(state)}


def read_extra_content(value: Any) -> CallState | None:
    """The state that a client brought back; None where the value holds none of ours. Raises ValueError for one that is broken."""
    if not isinstance(value, dict) or KEY not in value:
        return None
    return msgspec.convert(value[KEY], CallState)
