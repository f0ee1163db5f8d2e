"""Agent libraries against a real server: an agent asks, its tool runs, it answers, with recordings of every wire behind.

The OpenAI Agents SDK, over Responses and over chat completions, and Pydantic AI, over Messages and Responses: coding agents are built on
both, and both read replies by strict types, so that a field of the wrong shape fails here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from parley.testing.recordings import Recording, find_recordings, load_recording

from .serving import Served
from .wires import PROVIDERS, expected_of, model_of, needs_recordings, provider_of, serving_all_wires

agents = pytest.importorskip("agents", reason="needs the package openai-agents")
openai = pytest.importorskip("openai", reason="needs the package openai")
anthropic = pytest.importorskip("anthropic", reason="needs the package anthropic")
pydantic_ai = pytest.importorskip("pydantic_ai", reason="needs the package pydantic-ai-slim")
pytest.importorskip("litestar", reason="needs the extra parley-ai[server]")

pytestmark = needs_recordings
RUN = agents.RunConfig(tracing_disabled=True)


def turns(*kinds: str) -> Iterator[Any]:
    """Of each vendor a recorded call of one tool, and a recorded answer in words, both whole or both streamed."""
    for vendor in PROVIDERS:
        recordings = [load_recording(path) for path in find_recordings(vendor)]
        calling = next((found for found in recordings if found.kind == kinds[0] and calls_one_function(found)), None)
        saying = next((found for found in recordings if found.kind == kinds[1] and says_something(found)), None)
        if calling is not None and saying is not None:
            yield pytest.param(calling, saying, id=vendor)


def calls_one_function(recording: Recording) -> bool:
    calls = expected_of(recording).tool_calls
    return len(calls) == 1 and isinstance(calls[0][1], dict) and b"web_search" not in recording.body and b"code_exec" not in recording.body


def says_something(recording: Recording) -> bool:
    expected = expected_of(recording)
    # What the vendor's own tools did passes as it is, and xAI's form of it is not of the libraries' types.
    return bool(expected.text) and not expected.tool_calls and b"web_search_call" not in recording.body


class Clients(NamedTuple):
    """The vendors' own clients, on which the libraries stand."""

    openai: Any
    anthropic: Any


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_all_wires(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
async def clients(server: Served) -> AsyncIterator[Clients]:
    async with (
        openai.AsyncOpenAI(base_url=server.url, api_key=server.key, max_retries=0, timeout=30) as of_openai,
        anthropic.AsyncAnthropic(base_url=server.url.removesuffix("/v1"), api_key=server.key, max_retries=0, timeout=30) as of_anthropic,
    ):
        yield Clients(of_openai, of_anthropic)


class Tool:
    """A function of the name that a recorded call asks for; `given` is what it was called with."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.given: list[Any] = []

    async def for_agents(self, _context: Any, arguments: str) -> str:
        self.given.append(json.loads(arguments))
        return "dry"

    async def __call__(self, **arguments: Any) -> str:
        self.given.append(arguments)
        return "dry"


SCHEMA = {"type": "object", "properties": {}, "additionalProperties": True}


def agent_of(clients: Clients, tool: Tool, model: str, *, over: str) -> Any:
    kind = agents.OpenAIResponsesModel if over == "responses" else agents.OpenAIChatCompletionsModel
    function = agents.FunctionTool(
        name=tool.name, description="A tool", params_json_schema=SCHEMA, on_invoke_tool=tool.for_agents, strict_json_schema=False
    )
    return agents.Agent(name="tester", instructions="Be brief", model=kind(model=model, openai_client=clients.openai), tools=[function])


@pytest.mark.parametrize("over", ["responses", "chat"])
@pytest.mark.parametrize(("calling", "saying"), list(turns("tools", "generate")))
async def test_the_agents_sdk(over: str, calling: Recording, saying: Recording, server: Served, clients: Clients) -> None:
    ((name, arguments),) = expected_of(calling).tool_calls
    tool = Tool(name)
    async with server.replaying(provider_of(calling), calling, saying) as vendor:
        result = await agents.Runner.run(agent_of(clients, tool, model_of(calling), over=over), "Weather?", run_config=RUN)
    assert tool.given == [arguments]
    assert result.final_output == expected_of(saying).text
    assert "dry" in vendor.requests[1].body.decode()
    if (tokens := expected_of(calling).prompt_tokens) is not None:
        assert result.raw_responses[0].usage.input_tokens == tokens


@pytest.mark.parametrize("over", ["responses", "chat"])
@pytest.mark.parametrize(("calling", "saying"), list(turns("tools-stream", "stream")))
async def test_the_agents_sdk_streamed(over: str, calling: Recording, saying: Recording, server: Served, clients: Clients) -> None:
    ((name, arguments),) = expected_of(calling).tool_calls
    tool = Tool(name)
    async with server.replaying(provider_of(calling), calling, saying):
        result = agents.Runner.run_streamed(agent_of(clients, tool, model_of(calling), over=over), "Weather?", run_config=RUN)
        kinds = [event.type async for event in result.stream_events()]
    assert tool.given == [arguments]
    assert result.final_output == expected_of(saying).text
    assert "raw_response_event" in kinds


def pydantic_agent(clients: Clients, tool: Tool, model: str, *, over: str) -> Any:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    made: Any
    if over == "messages":
        made = AnthropicModel(model, provider=AnthropicProvider(anthropic_client=clients.anthropic))
    else:
        made = OpenAIResponsesModel(model, provider=OpenAIProvider(openai_client=clients.openai))
    function = pydantic_ai.Tool.from_schema(tool, name=tool.name, description="A tool", json_schema=SCHEMA)
    return pydantic_ai.Agent(made, system_prompt="Be brief", tools=[function])


@pytest.mark.parametrize("over", ["messages", "responses"])
@pytest.mark.parametrize(("calling", "saying"), list(turns("tools", "generate")))
async def test_pydantic_ai(over: str, calling: Recording, saying: Recording, server: Served, clients: Clients) -> None:
    ((name, arguments),) = expected_of(calling).tool_calls
    tool = Tool(name)
    async with server.replaying(provider_of(calling), calling, saying) as vendor:
        result = await pydantic_agent(clients, tool, model_of(calling), over=over).run("Weather?")
    assert tool.given == [arguments]
    assert result.output == expected_of(saying).text
    assert "dry" in vendor.requests[1].body.decode()


@pytest.mark.parametrize("over", ["messages", "responses"])
@pytest.mark.parametrize(("calling", "saying"), list(turns("tools-stream", "stream")))
async def test_pydantic_ai_streamed(over: str, calling: Recording, saying: Recording, server: Served, clients: Clients) -> None:
    ((name, arguments),) = expected_of(calling).tool_calls
    tool = Tool(name)
    agent = pydantic_agent(clients, tool, model_of(calling), over=over)
    async with server.replaying(provider_of(calling), calling, saying), agent.run_stream("Weather?") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert tool.given == [arguments]
    assert "".join(pieces) == expected_of(saying).text
