"""Tokens that come close together are handed on together; those that do not, at once."""

from __future__ import annotations

from collections.abc import Callable

from parley.contract.events import TextDelta
from parley.contract.request import ChatRequest
from parley.testing.replay import Answer, ReplayServer
from parley.transport.http_provider import HttpProvider
from parley.transport.stream_reading import DENSE_READS

ProviderFor = Callable[..., HttpProvider]
Question = Callable[..., ChatRequest]

WORDS = [f"word{number}" for number in range(100)]
BODY = "\n".join([*WORDS, ".\n"]).encode()


async def batches_of(provider: HttpProvider, request: ChatRequest) -> list[list[str]]:
    batches = [[event.text for event in batch if isinstance(event, TextDelta)] async for batch in provider.stream_batches(request)]
    return [texts for texts in batches if texts]


async def test_dense_tokens_are_gathered_after_the_first(provider_for: ProviderFor, question: Question) -> None:
    dense = Answer(
        headers={"content-type": "text/plain"}, body=BODY, streamed=True, pieces=[len(word) + 1 for word in WORDS], gap_seconds=0.001
    )
    async with ReplayServer(dense) as server:
        batches = await batches_of(provider_for(server.url), question())
    assert [text for texts in batches for text in texts] == WORDS
    assert batches[0] == WORDS[:1], "the first one at once"
    assert len(batches) < len(WORDS) / 2


async def test_sparse_tokens_come_one_by_one(provider_for: ProviderFor, question: Question) -> None:
    words = WORDS[: DENSE_READS + 2]
    body = "\n".join([*words, ".\n"]).encode()
    sparse = Answer(
        headers={"content-type": "text/plain"}, body=body, streamed=True, pieces=[len(word) + 1 for word in words], gap_seconds=0.05
    )
    async with ReplayServer(sparse) as server:
        batches = await batches_of(provider_for(server.url), question())
    assert [text for texts in batches for text in texts] == words
    assert len(batches) > len(words) / 2  # on a busy machine a few may meet
