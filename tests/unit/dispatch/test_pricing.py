"""What replies cost, over a real socket: the operator's price, the vendor's word, the list; else unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from parley import Client, ConfigurationError, StreamTruncatedError
from parley.contract.pricing import Price
from parley.contract.response import ChatResponse
from parley.contract.usage import Usage
from parley.dispatch.pricing import ProviderPricing
from parley.registry.price_list import Seller
from parley.testing.replay import Answer, ReplayServer

JSON = {"content-type": "application/json"}


def completion(model: str, **usage: Any) -> Answer:
    body = {
        "id": "c1",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100, **usage},
    }
    return Answer(status=200, headers=JSON, body=msgspec.json.encode(body))


def chunks(*, whole: bool) -> Answer:
    text = {"id": "c1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {"content": "Hello there, my dear."}}]}
    end = {"id": "c1", "model": "gpt-4o", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    usage = {"id": "c1", "model": "gpt-4o", "choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}}
    lines = [text, end, usage] if whole else [text]
    body = b"".join(b"data: " + msgspec.json.encode(line) + b"\n\n" for line in lines) + (b"data: [DONE]\n\n" if whole else b"")
    return Answer(status=200, headers={"content-type": "text/event-stream"}, body=body)


async def asked(tmp_path: Path, answer: Answer, *, name: str = "openai", model: str = "gpt-4o", toml: str = "") -> ChatResponse:
    async with ReplayServer(answer) as server:
        (tmp_path / "parley.toml").write_text(toml.replace("ENDPOINT", server.url))
        variables = {f"{name.upper().replace('-', '_')}_{field}": value for field, value in (("API_KEY", "k"), ("ENDPOINT", server.url))}
        async with Client.from_config(environ=variables, directory=tmp_path) as client:
            return await client.chat(f"{name}/{model}", "Hi")


async def test_a_reply_costs_what_the_list_says(tmp_path: Path) -> None:
    reply = await asked(tmp_path, completion("mistral-small-2506"), name="mistral", model="mistral-small-latest")
    assert reply.price is not None
    assert reply.cost == pytest.approx((1000 * reply.price.input + 100 * reply.price.output) / 1_000_000)
    assert reply.price.source.startswith("genai-prices")


async def test_cached_tokens_cost_less_and_reasoning_is_part_of_the_output(tmp_path: Path) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 400}, "completion_tokens_details": {"reasoning_tokens": 60}}
    reply = await asked(tmp_path, completion("openai/gpt-oss-120b", **details), name="groq", model="openai/gpt-oss-120b")
    assert reply.usage.cached_tokens == 400
    assert reply.cost == pytest.approx((600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1_000_000)


async def test_a_model_that_no_list_knows_has_no_cost(tmp_path: Path) -> None:
    reply = await asked(tmp_path, completion("new-one"), name="mistral", model="new-one")
    assert (reply.cost, reply.price) == (None, None)


async def test_the_model_that_was_asked_for_counts_where_the_answer_names_another(tmp_path: Path) -> None:
    reply = await asked(tmp_path, completion("inner-name-7"), name="mistral", model="codestral-latest")
    assert reply.cost == pytest.approx((1000 * 0.3 + 100 * 0.9) / 1_000_000)


OPERATOR = """
[[providers]]
name = "house"
provider = "openai-compatible"
endpoint = "ENDPOINT"
api_key = "k"
models = [{id = "m1", price = {input = 2, output = 8}}, {id = "m2", price = {input = 2, output = 8, cached = 0.5}}, {id = "m3"}]
"""


@pytest.mark.parametrize(
    ("model", "cost"), [("m1", (1000 * 2 + 100 * 8) / 1e6), ("m2", (600 * 2 + 400 * 0.5 + 100 * 8) / 1e6), ("m3", None), ("gpt-4o", None)]
)
async def test_the_operators_price_wins_and_a_server_of_its_own_has_no_other(tmp_path: Path, model: str, cost: float | None) -> None:
    answer = completion(model, prompt_tokens_details={"cached_tokens": 400})
    reply = await asked(tmp_path, answer, name="house", model=model, toml=OPERATOR)
    assert reply.cost == (None if cost is None else pytest.approx(cost))
    assert (reply.price and reply.price.source) == (None if cost is None else "operator")


async def test_the_operators_price_goes_before_the_list(tmp_path: Path) -> None:
    toml = '[[providers]]\nname = "mistral"\nmodels = [{id = "codestral-latest", price = {input = 1, output = 1}}]\n'
    reply = await asked(tmp_path, completion("codestral-2508"), name="mistral", model="codestral-latest", toml=toml)
    assert reply.cost == pytest.approx(1100 / 1_000_000)


@pytest.mark.parametrize("price", ["{input = -1}", "{output = nan}", '{input = "much"}', "{inptu = 1}"])
async def test_a_price_that_is_none_is_told(tmp_path: Path, price: str) -> None:
    (tmp_path / "parley.toml").write_text(f'[[providers]]\nname = "mistral"\nmodels = [{{id = "a", price = {price}}}]\n')
    with pytest.raises(ConfigurationError, match=r"models\[0\]\.price"):
        Client.from_config(environ={}, directory=tmp_path)


async def test_streamed_and_cut_answers_have_a_cost_too(tmp_path: Path) -> None:
    async with ReplayServer(chunks(whole=True), chunks(whole=False)) as server:
        environ = {"OPENROUTER_API_KEY": "k", "OPENROUTER_ENDPOINT": server.url}
        async with Client.from_config(environ=environ, directory=tmp_path) as client:
            done: list[ChatResponse] = []
            whole = await client.chat("openrouter/openai/gpt-4o", "Hi", on_done=done.append)
            assert done == [whole]
            assert whole.cost == pytest.approx((1000 * 2.5 + 100 * 10) / 1_000_000)
            with pytest.raises(StreamTruncatedError) as caught:
                await client.chat("openrouter/openai/gpt-4o", "Hi", on_token=lambda _: None)
    partial = caught.value.partial
    assert partial is not None
    assert partial.usage.source == "estimated"
    assert partial.cost is not None
    assert 0 < partial.cost < 0.001


async def test_the_demo_costs_nothing_that_is_known(tmp_path: Path) -> None:
    async with Client.from_config(environ={}, directory=tmp_path) as client:
        assert (await client.chat("demo", "Hi")).cost is None


def test_the_vendors_own_word_goes_before_the_list_and_after_the_operator() -> None:
    usage = Usage(prompt_tokens=1000, completion_tokens=0, total_tokens=1000)
    reply = ChatResponse(model="gpt-4o", usage=usage, cost=0.5)
    assert ProviderPricing(Seller(name="openai")).appraise(reply, asked="gpt-4o") == reply
    own = ProviderPricing(Seller(name="openai"), operator={"gpt-4o": Price(input=1, output=1, source="operator")})
    assert own.appraise(reply, asked="gpt-4o").cost == pytest.approx(0.001)
