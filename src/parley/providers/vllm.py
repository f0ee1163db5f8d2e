"""vLLM's server. Wire: https://docs.vllm.ai/en/latest/serving/openai_compatible_server/ (read 2026-11-25)."""

from typing import Annotated, Literal

from parley.provider import Capabilities, Config, Dialect, OpenAIChat, OpenAIResponses, Setting


class VLLMConfig(Config):
    """VLLM_ENDPOINT, VLLM_MODEL, VLLM_API; VLLM_API_KEY where the server was started with --api-key."""

    api_key: Annotated[str, Setting("the server's --api-key, if it has one", secret=True)] = ""
    model: Annotated[str, Setting("the model that is served", example="Qwen/Qwen3-8B")] = ""
    endpoint: Annotated[str, Setting("base URL with its version prefix", example="http://127.0.0.1:8000/v1")] = "http://127.0.0.1:8000/v1"
    api: Annotated[Literal["chat", "responses"], Setting("chat completions, or OpenAI's Responses")] = "chat"


provider = Dialect(
    name="vllm",
    label="vLLM",
    description="Open models on your own GPUs",
    config=VLLMConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning", rules=()),
    apis={"responses": OpenAIResponses(encrypted_thought=(), rules=())},
    capabilities=Capabilities(streaming=True, temperature=True, top_p=True, usage=True),
    docs_url="https://docs.vllm.ai/en/latest/models/supported_models/",
    local=True,
    extra_options=None,
)
