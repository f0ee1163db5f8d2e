"""Groq. Wire: https://console.groq.com/docs/openai (read 2026-11-22)."""

from typing import Annotated, Any, Literal

from parley.provider import STRICT_SCHEMA, Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting


class GroqConfig(Config):
    """GROQ_API_KEY, GROQ_MODEL, GROQ_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of the Groq console", secret=True, example="gsk_…")]
    model: str = "llama-3.3-70b-versatile"
    endpoint: str = "https://api.groq.com/openai/v1"


provider = Dialect(
    name="groq",
    label="Groq",
    description="Open models, served very fast",
    config=GroqConfig,
    wire=OpenAIChat(schema_subset=STRICT_SCHEMA),
    capabilities=Capabilities(tools=True, tool_choice=True, top_k=False),
    models=[
        Model("openai/gpt-oss-120b", label="GPT-OSS 120B", description="Open reasoning model of OpenAI", context_tokens=131_072),
        Model("openai/gpt-oss-20b", label="GPT-OSS 20B", description="Its small sibling", context_tokens=131_072),
        Model("llama-3.3-70b-versatile", "Llama 3.3 70B", "General use, tools", 131_072, Capabilities(structured_output="tool")),
        Model("llama-3.1-8b-instant", "Llama 3.1 8B", "Fastest and cheapest", 131_072, Capabilities(structured_output="tool")),
        Model("qwen/qwen3-32b", label="Qwen3 32B", description="Reasoning on request", context_tokens=131_072),
    ],
    docs_url="https://console.groq.com/docs/models",
    extra_options=[
        ExtraOption(name="service_tier", type=Literal["auto", "on_demand", "flex", "performance"], description="speed against capacity"),
        ExtraOption(name="reasoning_format", type=Literal["parsed", "raw", "hidden"], description="where the reasoning is put"),
        ExtraOption(name="search_settings", type=dict[str, Any], description="of the compound systems"),
    ],
)
