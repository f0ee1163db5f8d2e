"""Cohere. Wire: https://docs.cohere.com/reference/chat (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, CohereV2, Config, Dialect, ExtraOption, Model, Setting


class CohereConfig(Config):
    """COHERE_API_KEY (or CO_API_KEY), COHERE_MODEL, COHERE_ENDPOINT."""

    api_key: Annotated[str, Setting("a key of the Cohere dashboard", aliases=("CO_API_KEY",), secret=True, example="…")]
    model: str = "command-a-03-2025"
    endpoint: str = "https://api.cohere.com/v2"


_TEXT_ALONE = Capabilities(images=False)
_NO_TOOLS = Capabilities(tools=False, tool_choice=False)

provider = Dialect(
    name="cohere",
    label="Cohere",
    description="Command models, which cite their documents",
    config=CohereConfig,
    wire=CohereV2(),
    models=[
        Model("command-a-plus-05-2026", "Command A+", "Most capable: reasoning, images, tools", 128_000, Capabilities(reasoning=True)),
        Model("command-a-03-2025", "Command A", "For agents and business tasks", 256_000, _TEXT_ALONE),
        Model("command-a-reasoning-08-2025", "Command A Reasoning", "Thinks first", 256_000, Capabilities(reasoning=True, images=False)),
        Model(
            "command-a-vision-07-2025",
            "Command A Vision",
            "Reads images",
            128_000,
            Capabilities(images=True, tools=False, tool_choice=False),
        ),
        Model("command-a-translate-08-2025", "Command A Translate", "Translation", 8_000, _TEXT_ALONE),
        Model("command-r7b-12-2024", "Command R7B", "Small and fast", 128_000, _TEXT_ALONE),
        Model("command-r-plus-08-2024", "Command R+", "Older, for retrieval", 128_000, _TEXT_ALONE),
        Model("c4ai-aya-expanse-32b", "Aya Expanse 32B", "23 languages", 128_000, _NO_TOOLS),
    ],
    embedding_models=[
        Model("embed-v4.0", label="Embed 4", description="Vectors of text, 1536 long", context_tokens=128_000),
        Model("embed-multilingual-v3.0", label="Embed 3 multilingual", description="Older, 1024 long", context_tokens=512),
    ],
    docs_url="https://docs.cohere.com/docs/models",
    extra_options=[
        ExtraOption(name="documents", type=list[Any], description="texts or objects that the answer cites"),
        ExtraOption(name="citation_options", type=dict[str, Any], description='{"mode": "fast" | "accurate" | "off"}'),
        ExtraOption(name="safety_mode", type=Literal["CONTEXTUAL", "STRICT", "OFF"], description="how careful it is"),
        ExtraOption(name="thinking", type=dict[str, Any], description="a budget in tokens, where an effort is not enough"),
        ExtraOption(name="logprobs", type=bool, description="probabilities of the tokens"),
        ExtraOption(name="priority", type=int, description="0 is served first"),
    ],
)
