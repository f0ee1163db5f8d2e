"""Which answers are remembered, for whom, and how they come back."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from parley.bus.cache_memory import MemoryCache
from parley.contract.events import Event
from parley.contract.messages import Message, ProviderData, ReasoningPart, TextPart, ToolCall
from parley.contract.options import Options, Tool
from parley.contract.pricing import Price
from parley.contract.request import ChatRequest
from parley.contract.response import ChatResponse, Citation
from parley.contract.usage import Usage
from parley.dispatch.cache import AnswerCache, replayed
from parley.guard.fold import Fold
from parley.registry.limit_tables import CacheTable

USAGE = Usage(prompt_tokens=5, completion_tokens=7, total_tokens=12)
SIGNED = ProviderData(wire="anthropic_messages", provider="acme", data={"signature": "abc"})
REPLY = ChatResponse(
    parts=[
        ReasoningPart(text="Let me think", signature="s1", provider_data=SIGNED),
        TextPart(text="Märchen " * 200, provider_data=SIGNED),
        ToolCall(id="c1", name="weather", arguments='{"city": "Köln"}'),
        TextPart(text="and more"),
    ],
    usage=USAGE,
    id="acme-1",
    model="fast",
    provider="acme",
    finish_reason="tool_calls",
    citations=[Citation(url="https://example.com/a")],
    cost=0.25,
    price=Price(input=1, output=2),
    time_to_first_token_ms=250.0,
)


def request(content: Any = "Hi", *, temperature: float | None = 0, **fields: Any) -> ChatRequest:
    options = fields.pop("options", Options(temperature=temperature))
    return ChatRequest(messages=[Message(role="user", content=content)], options=options, **fields)


def key(cache: AnswerCache, asked: ChatRequest, **fields: Any) -> str | None:
    return cache.key(asked, **{"tenant": "ada", "targets": ["acme/fast"], **fields})


@pytest.fixture
def store() -> MemoryCache:
    return MemoryCache()


@pytest.fixture
def cache(store: MemoryCache) -> AnswerCache:
    return AnswerCache(store, CacheTable(enabled=True))


async def test_a_remembered_answer_is_the_same_and_costs_nothing(cache: AnswerCache) -> None:
    name = key(cache, request()) or ""
    assert await cache.find(name) is None
    cache.keep(name, REPLY)
    found = await cache.find(name)
    assert found == structs.replace(REPLY, cached=True, cost=0.0, price=None, time_to_first_token_ms=None)


async def test_it_comes_back_as_the_stream_that_it_was(cache: AnswerCache) -> None:
    batches = list(replayed(REPLY))
    events: list[Event] = [event for batch in batches for event in batch]
    assert len(batches) > 8
    fold = Fold()
    fold.add(events)
    assert fold.parts() == REPLY.parts
    assert fold.citations == REPLY.citations
    assert fold.started.id == "acme-1"
    assert fold.finished == REPLY


def test_only_what_would_be_answered_the_same_way_again(cache: AnswerCache) -> None:
    assert key(cache, request()) is not None
    assert key(cache, request(temperature=None)) is None
    assert key(cache, request(temperature=0.1)) is None
    assert key(cache, request(temperature=0.1), wanted=True) is not None
    assert key(cache, request(), wanted=False) is None
    assert key(cache, request(session_id="s"), wanted=True) is None


def test_whatever_changes_the_answer_changes_the_name(cache: AnswerCache) -> None:
    tool = Tool(name="weather", parameters={"type": "object"})
    names = [
        key(cache, request()),
        key(cache, request(), tenant="bob"),
        key(cache, request(), targets=["acme/deep"]),
        key(cache, request(), targets=["acme/fast", "openai/gpt-5"]),
        key(cache, request("Hi!")),
        key(cache, request(system_prompt="Be brief")),
        key(cache, request(options=Options(temperature=0, max_tokens=5))),
        key(cache, request(options=Options(temperature=0, tools=[tool]))),
        key(cache, request(options=Options(temperature=0, extra={"logit_bias": {"1": 2}}))),
        key(cache, request(strict_options=True)),
        key(cache, ChatRequest(messages=[Message(role="assistant", content="Hi")], options=Options(temperature=0))),
    ]
    assert None not in names
    assert len(set(names)) == len(names)


def test_whatever_does_not_change_the_answer_does_not(cache: AnswerCache) -> None:
    same = [
        request(),
        request([TextPart(text="Hi")]),
        request(user_id="whoever"),
        request(options=Options(temperature=0.0, timeout=5, model="an alias")),
    ]
    assert len({key(cache, each) for each in same}) == 1


@pytest.mark.parametrize(
    "changed",
    [{"complete": False}, {"finish_reason": "cancelled"}, {"finish_reason": "error"}, {"finish_reason": "content_filter"}],
)
async def test_half_an_answer_is_not_remembered(cache: AnswerCache, changed: dict[str, Any]) -> None:
    cache.keep("name", structs.replace(REPLY, **changed))
    assert await cache.find("name") is None


@pytest.mark.parametrize(
    "damage", [lambda entry: entry[:-3], lambda entry: entry.replace(b"think", b"drink"), lambda _: b"", lambda _: b"\xff" * 50]
)
async def test_a_damaged_entry_is_a_miss_and_goes(store: MemoryCache, damage: Any) -> None:
    looked_up: list[bool] = []
    cache = AnswerCache(store, CacheTable(), on_lookup=looked_up.append)
    cache.keep("name", REPLY)
    entry = await store.get("name")
    store.put("name", damage(entry), ttl_seconds=60, max_bytes=10_000_000)
    assert await cache.find("name") is None
    assert await store.get("name") is None
    cache.keep("name", REPLY)
    assert await cache.find("name") is not None
    assert looked_up == [False, True]


async def test_a_very_long_answer_is_not_remembered(cache: AnswerCache) -> None:
    cache.keep("name", structs.replace(REPLY, parts=[TextPart(text="x" * 1024 * 1024)]))
    assert await cache.find("name") is None
