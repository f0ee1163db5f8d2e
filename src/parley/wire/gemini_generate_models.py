"""What Gemini models take on the generateContent wire, where they differ. Knows no request; an unknown model is taken for new.

https://ai.google.dev/gemini-api/docs/thinking and /docs/thought-signatures (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct


class GeminiTraits(Struct, frozen=True, kw_only=True):
    """For models whose id's last path segment matches one of `match` (shell patterns, lower case; the first entry that matches counts).

    `thinking`: asked for by "level", by "budget" in tokens, or not at all ("none"); `least_budget` is the smallest budget (0: thinking can
    be turned off), `least_level` the lowest level. `needs_signatures`: a call in the history without a signature is refused.
    `media_in_results`: a function's response may hold images and files. `json_schema`: schemas are plain JSON Schema, else OpenAPI 3.0's.
    `json_with_tools`: a schema and functions may go together. `system`: a system instruction is taken.
    """

    match: Sequence[str]
    thinking: Literal["level", "budget", "none"] = "level"
    least_budget: int = 0
    least_level: Literal["minimal", "low"] = "minimal"
    needs_signatures: bool = True
    media_in_results: bool = True
    json_schema: bool = True
    json_with_tools: bool = True
    system: bool = True


def _older(
    *match: str,
    thinking: Literal["budget", "none"] = "none",
    least_budget: int = 0,
    json_schema: bool = True,
    system: bool = True,
) -> GeminiTraits:
    return GeminiTraits(
        match=match,
        thinking=thinking,
        least_budget=least_budget,
        json_schema=json_schema,
        system=system,
        needs_signatures=False,
        media_in_results=False,
        json_with_tools=False,
    )


GEMINI_TRAITS: tuple[GeminiTraits, ...] = (
    _older("gemini-1*", json_schema=False),
    _older("gemini-2.0*"),
    _older("gemini-2.5-pro*", thinking="budget", least_budget=128),
    _older("gemini-2.5*", thinking="budget"),
    _older("gemma-*", "learnlm-*", json_schema=False, system=False),
    GeminiTraits(match=("gemini-*-pro*",), least_level="low"),
)
_NEW_MODEL = GeminiTraits(match=("*",))


def traits_of(model: str, traits: Sequence[GeminiTraits]) -> GeminiTraits:
    """The first entry that knows the model, else what a new model takes."""
    name = model.rsplit("/", 1)[-1].lower()
    return next((entry for entry in traits if any(fnmatchcase(name, pattern) for pattern in entry.match)), _NEW_MODEL)
