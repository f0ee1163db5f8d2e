"""Google's Dialogflow, ES and CX. Wire: https://docs.cloud.google.com/dialogflow/es/docs/reference/rest/v2-overview and
https://docs.cloud.google.com/dialogflow/cx/docs/reference/rest/v3-overview (read 2026-11-25).
"""

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from parley.provider import Auth, Config, Dialect, DialogflowDetectIntent, ExtraOption, GoogleToken, Model, Setting, host_label


class DialogflowConfig(Config):
    """DIALOGFLOW_PROJECT, and for CX DIALOGFLOW_AGENT; a token, a credentials file, or the credentials of the machine."""

    api_key: Annotated[str, Setting("not used: Dialogflow takes tokens", secret=True)] = ""
    model: Annotated[str, Setting("any name: it is the agent that answers")] = "agent"
    endpoint: Annotated[
        str,
        Setting("base URL with its version prefix; made of the location where it is empty", example="https://dialogflow.googleapis.com/v3"),
    ] = ""
    project: Annotated[str, Setting("the project of the agent", aliases=("GOOGLE_CLOUD_PROJECT",), shared=True, example="my-project")]  # pyright: ignore[reportGeneralTypeIssues] - all fields are given by name
    location: Annotated[str, Setting("where the agent lives", example="europe-west2")] = "global"
    agent: Annotated[
        str, Setting("the id of a CX agent; empty: the project's ES agent", example="0f7ad0e9-5c1e-4b2a-9b7e-2d6f1c3a8e55")
    ] = ""
    environment: Annotated[str, Setting("which published version answers; empty: the draft", example="production")] = ""
    language: Annotated[str, Setting("in which language people write to it", example="de")] = "en"
    access_token: Annotated[str, Setting("a token that is used as it is", secret=True)] = ""
    credentials_file: Annotated[
        str,
        Setting(
            "JSON file of a service account", aliases=("GOOGLE_APPLICATION_CREDENTIALS",), shared=True, example="/etc/parley/account.json"
        ),
    ] = ""


def authorise(config: DialogflowConfig) -> Auth:
    """A token, given or fetched."""
    return GoogleToken(access_token=config.access_token, credentials_file=config.credentials_file)


def base_url(config: DialogflowConfig) -> str:
    """The agent's address. ES has one agent a project and calls it by no name."""
    host = (
        "dialogflow.googleapis.com"
        if config.location in {"", "global"}
        else f"{host_label(config.location, field='location')}-dialogflow.googleapis.com"
    )
    base = config.endpoint.rstrip("/") or f"https://{host}/{'v3' if config.agent else 'v2'}"
    place = f"{base}/projects/{_part(config.project)}/locations/{_part(config.location or 'global')}"
    agent = f"agents/{_part(config.agent)}" if config.agent else "agent"
    user = "" if config.agent else "/users/-"
    environment = f"/environments/{_part(config.environment)}{user}" if config.environment else ""
    return f"{place}/{agent}{environment}?{urlencode({'languageCode': config.language})}"


def _part(name: str) -> str:
    return quote(name, safe="")


provider = Dialect(
    name="dialogflow",
    label="Google Dialogflow",
    description="Your Dialogflow agent, ES or CX; it keeps the state of a conversation by its session id",
    config=DialogflowConfig,
    wire=DialogflowDetectIntent(),
    auth=authorise,
    base_url=base_url,
    models=[Model("agent", "The agent", "What you built in the Dialogflow console")],
    docs_url="https://docs.cloud.google.com/dialogflow/docs",
    extra_options=[
        ExtraOption(name="languageCode", type=str, description="the language of this turn"),
        ExtraOption(name="queryParams", type=dict[str, Any], description="parameters of this query: timeZone, payload, contexts (ES) …"),
    ],
)
