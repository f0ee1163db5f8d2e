"""Google Vertex AI. Wires: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference and Anthropic's there."""

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
    GeminiGenerate,
    GoogleToken,
    HttpRequest,
    Model,
    ParleyError,
    ResponseHead,
    Setting,
    Target,
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


class GeminiOnVertex(GeminiGenerate):
    """Gemini under Vertex AI's address."""

    def url(self, target: Target, *, stream: bool) -> str:
        """Where content is asked for."""
        action = "streamGenerateContent?alt=sse" if stream else "generateContent"
        return f"{target.endpoint.rstrip('/')}/publishers/google/models/{quote(target.model, safe='@.-_')}:{action}"

    def count_body(self, fields: dict[str, Any], *, target: Target) -> dict[str, Any]:
        """Here the fields are counted as they are; nobody asks what limits the answer."""
        return {name: fields[name] for name in ("contents", "systemInstruction", "tools") if name in fields}


class VertexWire:
    """Each model's own wire: Claude speaks Anthropic's, all others Gemini's."""

    name = "vertex"
    auth_scheme = GeminiGenerate.auth_scheme
    capabilities = Capabilities(streaming=True, list_models=False, embeddings=False)

    def __init__(self) -> None:
        self._gemini = GeminiOnVertex()
        self._claude = AnthropicOnVertex()

    def of(self, model: str) -> Codec:
        """The wire of this model."""
        return self._claude if model.startswith("claude") else self._gemini

    def encode(self, request: ChatRequest, *, target: Target, stream: bool) -> HttpRequest:
        """See parley.contract.codec.Codec."""
        return self.of(target.model).encode(request, target=target, stream=stream)

    def decoder(self, request: ChatRequest, head: ResponseHead) -> Decoder:
        """See parley.contract.codec.Codec."""
        return self.of(head.model).decoder(request, head)

    def decode_error(self, head: ResponseHead, body: bytes) -> ParleyError:
        """See parley.contract.codec.Codec."""
        return self.of(head.model).decode_error(head, body)


def authorise(config: VertexConfig) -> Auth:
    """A token, given or fetched."""
    return GoogleToken(access_token=config.access_token, credentials_file=config.credentials_file)


def base_url(config: VertexConfig) -> str:
    """The global address has no location in its name."""
    host = "aiplatform.googleapis.com" if config.location == "global" else f"{config.location}-aiplatform.googleapis.com"
    return f"https://{host}/v1/projects/{config.project}/locations/{config.location}"


MODELS: Sequence[Model] = (
    Model("gemini-3.5-flash", label="Gemini 3.5 Flash", description="Fast, for everyday work"),
    Model("gemini-3.1-pro-preview", label="Gemini 3.1 Pro (preview)", description="Most capable, for hard work"),
    Model("gemini-3-flash-preview", label="Gemini 3 Flash (preview)", description="Fast reasoning", context_tokens=1_048_576),
    Model("gemini-2.5-pro", label="Gemini 2.5 Pro", description="Long context, reasoning", context_tokens=1_048_576),
    Model("gemini-2.5-flash", label="Gemini 2.5 Flash", description="Mid-size, fast", context_tokens=1_048_576),
    Model("claude-sonnet-4-5@20250929", label="Claude Sonnet 4.5", description="Anthropic's, for agents and code"),
    Model("claude-haiku-4-5@20251001", label="Claude Haiku 4.5", description="Anthropic's, fast and affordable"),
)

provider = Dialect(
    name="vertex",
    label="Google Vertex AI",
    description="Gemini and Claude in your own Google Cloud project",
    config=VertexConfig,
    wire=VertexWire(),
    auth=authorise,
    base_url=base_url,
    capabilities=Capabilities(tools=True, images=True, files=True, usage=True),
    models=MODELS,
    docs_url="https://cloud.google.com/vertex-ai/generative-ai/docs/models",
    extra_options=[
        ExtraOption(name="safetySettings", type=list[dict[str, Any]], description="thresholds of the content filter (Gemini)"),
        ExtraOption(name="labels", type=dict[str, str], description="labels for the bill (Gemini)"),
    ],
)
