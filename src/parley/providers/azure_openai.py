"""Azure OpenAI. Wire: https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle (read 2026-11-25)."""

from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from parley.provider import (
    STRICT_SCHEMA,
    USUAL_TYPES,
    AuthScheme,
    Capabilities,
    Config,
    Dialect,
    ExtraOption,
    OpenAIChat,
    OpenAIResponses,
    Setting,
    Target,
)

_WITH_DEPLOYMENT = "/openai"


class AzureOpenAIConfig(Config):
    """AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_MODEL (a deployment), AZURE_OPENAI_API, AZURE_OPENAI_API_VERSION."""

    api_key: Annotated[str, Setting("a key of the Azure resource", secret=True, example="…")]
    model: Annotated[str, Setting("the name of a deployment", aliases=("AZURE_OPENAI_DEPLOYMENT",), example="gpt-5-mini")] = ""
    # Without a default: each resource has an address of its own.
    endpoint: Annotated[str, Setting("address of the resource", example="https://my-resource.openai.azure.com")]  # pyright: ignore[reportGeneralTypeIssues]
    api: Annotated[Literal["responses", "chat"], Setting("which of OpenAI's two chat APIs is spoken")] = "responses"
    api_version: Annotated[
        str, Setting("a dated version of the older API; empty: its v1", aliases=("OPENAI_API_VERSION",), example="2024-10-21")
    ] = ""


def base_url(config: AzureOpenAIConfig) -> str:
    """The v1 API, or the older one where a version is named; an address that somebody wrote out is kept."""
    parts = urlsplit(config.endpoint)
    path, query = parts.path.rstrip("/"), parts.query
    if config.api_version and "api-version=" not in query:
        query = f"api-version={quote(config.api_version)}"
    if path in {"", "/openai", "/openai/v1"}:
        dated = "api-version=" in query and query not in {"api-version=v1", "api-version=preview"}
        path = _WITH_DEPLOYMENT if dated else "/openai/v1"
    return urlunsplit(parts._replace(path=path, query=query))


class AzureChat(OpenAIChat, frozen=True):
    """The older API has the deployment in its address; the v1 API is OpenAI's own."""

    def chat_url(self, target: Target) -> str:
        """Where an answer is asked for."""
        return _deployed(target, "/chat/completions")

    def embeddings_url(self, target: Target) -> str:
        """Where vectors are asked for."""
        return _deployed(target, "/embeddings")


def _deployed(target: Target, action: str) -> str:
    parts = urlsplit(target.endpoint)
    path = parts.path.rstrip("/")
    if path.endswith(_WITH_DEPLOYMENT):
        path = f"{path}/deployments/{quote(target.model, safe='')}"
    return urlunsplit(parts._replace(path=f"{path}{action}"))


provider = Dialect(
    name="azure-openai",
    label="Azure OpenAI",
    description="OpenAI's models in your own Azure subscription",
    config=AzureOpenAIConfig,
    wire=OpenAIResponses(embedding_encoding="base64", embedding_batch=2048, schema_subset=STRICT_SCHEMA, image_types=USUAL_TYPES),
    apis={"chat": AzureChat(embedding_encoding="base64", embedding_batch=2048, schema_subset=STRICT_SCHEMA, image_types=USUAL_TYPES)},
    auth=AuthScheme(header="api-key", prefix=""),
    base_url=base_url,
    # What its list of models holds is what could be deployed, not what is.
    capabilities=Capabilities(tools=True, structured_output="native", images=True, top_k=False, list_models=False, embeddings=True),
    docs_url="https://learn.microsoft.com/en-us/azure/foundry/foundry-models/concepts/models-sold-directly-by-azure",
    extra_options=[
        ExtraOption(name="reasoning_effort", type=Literal["xhigh", "max"], description="more than the usual levels"),
        ExtraOption(name="reasoning_summary", type=Literal["auto", "concise", "detailed"], description="show thought", api="responses"),
        ExtraOption(name="verbosity", type=Literal["low", "medium", "high"], description="how long answers are"),
        ExtraOption(name="include", type=list[str], description="more to put into the answer", api="responses"),
        ExtraOption(name="hosted_tools", type=list[dict[str, Any]], description="tools that Azure runs", api="responses"),
        ExtraOption(name="user", type=str, description="an opaque name of the end user"),
        ExtraOption(name="data_sources", type=list[dict[str, Any]], description="indexes that ground the answer", api="chat"),
        ExtraOption(name="logit_bias", type=dict[str, float], description="which tokens are likelier", api="chat"),
    ],
)
