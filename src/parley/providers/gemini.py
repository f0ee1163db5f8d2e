"""Google Gemini. Wire: https://ai.google.dev/api/generate-content (read 2026-11-22)."""

from typing import Annotated, Any

from parley.provider import Capabilities, Config, Dialect, ExtraOption, GeminiGenerate, Model, Setting


class GeminiConfig(Config):
    """GEMINI_API_KEY (or GOOGLE_API_KEY), GEMINI_MODEL, GEMINI_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Google AI Studio", aliases=("GOOGLE_API_KEY",), secret=True, example="AIza…")]
    model: str = "gemini-3.5-flash"
    endpoint: str = "https://generativelanguage.googleapis.com/v1beta"


provider = Dialect(
    name="gemini",
    label="Google Gemini",
    description="Gemini models from Google AI Studio",
    config=GeminiConfig,
    wire=GeminiGenerate(),
    capabilities=Capabilities(tools=True, images=True, files=True, structured_output="native"),
    models=[
        Model("gemini-3.6-flash", label="Gemini 3.6 Flash", description="Newest fast model"),
        Model("gemini-3.5-flash", label="Gemini 3.5 Flash", description="Fast, for everyday work"),
        Model("gemini-3.1-pro-preview", label="Gemini 3.1 Pro (preview)", description="Most capable, for hard work"),
        Model("gemini-3-flash-preview", label="Gemini 3 Flash (preview)", description="Fast reasoning", context_tokens=1_048_576),
        Model("gemini-2.5-pro", label="Gemini 2.5 Pro", description="Long context, reasoning", context_tokens=1_048_576),
        Model("gemini-2.5-flash", label="Gemini 2.5 Flash", description="Mid-size, fast", context_tokens=1_048_576),
        Model("gemini-2.5-flash-lite", label="Gemini 2.5 Flash-Lite", description="Smallest and cheapest", context_tokens=1_048_576),
    ],
    embedding_models=[
        Model("gemini-embedding-001", label="Gemini Embedding", description="Vectors of text, 3072 long", context_tokens=2048),
        Model("gemini-embedding-2-preview", label="Gemini Embedding 2 (preview)", description="Newer vectors", context_tokens=8192),
    ],
    docs_url="https://ai.google.dev/gemini-api/docs/models",
    extra_options=[
        ExtraOption(name="safetySettings", type=list[dict[str, Any]], description="thresholds of the content filter"),
        ExtraOption(name="cachedContent", type=str, description="name of a cached context"),
    ],
)
