from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parley import ChatRequest, ChatResponse, Client, Message, Options, ResponseFinished, TextDelta
from parley.contract.errors import ConfigurationError, InvalidRequestError, ParleyError, RateLimitError, UnknownModelError


@pytest.fixture
def client(echo_directory: Path) -> Client:
    return Client.from_config(environ={}, directory=echo_directory)


async def test_an_answer_by_the_models_name(client: Client) -> None:
    async with client:
        assert (await client.chat("echo/echo-2", "hi")).text == "whole echo-2: hi"
        assert (await client.chat("echo-2", [{"role": "user", "content": "hi"}])).text == "whole echo-2: hi"
        assert (await client.chat(messages="hi", system_prompt="brief ")).text == "whole brief echo-1: hi"


async def test_the_model_may_stand_in_the_options(client: Client) -> None:
    async with client:
        for options in ({"model": "echo/echo-2", "temperature": 0}, Options(model="echo/echo-2", temperature=0)):
            assert (await client.chat(messages="hi", options=options)).text == "whole echo-2: hi"
        assert (await client.chat("echo-1", "hi", options={"model": "echo-2"})).text == "whole echo-1: hi"


async def test_with_callbacks_the_answer_is_streamed(client: Client) -> None:
    tokens: list[str] = []
    done: list[ChatResponse] = []
    async with client:
        reply = await client.chat("echo", "hi", on_token=tokens.append, on_done=done.append)
    assert tokens == ["echo-1: ", "hi"]
    assert done == [reply]


async def test_an_error_is_told_once_and_raised(client: Client) -> None:
    errors: list[ParleyError] = []
    async with client:
        with pytest.raises(RateLimitError):
            await client.chat("echo", "fail", on_error=errors.append)
    assert [type(error) for error in errors] == [RateLimitError]


async def test_events_of_a_stream(client: Client) -> None:
    async with client:
        events = [event async for event in client.stream("echo", "hi", session_id="s1", strict_options=True)]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["echo-1: ", "hi"]
    assert isinstance(events[-1], ResponseFinished)
    assert events[-1].response.text == "echo-1: hi"


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"messages": []}, "messages"),
        ({"messages": ""}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": "hi", "options": {"temprature": 1}}, "options.temprature"),
    ],
)
async def test_bad_input_is_named_before_anything_is_sent(client: Client, arguments: dict[str, Any], path: str) -> None:
    async with client:
        with pytest.raises(InvalidRequestError) as caught:
            await client.chat("echo", **arguments)
        assert caught.value.fields[0].path == path
        with pytest.raises(InvalidRequestError):
            client.stream("echo", **arguments)


async def test_an_unknown_model_is_told_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(UnknownModelError, match='Did you mean "echo-1"'):
        await client.chat("ecko-1", "hi")
    with pytest.raises(UnknownModelError):
        client.stream("ecko-1", "hi")


async def test_closing_closes_every_provider_and_the_client_can_go_on(client: Client) -> None:
    async with client:
        await client.chat("echo", "hi")
        echo: Any = type(client.registry.get("echo")._provider)  # pyright: ignore[reportPrivateUsage]
    assert echo.closed == 1
    assert (await client.chat("echo", "again")).text == "whole echo-1: again"
    await client.aclose()


async def test_a_connection_test_never_raises_for_the_configuration(client: Client) -> None:
    status = await client.test("anthropic")
    assert not status.success
    assert "ANTHROPIC_API_KEY" in (status.error or "")
    assert not (await client.test("antropic")).success
    assert (await client.test("echo")).success
    await client.aclose()


def test_the_providers_are_listed_with_their_state(client: Client) -> None:
    statuses = {described.name: described.status for described in client.providers()}
    assert (statuses["echo"], statuses["openai"], statuses["ollama"]) == ("ready", "unconfigured", "ready")


def test_the_configuration_is_checked_whole_at_the_start(echo_directory: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Client.from_config(environ={"GROQ_ENDPOINT": "x", "GROQ_TIMEOUTS": "1", "MISTRAL_API_KEY": "a b"}, directory=echo_directory)
    assert {problem.path for problem in caught.value.fields} == {"GROQ_ENDPOINT", "GROQ_TIMEOUTS", "MISTRAL_API_KEY"}


@pytest.mark.parametrize(
    ("variables", "toml", "path"),
    [({"PARLEY_DEFAULT": "ecko"}, "", "PARLEY_DEFAULT"), ({}, 'default = "opnai/x"', "parley.toml: default")],
)
def test_a_default_that_means_nothing_is_told_at_the_start(echo_directory: Path, variables: dict[str, str], toml: str, path: str) -> None:
    (echo_directory / "parley.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationError, match="Did you mean") as caught:
        Client.from_config(environ=variables, directory=echo_directory)
    assert [problem.path for problem in caught.value.fields] == [path]


async def test_without_any_configuration_the_demo_answers(tmp_path: Path) -> None:
    async with Client.from_config(environ={}, directory=tmp_path) as client:
        assert client.resolve("")[0] == "demo"
        assert "demo" in (await client.chat(messages="hello")).text


async def test_a_client_is_idle_once_its_streams_have_ended_or_were_left(client: Client) -> None:
    assert client.idle
    whole, left = client.stream("echo-1", "hi"), client.stream("echo-1", "hi")
    await anext(whole)
    await anext(left)
    assert not client.idle
    async for _ in whole:
        pass
    assert not client.idle
    await left.aclose()  # type: ignore[attr-defined]
    assert client.idle
    await client.aclose()


async def test_an_option_beside_the_options_is_told_where_it_belongs(client: Client) -> None:
    calls: Any = client
    async with client:
        with pytest.raises(InvalidRequestError, match=r'temperature: is no argument of chat; write options=\{"temperature": …\}'):
            await calls.chat("echo", "hi", temperature=1)
        with pytest.raises(InvalidRequestError, match=r'on_tokens: is no argument of chat\. Did you mean "on_token"\?'):
            await calls.chat("echo", "hi", on_tokens=print)
        with pytest.raises(InvalidRequestError, match=r"max_tokens: is no argument of stream"):
            calls.stream("echo", "hi", max_tokens=1)


async def test_requests_in_the_contracts_form_are_answered_and_counted(client: Client) -> None:
    destination = client.destination("echo/echo-1")
    assert (destination.name, destination.model) == ("echo", "echo-1")
    request = ChatRequest(messages=[Message(role="user", content="hi")])
    assert (await client.generate(destination, request)).text == "whole echo-1: hi"
    batches = client.stream_batches(destination, request)
    first = await anext(batches)
    assert not client.idle
    events = [*first, *[event async for batch in batches for event in batch]]
    assert isinstance(events[-1], ResponseFinished)
    assert events[-1].response.text == "echo-1: hi"
    assert client.idle
    await client.aclose()
