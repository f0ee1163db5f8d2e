"""Limits and the cache of the library's Client, without a server."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest

import parley
from parley.contract.events import ResponseFinished, TextDelta

ROUTE = """
[[providers]]
name = "echo"
limits = {concurrency = 1}
[[routes]]
name = "fast"
targets = [{model = "echo/echo-1"}, {model = "demo/demo"}]
"""

VECTORS = """
from parley.provider import Config, Embeddings, Model, Provider, Usage

class VectorsConfig(Config):
    api_key: str = ""
    model: str = "v1"

class Vectors(Provider):
    name = "vectors"
    config_type = VectorsConfig
    models = [Model("v1")]
    embedding_models = [Model("v1")]

    async def embeddings(self, request):
        usage = Usage(prompt_tokens=20, completion_tokens=0, total_tokens=20)
        return Embeddings(vectors=[[1.0] for _ in request.texts], usage=usage)

    async def generate(self, request):
        return "text"
"""


def client(directory: Path, text: str) -> parley.Client:
    (directory / "parley.toml").write_text(text, encoding="utf-8")
    return parley.Client.from_config(environ={"DEMO": "on"}, directory=directory)


async def test_a_route_goes_on_to_who_has_room_instead_of_waiting(echo_directory: Path) -> None:
    async with client(echo_directory, ROUTE) as asking, aclosing(cast("Any", asking.stream("fast", "wait"))) as first:
        while not isinstance(await anext(first), TextDelta):
            pass
        async with asyncio.timeout(5):
            second = await asking.chat("fast", "Hello")
        assert second.provider == "demo"
        assert second.fallback is not None
        assert "echo" in second.fallback.reason
        assert (second.fallback.asked, second.fallback.actual) == ("echo/echo-1", "demo/demo")


async def test_it_does_not_queue_up_behind_those_who_must_wait(echo_directory: Path) -> None:
    """Something of the limit is left, but not enough: nobody can see that before asking for room."""
    text = ROUTE.replace("concurrency = 1", "tokens_per_minute = 1500")
    async with client(echo_directory, text) as asking, aclosing(cast("Any", asking.stream("echo", "wait"))) as first:
        while not isinstance(await anext(first), TextDelta):
            pass
        async with asyncio.timeout(5):
            assert (await asking.chat("fast", "Hello")).provider == "demo"
        waiting = asyncio.create_task(asking.chat("echo", "Hello"))
        await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            assert (await asking.chat("fast", "Hello")).provider == "demo"
        assert not waiting.done()
        waiting.cancel()


async def test_embeddings_count_as_any_request(tmp_path: Path) -> None:
    plugins = tmp_path / "parley_providers"
    plugins.mkdir()
    (plugins / "vectors.py").write_text(VECTORS, encoding="utf-8")
    limits = '[[providers]]\nname = "vectors"\nlimits = {tokens_per_minute = 100}\n'
    async with client(tmp_path, limits) as asking:
        for _ in range(3):
            await asking.embed("vectors", "x" * 120)  # thirty tokens by its length, twenty by its vendor's count
        await asking.embed("vectors", "x" * 160)
        with pytest.raises(parley.LimitExceededError):
            await asking.embed("vectors", "x" * 120)


async def test_who_asks_for_that_provider_alone_waits_for_it(echo_directory: Path) -> None:
    async with client(echo_directory, ROUTE) as asking:
        async with aclosing(cast("Any", asking.stream("echo", "wait"))) as first:
            while not isinstance(await anext(first), TextDelta):
                pass
            waiting = asyncio.create_task(asking.chat("echo", "Hello"))
            done, _ = await asyncio.wait([waiting], timeout=0.05)
            assert not done
        assert (await waiting).provider == "echo"


async def test_nobody_waits_for_longer_than_the_answer_is_wanted(echo_directory: Path) -> None:
    async with client(echo_directory, ROUTE) as asking, aclosing(cast("Any", asking.stream("echo", "wait"))) as first:
        while not isinstance(await anext(first), TextDelta):
            pass
        async with asyncio.timeout(10):
            with pytest.raises(parley.LimitExceededError, match="at most 1 request at the same time"):
                await asking.chat("echo", "Hello", options={"timeout": 0.05})


async def test_what_failed_gives_back_what_it_took(echo_directory: Path) -> None:
    limits = '[[providers]]\nname = "echo"\nlimits = {requests_per_minute = 2, concurrency = 1}\n'
    async with client(echo_directory, limits) as asking:
        for _ in range(5):
            with pytest.raises(parley.RateLimitError):
                async for _event in asking.stream("echo", "fail"):
                    pass
        for _ in range(2):
            await asking.chat("echo", "Hello")
        with pytest.raises(parley.LimitExceededError):
            await asking.chat("echo", "Hello")


async def test_a_remembered_answer_as_a_stream(echo_directory: Path) -> None:
    async with client(echo_directory, "[cache]\nenabled = true\n") as asking:
        first = [event async for event in asking.stream("echo", "Hello", cache=True)]
        again = [event async for event in asking.stream("echo", "Hello", cache=True)]
        fresh = [event async for event in asking.stream("echo", "Hello")]
    replies = [cast("ResponseFinished", events[-1]).response for events in (first, again, fresh)]
    assert [reply.cached for reply in replies] == [False, True, False]
    assert replies[1].text == replies[0].text == "".join(event.text for event in again if isinstance(event, TextDelta))
