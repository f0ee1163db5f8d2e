"""Databricks. Wire: https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference (read 2026-11-25)."""

from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, SchemaSubset, Setting


def of_workspace(host: str) -> str:
    """DATABRICKS_HOST is a workspace, often without its scheme; models are served under one of its paths."""
    parts = urlsplit(host if "://" in host else f"https://{host}")
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") or "/serving-endpoints"))


class DatabricksConfig(Config):
    """DATABRICKS_API_KEY (or DATABRICKS_TOKEN), DATABRICKS_ENDPOINT (or DATABRICKS_HOST), DATABRICKS_MODEL."""

    api_key: Annotated[str, Setting("a token of the workspace", aliases=("DATABRICKS_TOKEN",), secret=True, example="dapi…")]
    model: Annotated[str, Setting("a serving endpoint's name")] = "databricks-meta-llama-3-3-70b-instruct"
    # Without a default: each workspace has an address of its own.
    endpoint: Annotated[  # pyright: ignore[reportGeneralTypeIssues]
        str,
        Setting(
            "address of the workspace",
            aliases=("DATABRICKS_HOST",),
            example="https://adb-123.4.azuredatabricks.net",
            normalize=of_workspace,
        ),
    ]


# https://docs.databricks.com/aws/machine-learning/model-serving/structured-outputs#limitations (read 2026-11-25).
_SCHEMA = SchemaSubset(unknown=frozenset({"pattern", "anyOf", "oneOf", "allOf", "prefixItems"}), inline_references=True)

provider = Dialect(
    name="databricks",
    label="Databricks",
    description="Models served in your own workspace",
    config=DatabricksConfig,
    wire=OpenAIChat(
        max_tokens_field="max_tokens", stream_usage=False, rules=(), schema_subset=_SCHEMA
    ),  # usage comes unasked, with every chunk
    # The list of endpoints has another address and another form.
    capabilities=Capabilities(tools=True, stop=True, temperature=True, top_p=True, list_models=False),
    models=[
        Model("databricks-claude-sonnet-4-6", label="Claude Sonnet 4.6", description="Anthropic's, balanced"),
        Model("databricks-claude-haiku-4-5", label="Claude Haiku 4.5", description="Anthropic's, fast"),
        Model("databricks-gpt-5-4", label="GPT-5.4", description="OpenAI's, reasoning"),
        Model("databricks-gpt-5-mini", label="GPT-5 mini", description="OpenAI's, affordable"),
        Model("databricks-gemini-3-flash", label="Gemini 3 Flash", description="Google's, fast"),
        Model("databricks-glm-5-3", label="GLM 5.3", description="For agents and code", context_tokens=1_048_576),
        Model("databricks-kimi-k3", label="Kimi K3", description="For agents, long context", context_tokens=1_000_000),
        Model("databricks-meta-llama-3-3-70b-instruct", label="Llama 3.3 70B", description="General use", context_tokens=128_000),
        Model("databricks-gpt-oss-120b", label="GPT-OSS 120B", description="Open reasoning model of OpenAI", context_tokens=128_000),
    ],
    docs_url="https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/supported-models",
    extra_options=[
        ExtraOption(name="thinking", type=dict[str, Any], description="a budget in tokens (Claude)"),
        ExtraOption(name="logprobs", type=bool, description="probabilities of the tokens"),
    ],
)
