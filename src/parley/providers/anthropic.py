"""Anthropic. Wire: https://docs.claude.com/en/api/messages (read 2026-11-22)."""

from typing import Annotated

from parley.provider import MESSAGES_OPTIONS, AnthropicMessages, Capabilities, Config, Dialect, Model, Setting


class AnthropicConfig(Config):
    """ANTHROPIC_API_KEY, ANTHROPIC_MODEL, ANTHROPIC_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of the Claude Console", secret=True, example="sk-ant-…")]
    model: str = "claude-sonnet-5-5"
    endpoint: str = "https://api.anthropic.com/v1"


# They refuse what would steer their choice of words: https://platform.claude.com/docs/en/models/opus-5-5/migration-guide (read 2026-11-22).
_NO_SAMPLING = Capabilities(temperature=False, top_p=False, top_k=False)

provider = Dialect(
    name="anthropic",
    label="Anthropic",
    description="Claude models from Anthropic",
    config=AnthropicConfig,
    wire=AnthropicMessages(),
    capabilities=Capabilities(tools=True, images=True, files=True, reasoning=True, cache_markers=True),
    models=[
        Model("claude-fable-5-1", "Claude Fable 5.1", "Thinks before every answer", 1_000_000, _NO_SAMPLING),
        Model("claude-opus-5-5", "Claude Opus 5.5", "Most capable, for long agentic work", 1_000_000, _NO_SAMPLING),
        Model("claude-sonnet-5-5", "Claude Sonnet 5.5", "Balance of speed and capability", 1_000_000, _NO_SAMPLING),
        Model("claude-opus-5", "Claude Opus 5", "The Opus before", 1_000_000, _NO_SAMPLING),
        Model("claude-sonnet-5", "Claude Sonnet 5", "The Sonnet before", 1_000_000, _NO_SAMPLING),
        Model("claude-sonnet-4-6", label="Claude Sonnet 4.6", description="Older Sonnet"),
        Model("claude-haiku-4-5", label="Claude Haiku 4.5", description="Fast and affordable", context_tokens=200_000),
    ],
    docs_url="https://docs.claude.com/en/docs/about-claude/models/overview",
    extra_options=MESSAGES_OPTIONS,
)
