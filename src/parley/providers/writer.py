"""Writer. Wire: https://dev.writer.com/api-reference/completion-api/chat-completion (read 2026-11-25)."""

from typing import Annotated

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, OpenAIChat, Setting, Target


class WriterConfig(Config):
    """WRITER_API_KEY, WRITER_MODEL, WRITER_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of Writer's AI Studio", secret=True, example="…")]
    model: str = "palmyra-x5"
    endpoint: str = "https://api.writer.com/v1"


class WriterChat(OpenAIChat, frozen=True):
    """Its path is `/chat` alone."""

    def chat_url(self, target: Target) -> str:
        """Where an answer is asked for."""
        return f"{target.endpoint.rstrip('/')}/chat"


provider = Dialect(
    name="writer",
    label="Writer",
    description="Palmyra models for business writing",
    config=WriterConfig,
    wire=WriterChat(max_tokens_field="max_tokens", rules=()),
    capabilities=Capabilities(tools=True, tool_choice=True, structured_output="native", stop=True, temperature=True, top_p=True),
    models=[
        Model("palmyra-x5", label="Palmyra X5", description="Most capable, long context", context_tokens=1_040_000),
        Model("palmyra-x4", label="Palmyra X4", description="For tools and agents", context_tokens=128_000),
        Model("palmyra-med", label="Palmyra Med", description="Medicine", context_tokens=32_000),
        Model("palmyra-fin", label="Palmyra Fin", description="Finance", context_tokens=128_000),
        Model("palmyra-creative", label="Palmyra Creative", description="Creative writing", context_tokens=128_000),
    ],
    docs_url="https://dev.writer.com/home/models",
    extra_options=[ExtraOption(name="logprobs", type=bool, description="probabilities of the tokens")],
)
