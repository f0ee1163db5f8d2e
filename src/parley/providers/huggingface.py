"""Hugging Face's Inference Providers. Wire: https://huggingface.co/docs/inference-providers/tasks/chat-completion (read 2026-11-25)."""

from typing import Annotated, Any

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting


class HuggingFaceConfig(Config):
    """HUGGINGFACE_API_KEY (or HF_TOKEN), HUGGINGFACE_MODEL, HUGGINGFACE_ENDPOINT."""

    api_key: Annotated[
        str,
        Setting(
            "a token of Hugging Face",
            aliases=("HF_TOKEN", "HUGGINGFACEHUB_API_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
            secret=True,
            example="hf_…",
        ),
    ]
    model: Annotated[str, Setting("a model, with `:together`, `:fastest` … where a certain host is to answer")] = (
        "meta-llama/Llama-3.1-8B-Instruct"
    )
    endpoint: str = "https://router.huggingface.co/v1"


provider = Dialect(
    name="huggingface",
    label="Hugging Face",
    description="Open models at many hosts through one token",
    config=HuggingFaceConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", rules=()),
    capabilities=Capabilities(list_models=True),
    models=[
        Model("meta-llama/Llama-3.1-8B-Instruct", label="Llama 3.1 8B", description="Small and fast", context_tokens=131_072),
        Model("deepseek-ai/DeepSeek-V4-Pro", label="DeepSeek V4 Pro", description="Capable reasoning"),
        Model("deepseek-ai/DeepSeek-V4-Flash", label="DeepSeek V4 Flash", description="Fast reasoning"),
        Model("moonshotai/Kimi-K2.6", label="Kimi K2.6", description="For agents", context_tokens=262_144),
        Model("zai-org/GLM-5.2", label="GLM 5.2", description="For agents and code"),
        Model("Qwen/Qwen3.5-397B-A17B", label="Qwen3.5 397B", description="Reasoning, reads images"),
        Model("Qwen/Qwen3.6-27B", label="Qwen3.6 27B", description="Mid-size reasoning"),
        Model("MiniMaxAI/MiniMax-M2.7", label="MiniMax M2.7", description="For agents and code"),
    ],
    docs_url="https://huggingface.co/docs/inference-providers",
    extra_options=[
        ExtraOption(name="chat_template_kwargs", type=dict[str, Any], description="what the model's template takes"),
        ExtraOption(name="logit_bias", type=dict[str, float], description="which tokens are likelier"),
    ],
)
