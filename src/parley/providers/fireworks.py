"""Fireworks AI. Wire: https://docs.fireworks.ai/api-reference/post-chatcompletions (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, SchemaSubset, Setting

# https://docs.fireworks.ai/structured-responses/structured-response-formatting (read 2026-11-25).
_SCHEMA = SchemaSubset(unknown=frozenset({"minLength", "maxLength", "minItems", "maxItems", "pattern"}), any_for_one=True)
_MODELS = "accounts/fireworks/models"


class FireworksConfig(Config):
    """FIREWORKS_API_KEY, FIREWORKS_MODEL, FIREWORKS_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Fireworks AI", aliases=("FIREWORKS_AI_API_KEY",), secret=True, example="fw_…")]
    model: str = f"{_MODELS}/gpt-oss-120b"
    endpoint: str = "https://api.fireworks.ai/inference/v1"


provider = Dialect(
    name="fireworks",
    label="Fireworks AI",
    description="Open models, served fast",
    config=FireworksConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning_content", rules=(), schema_subset=_SCHEMA),
    capabilities=Capabilities(
        tools=True,
        structured_output="native",
        stop=True,
        temperature=True,
        top_p=True,
        top_k=True,
        frequency_penalty=True,
        presence_penalty=True,
    ),
    models=[
        Model(f"{_MODELS}/glm-5p3", label="GLM 5.3", description="For agents and code", context_tokens=1_048_573),
        Model(f"{_MODELS}/kimi-k3", label="Kimi K3", description="For agents, long context", context_tokens=1_040_000),
        Model(f"{_MODELS}/deepseek-v4-pro", label="DeepSeek V4 Pro", description="Capable reasoning", context_tokens=1_048_576),
        Model(f"{_MODELS}/deepseek-v4p1-flash", label="DeepSeek V4.1 Flash", description="Fast reasoning"),
        Model(f"{_MODELS}/minimax-m3", label="MiniMax M3", description="For agents and code", context_tokens=524_288),
        Model(f"{_MODELS}/qwen3p7-plus", label="Qwen3.7 Plus", description="Balanced", context_tokens=262_144),
        Model(f"{_MODELS}/gpt-oss-120b", label="GPT-OSS 120B", description="Open reasoning model of OpenAI", context_tokens=131_072),
        Model(f"{_MODELS}/gpt-oss-20b", label="GPT-OSS 20B", description="Its small sibling", context_tokens=131_072),
    ],
    docs_url="https://fireworks.ai/models",
    extra_options=[
        ExtraOption(name="reasoning_effort", type=Literal["xhigh", "max"], description="more than the usual levels"),
        ExtraOption(name="thinking", type=dict[str, Any], description="a budget in tokens, where an effort is not enough"),
        ExtraOption(name="prompt_cache_key", type=str, description="keeps requests with a common beginning together"),
        ExtraOption(name="context_length_exceeded_behavior", type=Literal["truncate", "error"], description="when the prompt is too long"),
        ExtraOption(name="min_p", type=float, description="smallest probability against the likeliest token's"),
        ExtraOption(name="repetition_penalty", type=float, description="against repetition"),
        ExtraOption(name="logit_bias", type=dict[str, float], description="which tokens are likelier"),
        ExtraOption(name="service_tier", type=Literal["auto", "default", "priority"], description="speed against price"),
        ExtraOption(name="user", type=str, description="an opaque name of the end user"),
    ],
)
