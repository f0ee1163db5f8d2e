"""OpenRouter. Wire: https://openrouter.ai/docs/api-reference/chat-completion (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, OpenAIResponses, Setting


class OpenRouterConfig(Config):
    """OPENROUTER_API_KEY, OPENROUTER_MODEL, OPENROUTER_ENDPOINT, OPENROUTER_API."""

    api_key: Annotated[str, Setting("a key of OpenRouter", secret=True, example="sk-or-v1-…")]
    model: str = "openai/gpt-5.2"
    endpoint: str = "https://openrouter.ai/api/v1"
    api: Annotated[Literal["chat", "responses"], Setting("chat completions, or OpenAI's Responses (in beta)")] = "chat"


class OpenRouterChat(OpenAIChat, frozen=True):
    """It hands cache markers on to those of its vendors who know them; its Responses do not."""

    capabilities = Capabilities(cache_markers=True).over(OpenAIChat.capabilities)


provider = Dialect(
    name="openrouter",
    label="OpenRouter",
    description="Models of many vendors through one key",
    config=OpenRouterConfig,
    wire=OpenRouterChat(max_tokens_field="max_tokens", reasoning_field="reasoning", effort_field="reasoning"),
    apis={"responses": OpenAIResponses(encrypted_thought=("*",))},
    capabilities=Capabilities(streaming=True, list_models=True, embeddings=True),
    models=[
        Model("anthropic/claude-sonnet-4.6", label="Claude Sonnet 4.6", description="Anthropic's, balanced"),
        Model("anthropic/claude-haiku-4.5", label="Claude Haiku 4.5", description="Anthropic's, fast", context_tokens=200_000),
        Model("openai/gpt-5.2", label="GPT-5.2", description="OpenAI's, reasoning", context_tokens=400_000),
        Model("google/gemini-2.5-flash", label="Gemini 2.5 Flash", description="Google's, fast", context_tokens=1_048_576),
        Model("deepseek/deepseek-v4-flash", label="DeepSeek V4 Flash", description="DeepSeek's, affordable", context_tokens=1_048_576),
    ],
    embedding_models=[
        Model("openai/text-embedding-3-small", label="Embedding 3 small", description="OpenAI's, affordable", context_tokens=8191),
    ],
    docs_url="https://openrouter.ai/models",
    extra_options=[
        ExtraOption(name="provider", type=dict[str, Any], description="which hosts may answer, and in which order"),
        ExtraOption(name="models", type=list[str], description="models to try after the first"),
        ExtraOption(name="plugins", type=list[dict[str, Any]], description="web search, file parsing"),
        ExtraOption(name="transforms", type=list[str], description="how long prompts are shortened"),
        ExtraOption(name="reasoning", type=dict[str, Any], description="a budget in tokens, where an effort is not enough", api="chat"),
        ExtraOption(name="prompt_cache_options", type=dict[str, Any], description="how prompts are cached", api="responses"),
    ],
)
