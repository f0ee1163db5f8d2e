"""Cerebras. Wire: https://inference-docs.cerebras.ai/api-reference/chat-completions (read 2026-11-25)."""

from typing import Annotated, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, SchemaSubset, Setting


class CerebrasConfig(Config):
    """CEREBRAS_API_KEY, CEREBRAS_MODEL, CEREBRAS_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of the Cerebras cloud", secret=True, example="csk-…")]
    model: str = "gpt-oss-120b"
    endpoint: str = "https://api.cerebras.ai/v1"


# https://inference-docs.cerebras.ai/capabilities/structured-outputs (read 2026-11-25).
_STRICT = SchemaSubset(
    unknown=frozenset({"pattern", "format", "minItems", "maxItems"}), recursion=False, root_object=True, closed=True, when_strict=True
)

provider = Dialect(
    name="cerebras",
    label="Cerebras",
    description="Open models on wafer-sized chips, very fast",
    config=CerebrasConfig,
    wire=OpenAIChat(reasoning_field="reasoning", rules=(), schema_subset=_STRICT),
    # The penalties are refused with 400: https://inference-docs.cerebras.ai/resources/openai (read 2026-11-25).
    capabilities=Capabilities(
        tools=True, structured_output="native", seed=True, stop=True, frequency_penalty=False, presence_penalty=False, top_k=False
    ),
    models=[
        Model("gpt-oss-120b", label="GPT-OSS 120B", description="Open reasoning model of OpenAI", context_tokens=131_072),
        Model("qwen-3.8-27b", label="Qwen3.8 27B", description="Reasoning, reads images", context_tokens=65_536),
        Model("zai-glm-4.7", label="GLM 4.7", description="For agents and code", context_tokens=131_072),
    ],
    docs_url="https://inference-docs.cerebras.ai/models/overview",
    extra_options=[
        ExtraOption(name="clear_thinking", type=bool, description="forget the thought of earlier turns (GLM)"),
        ExtraOption(name="reasoning_format", type=Literal["parsed", "raw", "hidden", "none"], description="where the reasoning is put"),
        ExtraOption(name="prompt_cache_key", type=str, description="keeps requests with a common beginning together"),
        ExtraOption(name="service_tier", type=Literal["auto", "default", "flex", "priority"], description="speed against price"),
        ExtraOption(name="user", type=str, description="an opaque name of the end user"),
    ],
)
