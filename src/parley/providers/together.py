"""Together AI. Wire: https://docs.together.ai/reference/chat-completions (read 2026-11-25)."""

from typing import Annotated, Any

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting


class TogetherConfig(Config):
    """TOGETHER_API_KEY, TOGETHER_MODEL, TOGETHER_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Together AI", aliases=("TOGETHERAI_API_KEY",), secret=True, example="tgp_…")]
    model: str = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    endpoint: str = "https://api.together.ai/v1"


provider = Dialect(
    name="together",
    label="Together AI",
    description="Open models, hosted",
    config=TogetherConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", reasoning_field="reasoning", rules=()),
    capabilities=Capabilities(
        tools=True, tool_choice=True, stop=True, top_k=True, seed=True, frequency_penalty=True, presence_penalty=True, list_models=True
    ),
    models=[
        Model("meta-llama/Llama-3.3-70B-Instruct-Turbo", label="Llama 3.3 70B", description="General use", context_tokens=131_072),
        Model("deepseek-ai/DeepSeek-V4.1-Flash", label="DeepSeek V4.1 Flash", description="Fast reasoning", context_tokens=1_000_000),
        Model("deepseek-ai/DeepSeek-V4-Pro-0813", label="DeepSeek V4 Pro", description="Capable reasoning", context_tokens=1_048_576),
        Model("moonshotai/Kimi-K3", label="Kimi K3", description="For agents, long context", context_tokens=1_048_576),
        Model("zai-org/GLM-5.3", label="GLM 5.3", description="For agents and code", context_tokens=1_048_575),
        Model("Qwen/Qwen3.8-Flash", label="Qwen3.8 Flash", description="Fast, long context", context_tokens=1_000_000),
        Model("MiniMaxAI/MiniMax-M3", label="MiniMax M3", description="For agents and code", context_tokens=524_288),
        Model("google/gemma-4-31B-it", label="Gemma 4 31B", description="Mid-size, reads images"),
    ],
    docs_url="https://docs.together.ai/docs/serverless-models",
    extra_options=[
        ExtraOption(name="repetition_penalty", type=float, description="against repetition"),
        ExtraOption(name="min_p", type=float, description="smallest probability against the likeliest token's"),
        ExtraOption(name="logit_bias", type=dict[str, float], description="which tokens are likelier"),
        ExtraOption(name="reasoning", type=dict[str, Any], description='{"enabled": false} answers at once'),
        ExtraOption(name="chat_template_kwargs", type=dict[str, Any], description="what the model's template takes"),
        ExtraOption(name="safety_model", type=str, description="a model that watches the answer"),
    ],
)
