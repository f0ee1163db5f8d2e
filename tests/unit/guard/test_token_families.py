"""Which family a model counts as, by its id in any vendor's spelling."""

from __future__ import annotations

import pytest

from parley.guard.token_families import families, family_of


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5", "gpt-5"),
        ("gpt-5-2025-08-07", "gpt-5"),
        ("gpt-5-mini", "gpt-5 mini"),
        ("openai/gpt-5-nano", "gpt-5 nano"),
        ("gpt-5.4", "gpt-5.x"),
        ("openai.gpt-oss-120b", "gpt-oss"),
        ("gpt-oss:20b", "gpt-oss"),
        ("gpt-4o-mini-2024-07-18", "gpt-4o mini"),
        ("gpt-4.1", "gpt-4o"),
        ("gpt-4.1-nano", "gpt-4.1 nano"),
        ("o4-mini", "o4-mini"),
        ("o3", "o-series"),
        ("o1-mini", "o-series"),
        ("gpt-4-turbo", "gpt-4"),
        ("gpt-35-turbo", "gpt-4"),
        ("claude-3-5-sonnet-20240620", "claude 3.5 sonnet"),
        ("claude-3-opus-20240229", "claude 3 opus"),
        ("claude-3-haiku-20240307", "claude 3 haiku"),
        ("claude-3-5-haiku-latest", "claude 3 haiku"),
        ("anthropic.claude-3-sonnet-20240229-v1:0", "claude 3 sonnet"),
        ("claude-3-7-sonnet-latest", "claude"),
        ("claude-sonnet-4-20250514", "claude"),
        ("claude-opus-4-1-20250805", "claude"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude 4.5"),
        ("anthropic/claude-haiku-4.5", "claude 4.5"),
        ("claude-opus-4-6", "claude 4.5"),
        ("claude-opus-4-7", "claude 5"),
        ("anthropic/claude-opus-4.8", "claude 5"),
        ("claude-sonnet-5", "claude 5"),
        ("claude-opus-5-5", "claude 5"),
        ("claude-fable-5-2", "claude 5"),
        ("gemini-2.5-flash", "gemini"),
        ("gemini-2.0-flash-lite-001", "gemini 2.0"),
        ("gemini-3-pro-preview", "gemini 3"),
        ("gemma-3-27b-it", "gemma"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "llama 3"),
        ("meta-llama/llama-4-scout-17b-16e-instruct", "llama 4"),
        ("llama3", "llama"),
        ("deepseek-chat", "deepseek"),
        ("deepseek-v4-flash", "deepseek v4 flash"),
        ("mistral-large-latest", "mistral"),
        ("qwen3:0.6b", "qwen"),
        ("accounts/fireworks/models/qwen3p7-plus", "qwen coder"),
        ("command-r-08-2024", "command r"),
        ("command-r7b-12-2024", "command r7b"),
        ("command-a-03-2025", "command a"),
        ("us.amazon.nova-pro-v1:0", "nova"),
        ("grok-4-1-fast-non-reasoning", "grok 4.1"),
        ("grok-4.3", "grok"),
        ("zai-glm-4.7", "glm"),
        ("palmyra-x4", "palmyra"),
        ("", "other"),
        ("acme-fast", "other"),
    ],
)
def test_the_family_of_a_model(model: str, name: str) -> None:
    assert family_of(model).name == name


def test_any_model_has_a_family_and_exact_ones_take_their_tokens_as_they_are() -> None:
    assert families()[-1].pattern == ""
    assert all(family.factor == 1 for family in families() if family.exact)
    assert family_of("x" * 1_000_000).name == "other"
