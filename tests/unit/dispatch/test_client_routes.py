"""A route through the library: what callbacks are told when its first target breaks off after a token."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parley import Client, Restarted, StreamTruncatedError, TextDelta, sync

BREAKING = """
from parley.provider import Config, Provider, StreamTruncatedError, TextDelta

class BreakingConfig(Config):
    api_key: str = ""
    model: str = "m"

class Breaking(Provider):
    name = "breaking"
    config_type = BreakingConfig

    async def stream(self, request):
        yield TextDelta("wrong ")
        raise StreamTruncatedError("the line went dead")
"""
TOML = """
default = "plain"
[[routes]]
name = "plain"
targets = [{model = "breaking/m"}, {model = "echo/echo-1"}]
[[routes]]
name = "careful"
stream_guard = "hold"
targets = [{model = "breaking/m"}, {model = "echo/echo-1"}]
"""


@pytest.fixture
async def client(echo_directory: Path) -> AsyncIterator[Client]:
    (echo_directory / "parley_providers" / "breaking.py").write_text(BREAKING, encoding="utf-8")
    (echo_directory / "parley.toml").write_text(TOML, encoding="utf-8")
    async with Client.from_config(environ={}, directory=echo_directory) as client:
        yield client


async def test_who_takes_tokens_back_is_told_that_they_are_void(client: Client) -> None:
    told: list[Any] = []
    reply = await client.chat("plain", "hi", on_token=told.append, on_restart=told.append, on_done=told.append)
    assert told == ["wrong ", Restarted(reason="the line went dead", code="stream_truncated"), "echo-1: ", "hi", reply]
    assert (reply.text, reply.provider) == ("echo-1: hi", "echo")
    assert reply.fallback is not None
    assert (reply.fallback.asked, [attempt.code for attempt in reply.attempts]) == ("breaking/m", ["stream_truncated"])


async def test_who_does_not_gets_an_error_or_the_whole_answer_as_the_route_says(client: Client) -> None:
    told: list[Any] = []
    with pytest.raises(StreamTruncatedError) as caught:
        await client.chat("plain", "hi", on_token=told.append, on_error=told.append)
    assert told == ["wrong ", caught.value]
    told.clear()
    reply = await client.chat("careful", "hi", on_token=told.append, on_done=told.append)
    assert told == ["echo-1: ", "hi", reply]


async def test_who_reads_no_tokens_sees_the_whole_answer_alone(client: Client) -> None:
    assert (await client.chat("plain", "hi")).text == "echo-1: hi"
    done: list[Any] = []
    assert [await client.chat("plain", "hi", on_done=done.append)] == done


async def test_a_stream_says_it_as_an_event(client: Client) -> None:
    events = [event async for event in client.stream(messages="hi")]
    assert [event.text if isinstance(event, TextDelta) else type(event).__name__ for event in events] == [
        "wrong ",
        "Restarted",
        "echo-1: ",
        "hi",
        "ResponseFinished",
    ]


def test_the_blocking_client_does_the_same(echo_directory: Path) -> None:
    (echo_directory / "parley_providers" / "breaking.py").write_text(BREAKING, encoding="utf-8")
    (echo_directory / "parley.toml").write_text(TOML, encoding="utf-8")
    sync.configure(environ={}, directory=echo_directory)
    try:
        assert any(isinstance(event, Restarted) for event in sync.stream("plain", "hi"))
        assert sync.chat("plain", "hi").provider == "echo"
    finally:
        sync.close()
