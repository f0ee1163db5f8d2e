"""Google Vertex AI. Wire: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference (read 2026-11-25);
Claude's there: https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai (read 2026-11-25).
"""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

from parley.provider import (
    AnthropicOnVertex,
    Auth,
    Capabilities,
    ChatRequest,
    Codec,
    Config,
    Decoder,
    Dialect,
    ExtraOption,
    FieldProblem,
    GeminiGenerate,
    GoogleToken,
    HttpRequest,
    Model,
    ParleyError,
    ResponseHead,
    Setting,
    Target,
    UnsupportedFeatureError,
    VertexEmbeddings,
    host_label,
    hosted_messages_options,
)


class VertexConfig(Config):
    """VERTEX_PROJECT and VERTEX_LOCATION; a token, a credentials file, or the credentials of the machine."""

    api_key: Annotated[str, Setting("not used: Vertex AI takes tokens", secret=True)] = ""
    project: Annotated[str, Setting("the project that pays", aliases=("GOOGLE_CLOUD_PROJECT",), example="my-project")]  # pyright: ignore[reportGeneralTypeIssues] - all fields are given by name
    location: Annotated[str, Setting("where models answer", aliases=("GOOGLE_CLOUD_LOCATION",), example="europe-west4")] = "global"
    access_token: Annotated[str, Setting("a token that is used as it is", secret=True)] = ""
    credentials_file: Annotated[
        str, Setting("JSON file of a service account", aliases=("GOOGLE_APPLICATION_CREDENTIALS",), example="/etc/parley/account.json")
    ] = ""
    model: str = "gemini-3.5-flash"


_OF_CLAUDE = hosted_messages_options()
_OF_GEMINI = (
    ExtraOption(name="safetySettings", type=list[dict[str, Any]], description="thresholds of the content filter (Gemini)"),
    ExtraOption(name="labels", type=dict[str, str], description="labels for the bill (Gemini)"),
)


class VertexWire(VertexEmbeddings, GeminiGenerate):
    """Each model's own wire: Claude speaks Anthropic's, all others Gemini's, under an address of Vertex AI's."""

    # Of Gemini, for models that no list knows; those of Claude's that are listed say themselves what they take.
    capabilities = Capabilities(streaming=True, cache_markers=False, list_models=False, embeddings=True)

    def __init__(self) -> None:
        super().__init__()
        self._claude = AnthropicOnVertex()

    def url(self, target: Target, *, stream: bool) -> str:
        """Where content is asked for."""
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{target.endpoint.rstrip('/')}/publishers/google/models/{quote(target.model, safe='@.-_')}:{action}"

    def count_body(self, fields: dict[str, Any], *, target: Target) -> dict[str, Any]:
        """Here the fields are counted as they are; nobody asks what limits the answer."""
        return {name: fields[name] for name in ("contents", "systemInstruction", "tools") if name in fields}

    def of(self, model: str) -> Codec:
        """The wire of this model."""
        return self._claude if is_claude(model) else self

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        _check_extra(request, target)
        if is_claude(target.model):
            return self._claude.encode(request, target=target, stream=stream)
        return super().encode(request, target=target, stream=stream)

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return self._claude.decoder(request, head) if is_claude(head.model) else super().decoder(request, head)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return self._claude.decode_error(head, body) if is_claude(head.model) else super().decode_error(head, body)


def _check_extra(request: ChatRequest, target: Target) -> None:
    """The options of one wire mean nothing on the other."""
    others, whose = (_OF_GEMINI, "Gemini's") if is_claude(target.model) else (_OF_CLAUDE, "Claude's")
    for option in others:
        if option.name in request.options.extra:
            path = f"options.extra.{option.name}"
            problem = f"only {whose} models take it, and {target.model} is none"
            raise UnsupportedFeatureError(f"{path}: {problem}", fields=[FieldProblem(path=path, message=problem)])


def is_claude(model: str) -> bool:
    """Whether this model is Anthropic's."""
    return model.startswith("claude")


def authorise(config: VertexConfig) -> Auth:
    """A token, given or fetched."""
    return GoogleToken(access_token=config.access_token, credentials_file=config.credentials_file)


def base_url(config: VertexConfig) -> str:
    """The global address has no location in its name."""
    if config.endpoint:
        return config.endpoint
    location = host_label(config.location, field="location")
    host = "aiplatform.googleapis.com" if location == "global" else f"{location}-aiplatform.googleapis.com"
    return f"https://{host}/v1/projects/{quote(config.project, safe=':.')}/locations/{location}"


MODELS: Sequence[Model] = (
    Model("gemini-3.5-flash", "Gemini 3.5 Flash", "Fast, for everyday work", capabilities=GeminiGenerate.capabilities),
    Model("gemini-3.1-pro-preview", "Gemini 3.1 Pro (preview)", "Most capable, for hard work", capabilities=GeminiGenerate.capabilities),
    Model(
        "gemini-3-flash-preview",
        "Gemini 3 Flash (preview)",
        "Fast reasoning",
        context_tokens=1_048_576,
        capabilities=GeminiGenerate.capabilities,
    ),
    Model(
        "gemini-2.5-pro", "Gemini 2.5 Pro", "Long context, reasoning", context_tokens=1_048_576, capabilities=GeminiGenerate.capabilities
    ),
    Model("gemini-2.5-flash", "Gemini 2.5 Flash", "Mid-size, fast", context_tokens=1_048_576, capabilities=GeminiGenerate.capabilities),
    Model(
        "claude-sonnet-4-5@20250929", "Claude Sonnet 4.5", "Anthropic's, for agents and code", capabilities=AnthropicOnVertex.capabilities
    ),
    Model("claude-haiku-4-5@20251001", "Claude Haiku 4.5", "Anthropic's, fast and affordable", capabilities=AnthropicOnVertex.capabilities),
)

provider = Dialect(
    name="vertex",
    label="Google Vertex AI",
    description="Gemini and Claude in your own Google Cloud project",
    config=VertexConfig,
    wire=VertexWire(),
    auth=authorise,
    base_url=base_url,
    capabilities=Capabilities(tools=True, images=True, files=True, usage=True, cache_markers=False, embeddings=True),
    models=MODELS,
    embedding_models=[
        Model("gemini-embedding-001", label="Gemini Embedding", description="Best vectors, 3072 long", context_tokens=2048),
        Model("text-embedding-005", label="Text Embedding 5", description="English and code, 768 long", context_tokens=2048),
        Model("text-multilingual-embedding-002", "Multilingual Embedding 2", "Many languages, 768 long", context_tokens=2048),
    ],
    docs_url="https://cloud.google.com/vertex-ai/generative-ai/docs/models",
    extra_options=[*_OF_GEMINI, *_OF_CLAUDE],
)
