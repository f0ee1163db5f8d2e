"""Alibaba Cloud Model Studio. Wire: https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope
(read 2026-11-25)."""

from typing import Annotated, Any

from parley.provider import (
    Capabilities,
    Config,
    Dialect,
    ExtraOption,
    Model,
    OpenAIChat,
    RateLimitError,
    Setting,
)


class AlibabaConfig(Config):
    """ALIBABA_API_KEY (or DASHSCOPE_API_KEY), ALIBABA_MODEL, ALIBABA_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Model Studio (DashScope)", aliases=("DASHSCOPE_API_KEY",), secret=True, example="sk-…")]
    model: str = "qwen3-max"
    endpoint: Annotated[
        str,
        Setting("address of your region: dashscope-intl (Singapore), dashscope-us, dashscope (Beijing)", aliases=("DASHSCOPE_BASE_URL",)),
    ] = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"


provider = Dialect(
    name="alibaba",
    label="Alibaba Cloud",
    description="Qwen models from Alibaba",
    config=AlibabaConfig,
    # The vendor says with this word that a minute's tokens are used up, too.
    wire=OpenAIChat(max_tokens_field="max_tokens", rules=(), error_codes={"insufficient_quota": RateLimitError}),
    capabilities=Capabilities(tools=True, temperature=True, top_p=True, top_k=True, seed=True, presence_penalty=True, cache_markers=True),
    models=[
        Model("qwen3.8-max", label="Qwen3.8 Max", description="Most capable, reads images", context_tokens=1_000_000),
        Model("qwen3.7-max", label="Qwen3.7 Max", description="The flagship before", context_tokens=1_000_000),
        Model("qwen3-max", label="Qwen3 Max", description="Capable, for agents", context_tokens=262_144),
        Model("qwen-plus", label="Qwen Plus", description="Balanced, thinks on request", context_tokens=1_000_000),
        Model("qwen-flash", label="Qwen Flash", description="Fast and affordable", context_tokens=1_000_000),
        Model("qwen3-coder-plus", label="Qwen3 Coder Plus", description="Code", context_tokens=1_000_000),
        Model("qwen3-coder-flash", label="Qwen3 Coder Flash", description="Code, faster", context_tokens=1_000_000),
        Model("qwen3-vl-flash", label="Qwen3 VL Flash", description="Reads images, fast", context_tokens=262_144),
    ],
    docs_url="https://www.alibabacloud.com/help/en/model-studio/models",
    extra_options=[
        ExtraOption(name="enable_thinking", type=bool, description="think before the answer"),
        ExtraOption(name="thinking_budget", type=int, description="at most so many tokens of thought"),
        ExtraOption(name="enable_search", type=bool, description="search the web"),
        ExtraOption(name="search_options", type=dict[str, Any], description="how the web is searched"),
        ExtraOption(name="repetition_penalty", type=float, description="against repetition"),
    ],
)
