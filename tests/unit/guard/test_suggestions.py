"""What a mistyped name may have meant."""

from __future__ import annotations

import pytest

from parley.guard.suggestions import did_you_mean, snake_case

KNOWN = ["temperature", "max_tokens", "top_p", "Model-X"]


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("temprature", "temperature"),
        ("maxTokens", "max_tokens"),
        ("MAX_TOKENS", "max_tokens"),
        ("topP", "top_p"),
        ("model-x", "Model-X"),
    ],
)
def test_a_near_name_is_suggested(name: str, suggested: str) -> None:
    assert did_you_mean(name, KNOWN) == f' Did you mean "{suggested}"?'


def test_nothing_is_suggested_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", KNOWN) == ""
    assert did_you_mean("temperature", []) == ""


def test_capitals_become_underscores() -> None:
    assert [snake_case(name) for name in ("promptTokens", "text", "already_snake", "topP")] == [
        "prompt_tokens",
        "text",
        "already_snake",
        "top_p",
    ]
