"""What Claude models take on the Messages wire, where they differ. Knows no request; a model that no rule knows is taken for a new one.

https://docs.claude.com/en/docs/build-with-claude/{adaptive-thinking,effort,extended-thinking,structured-outputs} (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal

from msgspec import Struct

from parley.wire.model_rules import ModelRule


class ClaudeTraits(Struct, frozen=True, kw_only=True):
    """For models whose id's last path segment matches one of `match` (shell patterns, lower case; the first entry that matches counts).

    `thinking`: how it is asked for: "adaptive" (with an effort), "budget" (in tokens), "none" (not at all). `shows_thinking`: whether
    thought is shown without being asked for. `json_schema`: whether the vendor itself enforces a schema. `default_max_tokens`: sent
    where a request sets none, since the vendor demands the field; never above what the model can write. `one_sampling`: temperature and
    top_p exclude each other. `always_thinks`: thinking cannot be turned off. `forced_tools`: a tool call can be demanded. `binds_thought`:
    thought in the history is refused once the words before it have changed, unless such thought is to be passed over.
    """

    match: Sequence[str]
    thinking: Literal["adaptive", "budget", "none"] = "adaptive"
    shows_thinking: bool = False
    json_schema: bool = True
    default_max_tokens: int = 16_384
    one_sampling: bool = False
    always_thinks: bool = False
    forced_tools: bool = True
    binds_thought: bool = False


CLAUDE_TRAITS: tuple[ClaudeTraits, ...] = (
    ClaudeTraits(match=("*claude-fable-5-1*",), always_thinks=True, forced_tools=False, binds_thought=True),
    ClaudeTraits(match=("*claude-mythos-5-1*",), always_thinks=True, forced_tools=False),
    ClaudeTraits(match=("*claude-fable-*", "*claude-mythos-*"), always_thinks=True),
    ClaudeTraits(match=("*claude-3-7-*",), thinking="budget", json_schema=False),
    ClaudeTraits(match=("*claude-3-5-*",), thinking="none", json_schema=False, default_max_tokens=8192),
    ClaudeTraits(match=("*claude-3-*", "*claude-2*", "*claude-instant*"), thinking="none", json_schema=False, default_max_tokens=4096),
    ClaudeTraits(
        match=("*claude-*-4-1", "*claude-*-4-1[-@]*", "*claude-*-4-5", "*claude-*-4-5[-@]*"),
        thinking="budget",
        one_sampling=True,
    ),
    ClaudeTraits(match=("*claude-*-4-6*",), shows_thinking=True, one_sampling=True),
    ClaudeTraits(match=("*claude-*-4-0*", "*claude-*-4-20*", "*claude-*-4", "*claude-*-4@*"), thinking="budget", json_schema=False),
)
_NEW_MODEL = ClaudeTraits(match=("*",))

_NO_SAMPLING = ("opus-4-7", "opus-4-8", "opus-5", "sonnet-5", "haiku-5", "fable-", "mythos-")
CLAUDE_RULES: tuple[ModelRule, ...] = tuple(
    ModelRule(match=f"*claude-{family}*", drop=("temperature", "top_p", "top_k")) for family in _NO_SAMPLING
)


def traits_of(model: str, traits: Sequence[ClaudeTraits]) -> ClaudeTraits:
    """The first entry that knows the model, else what a new model takes."""
    name = model.rsplit("/", 1)[-1].lower()
    return next((entry for entry in traits if any(fnmatchcase(name, pattern) for pattern in entry.match)), _NEW_MODEL)
