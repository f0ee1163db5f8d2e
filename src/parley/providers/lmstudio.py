"""LM Studio's server. Wires: https://lmstudio.ai/docs/developer/openai-compat (read 2026-11-25)."""

from typing import Annotated, Literal

from parley.provider import Capabilities, Config, Dialect, OpenAIChat, OpenAIResponses, Setting


class LMStudioConfig(Config):
    """LMSTUDIO_ENDPOINT, LMSTUDIO_MODEL, LMSTUDIO_API; LMSTUDIO_API_KEY where the server asks for a token."""

    api_key: Annotated[str, Setting("the server's token, if it wants one", aliases=("LM_API_TOKEN",), secret=True)] = ""
    model: Annotated[str, Setting("a model that was downloaded", example="qwen/qwen3-8b")] = ""
    endpoint: Annotated[str, Setting("base URL with its version prefix", example="http://127.0.0.1:1234/v1")] = "http://127.0.0.1:1234/v1"
    api: Annotated[Literal["responses", "chat"], Setting("OpenAI's Responses, which show thought, or chat completions")] = "responses"


provider = Dialect(
    name="lmstudio",
    label="LM Studio",
    description="Open models on your own desk",
    config=LMStudioConfig,
    wire=OpenAIResponses(encrypted_thought=(), rules=()),
    apis={"chat": OpenAIChat(max_tokens_field="max_tokens", rules=())},
    capabilities=Capabilities(streaming=True, image_urls=False, files=False),
    docs_url="https://lmstudio.ai/models",
    local=True,
    extra_options=None,
)
