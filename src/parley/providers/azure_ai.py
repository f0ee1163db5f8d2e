"""Azure AI Foundry. Wire: https://learn.microsoft.com/en-us/azure/foundry/foundry-models/concepts/endpoints (read 2026-11-25)."""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from parley.provider import AuthScheme, Capabilities, Config, Dialect, ExtraOption, OpenAIChat, OpenAIResponses, Setting


class AzureAIConfig(Config):
    """AZURE_AI_API_KEY, AZURE_AI_ENDPOINT, AZURE_AI_MODEL (a deployment), AZURE_AI_API, AZURE_AI_API_VERSION."""

    api_key: Annotated[str, Setting("a key of the Foundry resource", aliases=("AZURE_INFERENCE_CREDENTIAL",), secret=True, example="…")]
    model: Annotated[str, Setting("the name of a deployment", example="grok-4-1-fast-non-reasoning")] = ""
    # Without a default: each resource has an address of its own.
    endpoint: Annotated[  # pyright: ignore[reportGeneralTypeIssues]
        str,
        Setting("address of the resource", aliases=("AZURE_INFERENCE_ENDPOINT",), example="https://my-resource.services.ai.azure.com"),
    ]
    api: Annotated[Literal["chat", "responses"], Setting("chat completions, which all models speak, or OpenAI's Responses")] = "chat"
    api_version: Annotated[
        str, Setting("version of the older inference API (…/models); empty: the v1 API", example="2024-05-01-preview")
    ] = ""


def base_url(config: AzureAIConfig) -> str:
    """The v1 API, or the older one where a version is named; an address that somebody wrote out is kept."""
    parts = urlsplit(config.endpoint)
    path = parts.path.rstrip("/") or ("/models" if config.api_version else "/openai/v1")
    query = f"api-version={quote(config.api_version)}" if config.api_version and "api-version=" not in parts.query else parts.query
    return urlunsplit(parts._replace(path=path, query=query))


provider = Dialect(
    name="azure-ai",
    label="Azure AI Foundry",
    description="Models of many makers in your own Azure subscription",
    config=AzureAIConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens"),
    apis={"responses": OpenAIResponses()},
    auth=AuthScheme(header="api-key", prefix=""),
    base_url=base_url,
    # What its list of models holds is what could be deployed, not what is.
    capabilities=Capabilities(list_models=False, embeddings=True),
    docs_url="https://learn.microsoft.com/en-us/azure/foundry/foundry-models/concepts/models-sold-directly-by-azure",
    extra_options=[
        ExtraOption(name="reasoning_summary", type=Literal["auto", "concise", "detailed"], description="show thought", api="responses"),
        ExtraOption(name="verbosity", type=Literal["low", "medium", "high"], description="how long answers are", api="responses"),
        ExtraOption(name="include", type=list[str], description="more to put into the answer", api="responses"),
        ExtraOption(name="hosted_tools", type=list[dict[str, Any]], description="tools that Azure runs", api="responses"),
        ExtraOption(name="model_extras", type=dict[str, Any], description="a field of the model's own", api="chat"),
    ],
)
