"""xAI. Wires: https://docs.x.ai/developers/rest-api-reference/inference/chat (read 2026-11-25)."""

from typing import Annotated, Any, Literal

from parley.provider import Capabilities, Config, Dialect, ExtraOption, Model, ModelRule, OpenAIChat, OpenAIResponses, SchemaSubset, Setting


class XAIConfig(Config):
    """XAI_API_KEY, XAI_MODEL, XAI_ENDPOINT, XAI_API."""

    api_key: Annotated[str, Setting("a key of the xAI console", secret=True, example="xai-…")]
    model: str = "grok-4.3"
    endpoint: str = "https://api.x.ai/v1"
    api: Annotated[Literal["responses", "chat"], Setting("which of xAI's APIs is spoken; chat completions is the older one")] = "responses"


# Its reasoning models refuse these: https://docs.x.ai/developers/model-capabilities/text/reasoning (read 2026-11-25).
_RULES = (
    ModelRule(
        match="grok-*",
        unless=("*non-reasoning*", "grok-2*", "grok-3", "grok-3-fast*", "grok-3-latest"),
        drop=("presence_penalty", "frequency_penalty", "stop"),
    ),
)

# https://docs.x.ai/docs/guides/structured-outputs (read 2026-11-25).
_SCHEMA = SchemaSubset(
    unknown=frozenset({"allOf", "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains"}), any_for_one=True
)

provider = Dialect(
    name="xai",
    label="xAI",
    description="Grok models from xAI",
    config=XAIConfig,
    wire=OpenAIResponses(encrypted_thought=("grok-*",), rules=_RULES, schema_subset=_SCHEMA),
    apis={"chat": OpenAIChat(reasoning_field="reasoning_content", rules=_RULES, schema_subset=_SCHEMA)},
    capabilities=Capabilities(tools=True, tool_choice=True, structured_output="native", images=True, top_k=False, list_models=True),
    models=[
        Model("grok-4.7", label="Grok 4.7", description="Most capable, for agents and code", context_tokens=500_000),
        Model("grok-4.6", label="Grok 4.6", description="The flagship before", context_tokens=500_000),
        Model("grok-4.3", label="Grok 4.3", description="Reasoning as much as asked for, long context", context_tokens=1_000_000),
        Model("grok-4.20", label="Grok 4.20", description="Reasoning, long context", context_tokens=1_000_000),
        Model("grok-4-1-fast-reasoning", label="Grok 4.1 Fast", description="Affordable reasoning", context_tokens=2_000_000),
        Model("grok-4-1-fast-non-reasoning", "Grok 4.1 Fast, at once", "Affordable, without reasoning", context_tokens=2_000_000),
        Model("grok-build-0.1", label="Grok Build 0.1", description="For software agents", context_tokens=256_000),
    ],
    docs_url="https://docs.x.ai/developers/models",
    extra_options=[
        ExtraOption(name="reasoning_effort", type=Literal["xhigh"], description="more than the usual levels"),
        ExtraOption(name="reasoning_summary", type=Literal["auto", "concise", "detailed"], description="show thought", api="responses"),
        ExtraOption(name="include", type=list[str], description="more to put into the answer", api="responses"),
        ExtraOption(name="hosted_tools", type=list[dict[str, Any]], description="search and code that xAI runs", api="responses"),
        ExtraOption(name="search_parameters", type=dict[str, Any], description="live search", api="chat"),
        ExtraOption(name="user", type=str, description="an opaque name of the end user"),
    ],
)
