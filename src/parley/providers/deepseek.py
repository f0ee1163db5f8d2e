"""DeepSeek. Wire: https://api-docs.deepseek.com/api/create-chat-completion (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, OpenAIResponses, Setting


class DeepSeekConfig(Config):
    """DEEPSEEK_API_KEY, DEEPSEEK_MODEL, DEEPSEEK_ENDPOINT, DEEPSEEK_API."""

    api_key: Annotated[str, Setting("a key of the DeepSeek platform", secret=True, example="sk-…")]
    model: str = "deepseek-v4-flash"
    endpoint: str = "https://api.deepseek.com"
    api: Annotated[Literal["chat", "responses"], Setting("chat completions, or OpenAI's Responses")] = "chat"


provider = Dialect(
    name="deepseek",
    label="DeepSeek",
    description="DeepSeek's own models, with and without thinking",
    config=DeepSeekConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning_content", rules=()),
    apis={"responses": OpenAIResponses(encrypted_thought=(), rules=())},
    capabilities=Capabilities(
        tools=True,
        response_format=True,
        structured_output="prompt",
        images=False,
        image_urls=False,
        files=False,
        top_k=False,
        embeddings=False,
    ),
    models=[
        Model("deepseek-v4-flash", label="DeepSeek V4 Flash", description="Fast, long context, tools", context_tokens=1_000_000),
        Model("deepseek-v4-pro", label="DeepSeek V4 Pro", description="Most capable, long context, tools", context_tokens=1_000_000),
    ],
    docs_url="https://api-docs.deepseek.com/quick_start/pricing",
    extra_options=[
        ExtraOption(name="thinking", type=dict[str, Any], description='{"type": "enabled"} or {"type": "disabled"}', api="chat"),
        ExtraOption(name="reasoning_effort", type=Literal["xhigh", "max"], description="more than the usual levels"),
    ],
)
