"""Moonshot AI. Wire: https://platform.moonshot.ai/docs/api/chat (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, ModelRule, OpenAIChat, Setting


class MoonshotAIConfig(Config):
    """MOONSHOTAI_API_KEY (or MOONSHOT_API_KEY), MOONSHOTAI_MODEL, MOONSHOTAI_ENDPOINT."""

    api_key: Annotated[
        str, Setting("a key of the Kimi platform", aliases=("MOONSHOT_API_KEY", "KIMI_API_KEY"), secret=True, example="sk-…")
    ]
    model: str = "kimi-k3"
    endpoint: Annotated[str, Setting("base URL with its version prefix; api.moonshot.cn in China", aliases=("MOONSHOT_BASE_URL",))] = (
        "https://api.moonshot.ai/v1"
    )


# Since K2.5 their values are fixed, and any other is an error.
_FIXED = ("temperature", "top_p", "presence_penalty", "frequency_penalty")

provider = Dialect(
    name="moonshotai",
    label="Moonshot AI",
    description="Kimi models from Moonshot AI",
    config=MoonshotAIConfig,
    wire=OpenAIChat(
        reasoning_field="reasoning_content",
        rules=[ModelRule(match=match, drop=_FIXED) for match in ("kimi-k2.[5-9]*", "kimi-k3*")],
    ),
    capabilities=Capabilities(tools=True, stop=True, top_k=False),
    models=[
        Model("kimi-k3.1-pro", label="Kimi K3.1 Pro", description="Most capable, for agents", context_tokens=1_048_576),
        Model("kimi-k3", label="Kimi K3", description="For agents, long context", context_tokens=1_048_576),
        Model("kimi-k2.7-code", label="Kimi K2.7 Code", description="Code, always thinks", context_tokens=262_144),
        Model("kimi-k2.6", label="Kimi K2.6", description="Older, thinks on request", context_tokens=262_144),
    ],
    docs_url="https://platform.moonshot.ai/docs/pricing/chat",
    extra_options=[
        ExtraOption(name="thinking", type=dict[str, Any], description='{"type": "enabled"} or {"type": "disabled"}'),
        ExtraOption(name="reasoning_effort", type=Literal["max"], description="more than the usual levels"),
        ExtraOption(name="prompt_cache_key", type=str, description="keeps requests with a common beginning together"),
        ExtraOption(name="safety_identifier", type=str, description="an opaque name of the end user"),
    ],
)
