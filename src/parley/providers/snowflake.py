"""Snowflake Cortex. Wire: https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api (read 2026-11-25)."""

from typing import Annotated, Any

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting, host_label


class SnowflakeConfig(Config):
    """SNOWFLAKE_API_KEY (or SNOWFLAKE_PAT), SNOWFLAKE_ACCOUNT, SNOWFLAKE_MODEL."""

    api_key: Annotated[
        str,
        Setting(
            "a programmatic access token",
            aliases=("SNOWFLAKE_PAT", "SNOWFLAKE_CORTEX_PAT", "SNOWFLAKE_TOKEN"),
            secret=True,
            example="…",
        ),
    ]
    account: Annotated[str, Setting("the account's identifier", aliases=("SNOWFLAKE_ACCOUNT_IDENTIFIER",), example="myorg-myaccount")]  # pyright: ignore[reportGeneralTypeIssues]
    model: str = "claude-sonnet-4-6"


def base_url(config: SnowflakeConfig) -> str:
    """Each account has an address of its own; the underscores of its name are written as hyphens there."""
    if config.endpoint:
        return config.endpoint
    labels = [host_label(label, field="account") for label in config.account.lower().replace("_", "-").split(".")]
    return f"https://{'.'.join(labels)}.snowflakecomputing.com/api/v2/cortex/v1"


provider = Dialect(
    name="snowflake",
    label="Snowflake Cortex",
    description="Models of many makers beside your own data",
    config=SnowflakeConfig,
    wire=OpenAIChat(reasoning_field="reasoning", effort_field="reasoning"),
    base_url=base_url,
    capabilities=Capabilities(tools=True, cache_markers=True, list_models=False),
    models=[
        Model("claude-opus-5", label="Claude Opus 5", description="Anthropic's most capable"),
        Model("claude-sonnet-4-6", label="Claude Sonnet 4.6", description="Anthropic's, balanced"),
        Model("openai-gpt-5.4", label="GPT-5.4", description="OpenAI's, reasoning"),
        Model("openai-gpt-5-mini", label="GPT-5 mini", description="OpenAI's, affordable"),
        Model("openai-gpt-4.1", label="GPT-4.1", description="OpenAI's, without reasoning"),
        Model("mistral-large2", label="Mistral Large 2", description="Mistral's"),
        Model("deepseek-r1", label="DeepSeek R1", description="DeepSeek's, reasoning"),
    ],
    docs_url="https://docs.snowflake.com/en/user-guide/snowflake-cortex/aisql",
    extra_options=[
        ExtraOption(name="reasoning", type=dict[str, Any], description="a budget in tokens (Claude)"),
        ExtraOption(name="prompt_cache_key", type=str, description="keeps requests with a common beginning together"),
        ExtraOption(name="guardrails", type=dict[str, Any], description='{"enabled": true} filters answers'),
    ],
)
