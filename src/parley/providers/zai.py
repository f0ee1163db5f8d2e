"""Z.AI. Wire: https://docs.z.ai/api-reference/llm/chat-completion (read 2026-11-25)."""

from typing import Annotated, Any

from parley.provider import (
    AuthenticationError,
    Capabilities,
    Config,
    ContentFilterError,
    ContextLengthError,
    Dialect,
    ExtraOption,
    Model,
    ModelNotFoundError,
    OpenAIChat,
    OverloadedError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    Setting,
)


class ZAIConfig(Config):
    """ZAI_API_KEY (or ZHIPU_API_KEY), ZAI_MODEL, ZAI_ENDPOINT."""

    api_key: Annotated[
        str,
        Setting("a key of the Z.AI platform", aliases=("Z_AI_API_KEY", "ZHIPU_API_KEY", "ZHIPUAI_API_KEY"), secret=True, example="….…"),
    ]
    model: str = "glm-4.7"
    endpoint: str = "https://api.z.ai/api/paas/v4"


# https://docs.z.ai/api-reference/api-code (read 2026-11-25)
ERROR_CODES: dict[str, type[ProviderError]] = {
    **dict.fromkeys(("1000", "1001", "1002", "1003", "1004"), AuthenticationError),
    **dict.fromkeys(("1110", "1111", "1112", "1121", "1220", "1311"), PermissionDeniedError),
    **dict.fromkeys(("1113", "1308", "1309", "1310"), QuotaExceededError),
    "1120": ServerError,
    "1211": ModelNotFoundError,
    **dict.fromkeys(("1230", "1234"), ServerError),
    "1261": ContextLengthError,
    **dict.fromkeys(("1300", "1301"), ContentFilterError),
    **dict.fromkeys(("1302", "1303", "1304", "1305"), RateLimitError),
    "1312": OverloadedError,
}

provider = Dialect(
    name="zai",
    label="Z.AI",
    description="GLM models from Zhipu",
    config=ZAIConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning_content", rules=(), error_codes=ERROR_CODES),
    # It calls a tool when it wants to ("auto" alone), and knows JSON, but no schema.
    capabilities=Capabilities(
        tools=True, tool_choice=False, response_format=True, structured_output="prompt", temperature=True, top_p=True, top_k=False
    ),
    models=[
        Model("glm-5.3", label="GLM-5.3", description="Most capable, for agents and code", context_tokens=1_000_000),
        Model("glm-5.3-flash", label="GLM-5.3 Flash", description="Fast, long context", context_tokens=1_000_000),
        Model("glm-5.2", label="GLM-5.2", description="The flagship before", context_tokens=1_000_000),
        Model("glm-4.7", label="GLM-4.7", description="Reasoning, tools", context_tokens=204_800),
        Model("glm-4.7-flash", label="GLM-4.7 Flash", description="Small and free"),
        Model("glm-4.6v", "GLM-4.6V", "Reads images", 128_000, Capabilities(images=True)),
        Model("glm-4.5-air", label="GLM-4.5 Air", description="Affordable", context_tokens=131_072),
    ],
    docs_url="https://docs.z.ai/guides/overview/pricing",
    extra_options=[
        ExtraOption(name="thinking", type=dict[str, Any], description='{"type": "enabled"} or {"type": "disabled"}'),
        ExtraOption(name="do_sample", type=bool, description="false: always the likeliest token"),
        ExtraOption(name="tool_stream", type=bool, description="stream the arguments of tool calls"),
        ExtraOption(name="request_id", type=str, description="a name for this request"),
        ExtraOption(name="user_id", type=str, description="an opaque name of the end user"),
    ],
)
