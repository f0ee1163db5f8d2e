"""What the contract asks of any provider, and what is Mars's own."""

import asyncio
from typing import Any

import pytest

import parley
from parley.testing import ProviderContract

TOOL = {
    "name": "weather",
    "description": "Tells the weather",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
}


class TestContract(ProviderContract):
    """Every rule of the contract, without a network: the answers are those of `recordings/`."""

    provider = "mars"
    recordings = "../recordings"


def ask(endpoint: str, message: str, *, key: str = "mars-test", **config: Any) -> parley.ChatResponse:
    """One streamed answer from the server of this package."""
    options = config.pop("options", {})

    async def answer() -> parley.ChatResponse:
        async with parley.load_provider("mars", api_key=key, endpoint=endpoint, **config) as provider:
            return await provider.stream_response(messages=[{"role": "user", "content": message}], options=options)

    return asyncio.run(answer())


def test_mars_answers(mars: str) -> None:
    reply = ask(mars, "hello")
    assert reply.text == "Mars here. You said: hello "
    assert (reply.finish_reason, reply.raw_finish_reason, reply.model, reply.id) == ("stop", "done", "olympus-1", "m-1")
    assert (reply.usage.completion_tokens, reply.usage.source) == (12, "reported")


def test_the_deep_craft_thinks_first(mars: str) -> None:
    reply = ask(mars, "hello", model="olympus-1-deep")
    assert reply.reasoning == "Earth says 5 characters. They want an answer."
    assert [part.__struct_config__.tag for part in reply.parts] == ["reasoning", "text"]


def test_a_tool_is_called_and_its_result_told(mars: str) -> None:
    async def conversation() -> tuple[parley.ChatResponse, parley.ChatResponse]:
        async with parley.load_provider("mars", api_key="mars-test", endpoint=mars) as provider:
            messages: list[Any] = [parley.Message(role="user", content="How is the weather?")]
            asked = await provider.generate_response(messages=messages, options={"tools": [TOOL]})
            result = parley.ToolResult(tool_call_id=asked.tool_calls[0].id, content="-60 °C")
            messages += [asked.to_message(), parley.Message(role="tool", content=[result])]
            return asked, await provider.generate_response(messages=messages, options={"tools": [TOOL]})

    asked, told = asyncio.run(conversation())
    assert (asked.finish_reason, asked.tool_calls[0].name) == ("tool_calls", "weather")
    assert told.text == "The tool says: -60 °C "


def test_a_storm_is_an_overload_that_may_be_tried_again(mars: str) -> None:
    with pytest.raises(parley.OverloadedError, match="dust storm") as caught:
        ask(mars, "a storm comes")
    assert caught.value.retryable
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Mars here. You said: a storm "


def test_silence_is_no_answer(mars: str) -> None:
    with pytest.raises(parley.StreamTruncatedError):
        ask(mars, "all is quiet now")


def test_a_bad_pass_is_told_as_such(mars: str) -> None:
    with pytest.raises(parley.AuthenticationError, match="begins with mars-") as caught:
        ask(mars, "hello", key="venus-1")
    assert "venus-1" not in str(caught.value)


def test_the_relay_and_the_antenna_travel(provider_server: Any) -> None:
    answer = parley_answer(b'{"mission": "m-1"}\n{"say": "hi"}\n{"landed": "done"}\n')
    server = provider_server(answer)
    ask(server.url, "hello", relay="phobos", options={"extra": {"antenna": "high"}})
    (request,) = server.requests
    assert (request.headers["x-mars-pass"], request.headers["x-mars-relay"]) == ("mars-test", "phobos")
    assert request.json()["antenna"] == "high"
    with pytest.raises(parley.InvalidRequestError, match="antenna"):
        ask(server.url, "hello", options={"extra": {"antenna": "sideways"}})


def parley_answer(body: bytes) -> Any:
    """These lines, as a server sends them."""
    from parley.testing import Answer

    return Answer(headers={"content-type": "application/jsonl"}, body=body, streamed=True)
