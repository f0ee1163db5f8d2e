"""OpenAI. Wires: https://platform.openai.com/docs/api-reference/responses and …/chat (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import (
    STRICT_SCHEMA,
    USUAL_TYPES,
    Capabilities,
    Config,
    Dialect,
    ExtraOption,
    Model,
    OpenAIChat,
    OpenAIResponses,
    Setting,
)


class OpenAIConfig(Config):
    """OPENAI_API_KEY, OPENAI_MODEL, OPENAI_ENDPOINT (or OPENAI_BASE_URL), OPENAI_API."""

    api_key: Annotated[str, Setting("the key of an OpenAI project", secret=True, example="sk-proj-…")]
    model: str = "gpt-5-mini"
    endpoint: Annotated[str, Setting("base URL with its version prefix", aliases=("OPENAI_BASE_URL",))] = "https://api.openai.com/v1"
    api: Annotated[
        Literal["responses", "chat"], Setting("which of OpenAI's two chat APIs is spoken; most other servers know chat alone")
    ] = "responses"


# They think before every answer, and take none of what would steer their choice of words.
_NO_SAMPLING = Capabilities(temperature=False, top_p=False)

provider = Dialect(
    name="openai",
    label="OpenAI",
    description="GPT models from OpenAI",
    config=OpenAIConfig,
    wire=OpenAIResponses(embedding_encoding="base64", embedding_batch=2048, schema_subset=STRICT_SCHEMA, image_types=USUAL_TYPES),
    apis={"chat": OpenAIChat(embedding_encoding="base64", embedding_batch=2048, schema_subset=STRICT_SCHEMA, image_types=USUAL_TYPES)},
    capabilities=Capabilities(
        tools=True,
        tool_choice=True,
        parallel_tool_calls=True,
        structured_output="native",
        images=True,
        image_urls=True,
        top_k=False,
        list_models=True,
        embeddings=True,
    ),
    models=[
        Model("gpt-6.1-sol", "GPT-6.1 Sol", "Most capable, for long and hard work", 1_050_000, _NO_SAMPLING),
        Model("gpt-6.1-terra", "GPT-6.1 Terra", "Balance of speed and capability", 1_050_000, _NO_SAMPLING),
        Model("gpt-6-luna", "GPT-6 Luna", "Fast and affordable", 1_050_000, _NO_SAMPLING),
        Model("gpt-5.6", label="GPT-5.6", description="The generation before", context_tokens=1_050_000),
        Model("gpt-5.4", label="GPT-5.4", description="Older, for professional work", context_tokens=1_050_000),
        Model("gpt-5-mini", "GPT-5 mini", "Fast and affordable reasoning", 400_000, _NO_SAMPLING),
        Model("gpt-5-nano", "GPT-5 nano", "Fastest and cheapest reasoning", 400_000, _NO_SAMPLING),
        Model("gpt-4.1", label="GPT-4.1", description="Without reasoning, long context", context_tokens=1_047_576),
        Model("gpt-4.1-mini", label="GPT-4.1 mini", description="Without reasoning, fast", context_tokens=1_047_576),
        Model("gpt-4o-mini", label="GPT-4o mini", description="Without reasoning, small", context_tokens=128_000),
    ],
    embedding_models=[
        Model("text-embedding-3-small", label="Embedding 3 small", description="Affordable vectors, 1536 long", context_tokens=8191),
        Model("text-embedding-3-large", label="Embedding 3 large", description="Better vectors, 3072 long", context_tokens=8191),
        Model("text-embedding-ada-002", label="Embedding Ada 2", description="For vectors made earlier", context_tokens=8191),
    ],
    docs_url="https://platform.openai.com/docs/models",
    extra_options=[
        ExtraOption(
            name="service_tier", type=Literal["auto", "default", "flex", "scale", "priority", "fast"], description="speed against price"
        ),
        ExtraOption(name="verbosity", type=Literal["low", "medium", "high"], description="how long answers are"),
        ExtraOption(name="prompt_cache_key", type=str, description="keeps requests with a common beginning together"),
        ExtraOption(name="store", type=bool, description="keep the answer at OpenAI"),
        ExtraOption(name="metadata", type=dict[str, str], description="labels of a stored answer"),
        ExtraOption(name="reasoning_effort", type=Literal["xhigh", "max"], description="more than the usual levels"),
        ExtraOption(name="prompt_cache_options", type=dict[str, Any], description="how prompts are cached"),
        ExtraOption(name="prompt_cache_retention", type=Literal["in_memory", "24h"], description="how long prompts are cached"),
        ExtraOption(name="safety_identifier", type=str, description="an opaque name of the end user"),
        ExtraOption(name="user", type=str, description="the same, by its older name"),
        ExtraOption(name="reasoning_summary", type=Literal["auto", "concise", "detailed"], description="show thought", api="responses"),
        ExtraOption(name="hosted_tools", type=list[dict[str, Any]], description="tools that OpenAI runs: web search …", api="responses"),
        ExtraOption(name="include", type=list[str], description="more to put into the answer", api="responses"),
        ExtraOption(name="truncation", type=Literal["auto", "disabled"], description="cut what is too long", api="responses"),
        ExtraOption(name="max_tool_calls", type=int, description="how often tools of OpenAI's may run", api="responses"),
        ExtraOption(name="top_logprobs", type=int, description="likeliest tokens at each place", api="responses"),
        ExtraOption(name="web_search_options", type=dict[str, Any], description="of the search models", api="chat"),
        ExtraOption(name="logit_bias", type=dict[str, float], description="which tokens are likelier", api="chat"),
        ExtraOption(name="prediction", type=dict[str, Any], description="text that most of the answer repeats", api="chat"),
        ExtraOption(name="moderation", type=dict[str, Any], description="moderation of prompt and answer", api="chat"),
    ],
)
