"""Cloudflare Workers AI. Wire: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/ (read 2026-11-25)."""

from typing import Annotated
from urllib.parse import quote

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting


class CloudflareConfig(Config):
    """CLOUDFLARE_API_KEY (or CLOUDFLARE_API_TOKEN), CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_MODEL."""

    api_key: Annotated[str, Setting("a token for Workers AI", aliases=("CLOUDFLARE_API_TOKEN",), secret=True, example="…")]
    account_id: Annotated[str, Setting("the account that pays", aliases=("CF_ACCOUNT_ID",), example="0123456789abcdef")]  # pyright: ignore[reportGeneralTypeIssues]
    model: str = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def base_url(config: CloudflareConfig) -> str:
    """Each account has an address of its own."""
    return config.endpoint or f"https://api.cloudflare.com/client/v4/accounts/{quote(config.account_id, safe='')}/ai/v1"


provider = Dialect(
    name="cloudflare",
    label="Cloudflare Workers AI",
    description="Open models at the edge of Cloudflare's network",
    config=CloudflareConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens", rules=()),
    base_url=base_url,
    # The catalogue has another address and another form.
    capabilities=Capabilities(structured_output="native", seed=True, list_models=False),
    models=[
        Model("@cf/meta/llama-3.3-70b-instruct-fp8-fast", label="Llama 3.3 70B", description="General use", context_tokens=24_000),
        Model("@cf/openai/gpt-oss-120b", label="GPT-OSS 120B", description="Open reasoning model of OpenAI", context_tokens=128_000),
        Model("@cf/openai/gpt-oss-20b", label="GPT-OSS 20B", description="Its small sibling", context_tokens=128_000),
        Model("@cf/meta/llama-4-scout-17b-16e-instruct", label="Llama 4 Scout", description="Reads images"),
        Model("@cf/qwen/qwen3.8-27b", label="Qwen3.8 27B", description="Reasoning, reads images", context_tokens=262_144),
        Model("@cf/google/gemma-4-26b-a4b-it", label="Gemma 4 26B", description="Mid-size", context_tokens=256_000),
        Model("@cf/zai-org/glm-4.7-flash", label="GLM 4.7 Flash", description="Fast, for agents", context_tokens=131_072),
        Model("@cf/moonshotai/kimi-k2.6", label="Kimi K2.6", description="For agents"),
    ],
    docs_url="https://developers.cloudflare.com/workers-ai/models/",
    extra_options=[
        ExtraOption(name="repetition_penalty", type=float, description="against repetition"),
        ExtraOption(name="lora", type=str, description="an adapter of your own"),
    ],
)
