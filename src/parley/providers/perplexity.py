"""Perplexity. Wire: https://docs.perplexity.ai/api-reference/sonar-post (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting, Target, url_of


class PerplexityConfig(Config):
    """PERPLEXITY_API_KEY (or PPLX_API_KEY), PERPLEXITY_MODEL, PERPLEXITY_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of the Perplexity API", aliases=("PPLX_API_KEY",), secret=True, example="pplx-…")]
    model: str = "sonar"
    endpoint: str = "https://api.perplexity.ai"


class PerplexityChat(OpenAIChat, frozen=True):
    """Vectors are asked for below a version that answers do not have."""

    def embeddings_url(self, target: Target) -> str:
        """Where vectors are asked for."""
        return url_of(target.endpoint.removesuffix("/v1"), "/v1/embeddings")


provider = Dialect(
    name="perplexity",
    label="Perplexity",
    description="Answers from the web, with their sources",
    config=PerplexityConfig,
    wire=PerplexityChat(
        max_tokens_field="max_tokens",
        stream_usage=False,  # usage comes unasked, with every chunk
        rules=(),
        embedding_encoding="base64_int8",
        embedding_batch=512,
    ),
    capabilities=Capabilities(
        tools=False, tool_choice=False, structured_output="native", images=True, citations=True, usage=True, embeddings=True
    ),
    models=[
        Model("sonar", label="Sonar", description="Fast search", context_tokens=128_000),
        Model("sonar-pro", label="Sonar Pro", description="Deeper search", context_tokens=200_000),
        Model("sonar-reasoning-pro", label="Sonar Reasoning Pro", description="Reasons over what it finds", context_tokens=128_000),
        Model("sonar-deep-research", label="Sonar Deep Research", description="Long research reports", context_tokens=128_000),
    ],
    embedding_models=[
        Model("pplx-embed-v1-0.6b", label="Embed 0.6B", description="Vectors of text, 1024 long", context_tokens=32_000),
        Model("pplx-embed-v1-4b", label="Embed 4B", description="Better vectors, 2560 long", context_tokens=32_000),
    ],
    docs_url="https://docs.perplexity.ai/getting-started/models",
    extra_options=[
        ExtraOption(name="search_mode", type=Literal["web", "academic", "sec"], description="where is searched"),
        ExtraOption(name="search_domain_filter", type=list[str], description="domains to search, or with - to leave out"),
        ExtraOption(name="search_recency_filter", type=Literal["hour", "day", "week", "month", "year"], description="how new sources are"),
        ExtraOption(name="search_after_date_filter", type=str, description="sources after this day, month/day/year"),
        ExtraOption(name="search_before_date_filter", type=str, description="sources before this day, month/day/year"),
        ExtraOption(name="web_search_options", type=dict[str, Any], description="how much is searched, and from where"),
        ExtraOption(name="return_images", type=bool, description="pictures too"),
        ExtraOption(name="return_related_questions", type=bool, description="what one might ask next"),
        ExtraOption(name="disable_search", type=bool, description="answer from memory"),
        ExtraOption(name="language_preference", type=str, description="language of the answer"),
    ],
)
