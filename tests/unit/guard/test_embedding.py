"""Embeddings under the guard: order over many calls, retries, usage, and words for what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities, Model
from parley.contract.embeddings import EmbeddingOptions, EmbeddingRequest, Embeddings
from parley.contract.errors import (
    AuthenticationError,
    InvalidRequestError,
    OverloadedError,
    ParleyError,
    ProtocolError,
    ProviderTimeoutError,
    UnsupportedFeatureError,
)
from parley.contract.provider import Provider
from parley.contract.response import ResponseWarning
from parley.contract.usage import Usage
from parley.guard.guarded import guard


class Embedder(Provider):
    """Makes of each text its length; `fault` may refuse a call."""

    name = "acme"
    capabilities = Capabilities(embeddings=True)
    embedding_models = (Model("acme-embed"),)
    most = 0

    def __init__(self, fault: Callable[[int, EmbeddingRequest], ParleyError | None] = lambda number, request: None) -> None:
        super().__init__()
        self.fault = fault
        self.calls: list[EmbeddingRequest] = []
        self.running = self.most_running = 0

    async def generate(self, request: Any) -> str:
        return "no"

    def max_embedding_texts(self, model: str) -> int:
        return self.most

    async def embeddings(self, request: EmbeddingRequest) -> Embeddings:
        self.calls.append(request)
        number = len(self.calls)
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            await asyncio.sleep(0)
            if error := self.fault(number, request):
                raise error
        finally:
            self.running -= 1
        count = len(request.texts)
        return Embeddings(
            vectors=[[float(len(text))] for text in request.texts],
            usage=Usage(prompt_tokens=count, completion_tokens=0, total_tokens=count),
            model="acme-embed-1",
            request_id=f"r{number}",
            warnings=[ResponseWarning(code="said", message="once")],
        )


async def test_vectors_come_in_the_order_of_the_texts_over_many_calls() -> None:
    provider = Embedder()
    provider.most = 3
    texts = ["x" * number for number in range(1, 20)]
    found = await guard(provider).embeddings(EmbeddingRequest(texts=texts))
    assert found.vectors == [[float(len(text))] for text in texts]
    assert [len(call.texts) for call in provider.calls] == [3] * 6 + [1]
    assert found.usage == Usage(prompt_tokens=19, completion_tokens=0, total_tokens=19)
    assert (found.model, found.provider, found.request_id) == ("acme-embed-1", "acme", "r1")
    assert found.warnings == [ResponseWarning(code="said", message="once")]
    assert 1 < provider.most_running <= 4


async def test_one_call_holds_no_more_than_its_bytes_and_a_text_is_never_cut() -> None:
    provider = Embedder()
    texts = ["a" * 200_000, "é" * 60_000, "b" * 400_000, "c", "d" * 299_999]
    await guard(provider).embed(texts)
    assert [[len(text) for text in call.texts] for call in provider.calls] == [[200_000], [60_000], [400_000], [1, 299_999]]


async def test_the_plain_form_gives_vectors_and_the_declared_model_is_asked() -> None:
    provider = Embedder()
    assert await guard(provider).embed(["a", "bb"], {"dimensions": 4, "purpose": "query"}) == [[1.0], [2.0]]
    assert provider.calls[0].options == EmbeddingOptions(model="acme-embed", dimensions=4, purpose="query")


async def test_a_call_that_fails_in_passing_is_tried_again_and_the_others_are_not() -> None:
    failures: list[ParleyError] = []

    def once(number: int, request: EmbeddingRequest) -> ParleyError | None:
        return OverloadedError("busy", retry_after=0.001) if "bad" in request.texts and not failures else None

    provider = Embedder(once)
    provider.most = 1
    found = await guard(provider).embeddings(EmbeddingRequest(texts=["good", "bad", "fine"]), on_retry=failures.append)
    assert found.vectors == [[4.0], [3.0], [4.0]]
    assert [error.message for error in failures] == ["busy"]
    assert sorted(text for call in provider.calls for text in call.texts) == ["bad", "bad", "fine", "good"]


async def test_an_error_ends_every_call_and_names_provider_and_model() -> None:
    provider = Embedder(lambda number, request: AuthenticationError("wrong key") if number == 2 else None)
    provider.most = 1
    with pytest.raises(AuthenticationError) as caught:
        await guard(provider).embed([f"text {number}" for number in range(50)])
    assert (caught.value.provider, caught.value.model) == ("acme", "acme-embed")
    assert len(provider.calls) < 10
    assert provider.running == 0


async def test_a_provider_that_is_silent_is_left_after_the_callers_time() -> None:
    class Silent(Embedder):
        async def embeddings(self, request: EmbeddingRequest) -> Embeddings:
            await asyncio.Event().wait()
            raise AssertionError

    with pytest.raises(ProviderTimeoutError):
        await guard(Silent()).embed(["a"], {"timeout": 0.02})


class Plain:
    name = "plain"

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.seen: list[Any] = []

    def generate_response(self, messages: Any) -> str:
        return "no"

    def embed(self, texts: Sequence[str], options: dict[str, Any]) -> Any:
        self.seen.append((texts, options))
        return self.answer


class Rows:
    """What a numerical library gives."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def tolist(self) -> list[Any]:
        return self.rows


@pytest.mark.parametrize("answer", [[[1, 2.5]], ((1, 2.5),), Rows([[1, 2.5]]), [Rows([1, 2.5])]])
async def test_a_free_class_may_give_any_list_of_numbers(answer: Any) -> None:
    plain = Plain(answer)
    found = await guard(plain).embeddings(EmbeddingRequest(texts=["abcde"], options=EmbeddingOptions(model="m", dimensions=2)))
    assert found.vectors == [[1.0, 2.5]]
    assert plain.seen == [(["abcde"], {"model": "m", "dimensions": 2})]
    assert found.usage == Usage(prompt_tokens=2, completion_tokens=0, total_tokens=2, source="estimated")


@pytest.mark.parametrize(
    "answer", [None, [], [[1.0], [2.0]], [[]], [["1"]], [[float("nan")]], [[None]], "vector", {"a": [1.0]}, [1.0], Rows([1.0])]
)
async def test_what_is_no_vector_per_text_is_a_protocol_error(answer: Any) -> None:
    with pytest.raises(ProtocolError):
        await guard(Plain(answer)).embed(["one"])


@pytest.mark.parametrize(
    ("texts", "options", "path"),
    [
        ("text", None, "texts"),
        ([], None, "texts"),
        (None, None, "texts"),
        (7, None, "texts"),
        (["a", 7], None, "texts[1]"),
        (["a", None], None, "texts[1]"),
        (["\ud800"], None, "texts[0]"),
        (["a"] * 100_001, None, "texts"),
        (["a"], {"dimension": 4}, "options.dimension"),
        (["a"], {"dimensions": 0}, "options.dimensions"),
        (["a"], {"dimensions": "4"}, "options.dimensions"),
        (["a"], {"dimensions": 1.5}, "options.dimensions"),
        (["a"], {"purpose": "fun"}, "options.purpose"),
        (["a"], {"model": 3}, "options.model"),
        (["a"], {"timeout": -1}, "options.timeout.total"),
        (["a"], {"timeout": float("nan")}, "options.timeout.total"),
        (["a"], {"extra": {"a": object()}}, "options.extra.a"),
        (["a"], {"extra": {1: 2}}, "options"),
        (["a"], {1: 2}, "options.1"),
        (["a"], ["dimensions"], "options"),
    ],
)
async def test_what_is_wrong_is_named_before_anything_is_sent(texts: Any, options: Any, path: str) -> None:
    provider = Embedder()
    with pytest.raises(InvalidRequestError) as caught:
        await guard(provider).embed(texts, options)
    assert [problem.path for problem in caught.value.fields] == [path]
    assert caught.value.provider == "acme"
    assert provider.calls == []


async def test_a_mistyped_option_is_told_what_was_meant() -> None:
    with pytest.raises(InvalidRequestError, match="dimensions"):
        await guard(Embedder()).embed(["a"], {"dimension": 4})


async def test_where_there_are_none_it_says_so_before_it_is_asked() -> None:
    class ChatOnly(Embedder):
        capabilities = Capabilities(embeddings=False)

    provider = ChatOnly()
    with pytest.raises(UnsupportedFeatureError, match="acme makes no embeddings"):
        await guard(provider).embed(["a"])
    assert provider.calls == []

    class Chat(Provider):
        name = "chat"

        async def generate(self, request: Any) -> str:
            return "hi"

    with pytest.raises(UnsupportedFeatureError, match="chat makes no embeddings"):
        await guard(Chat()).embed(["a"])


async def test_a_closed_provider_makes_none() -> None:
    provider = guard(Embedder())
    await provider.aclose()
    with pytest.raises(InvalidRequestError, match="closed"):
        await provider.embed(["a"])


async def test_cancelling_stops_every_call() -> None:
    class Slow(Embedder):
        most = 1
        busy = asyncio.Event()

        async def embeddings(self, request: EmbeddingRequest) -> Embeddings:
            self.running += 1
            if self.running == 4:
                self.busy.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.running -= 1
            raise AssertionError

    provider = Slow()
    task = asyncio.create_task(guard(provider).embed(["a"] * 10))
    await provider.busy.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.running == 0
