"""Mistral AI. Wire: https://docs.mistral.ai/api/ (read 2026-11-22)."""

from typing import Annotated, Any, Literal

from parley.provider import (
    USUAL_TYPES,
    Capabilities,
    ChatRequest,
    Config,
    Dialect,
    EmbeddingRequest,
    ExtraOption,
    Model,
    ModelRule,
    OpenAIChat,
    Setting,
    Target,
    ToolIds,
    short_id,
)


class MistralConfig(Config):
    """MISTRAL_API_KEY, MISTRAL_MODEL, MISTRAL_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Mistral's La Plateforme", secret=True, example="…")]
    model: str = "mistral-small-latest"
    endpoint: str = "https://api.mistral.ai/v1"


class MistralChat(OpenAIChat, frozen=True):
    """Mistral refuses with 400: tool ids that are not nine letters and digits, and a user's turn right after a tool's (code 3230)."""

    def tool_ids(self) -> ToolIds:
        """Foreign ids become such; Mistral's own stay."""
        return ToolIds(r"[A-Za-z0-9]{9}", short_id)

    def finish_embeddings_body(self, body: dict[str, Any], request: EmbeddingRequest, *, target: Target) -> dict[str, Any]:
        """Mistral calls the length of a vector otherwise."""
        return {("output_dimension" if name == "dimensions" else name): value for name, value in body.items() if name != "user"}

    def finish_body(self, body: dict[str, Any], request: ChatRequest, *, target: Target) -> dict[str, Any]:
        """Where somebody speaks before the model has answered a tool, the model says "OK" in between."""
        messages: list[dict[str, Any]] = []
        for message in body["messages"]:
            if message["role"] == "user" and messages and messages[-1]["role"] == "tool":
                messages.append({"role": "assistant", "content": "OK"})
            messages.append(message)
        return body | {"messages": messages}


provider = Dialect(
    name="mistral",
    label="Mistral AI",
    description="Mistral's own models, hosted in Europe",
    config=MistralConfig,
    wire=MistralChat(
        image_types=USUAL_TYPES,
        max_tokens_field="max_tokens",
        stream_usage=False,  # usage comes unasked, and unknown fields are refused with 422
        reasoning_field="thinking",
        rules=[ModelRule(match="*", rename={"seed": "random_seed"})],
    ),
    capabilities=Capabilities(tools=True, tool_choice=True, structured_output="native", top_k=False, embeddings=True),
    models=[
        Model("mistral-large-latest", label="Mistral Large", description="Most capable", context_tokens=262_144),
        Model("mistral-medium-latest", label="Mistral Medium", description="Multimodal, balanced", context_tokens=131_072),
        Model("mistral-small-latest", label="Mistral Small", description="Fast and affordable", context_tokens=131_072),
        Model("magistral-medium-latest", label="Magistral Medium", description="Reasoning", context_tokens=131_072),
        Model("magistral-small-latest", label="Magistral Small", description="Reasoning, small", context_tokens=131_072),
        Model("ministral-14b-latest", label="Ministral 14B", description="For edge use", context_tokens=262_144),
        Model("ministral-8b-latest", label="Ministral 8B", description="For edge use, smaller", context_tokens=262_144),
        Model("codestral-latest", label="Codestral", description="Code", context_tokens=256_000),
        Model("devstral-latest", label="Devstral", description="Software agents", context_tokens=262_144),
    ],
    embedding_models=[
        Model("mistral-embed", label="Mistral Embed", description="Vectors of text, 1024 long", context_tokens=8192),
        Model("codestral-embed", label="Codestral Embed", description="Vectors of code", context_tokens=8192),
    ],
    docs_url="https://docs.mistral.ai/getting-started/models/",
    extra_options=[
        ExtraOption(name="safe_prompt", type=bool, description="put Mistral's safety prompt in front"),
        ExtraOption(name="prompt_mode", type=Literal["reasoning"], description="the default system prompt of reasoning models"),
    ],
)
