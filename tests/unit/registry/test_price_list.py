"""The price list against the package's own arithmetic, and against what vendors publish."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage as ListUsage
from genai_prices import calc_price
from genai_prices.data import providers

from parley.contract.pricing import Price
from parley.contract.usage import Usage
from parley.registry.price_list import ListedModel, Seller, find_model

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def counted(prompt: int, completion: int, *, cached: int = 0, written: int = 0, reasoning: int = 0) -> Usage:
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


USAGES = [
    counted(1000, 100),
    counted(0, 0),
    counted(150_000, 2000, cached=100_000),
    counted(1_000_000, 64_000, cached=300_000, written=200_000),
    counted(4740, 255, written=4735),
    counted(200_000, 1),
    counted(200_001, 1),
    counted(5000, 900, reasoning=700),
]


@pytest.mark.parametrize("usage", USAGES, ids=str)
def test_every_model_costs_what_the_list_reckons(usage: Usage) -> None:
    compared = 0
    for provider in providers:
        for model in provider.models:
            rates = vars(model.get_prices(NOW))
            # Prices by the picture, the page or the minute need counts that no chat reply has.
            listed = find_model(Seller(name=provider.id), model.id, at=NOW)
            price = listed and listed.price(usage.prompt_tokens)
            if price is None:
                assert rates.get("input_mtok") is None or rates.get("output_mtok") is None or listed is None
                continue
            theirs = calc_price(
                ListUsage(
                    input_tokens=usage.prompt_tokens,
                    output_tokens=usage.completion_tokens,
                    cache_read_tokens=usage.cached_tokens,
                    cache_write_tokens=usage.cache_write_tokens,
                    output_reasoning_tokens=usage.reasoning_tokens,
                ),
                model.id,
                provider_id=provider.id,
                genai_request_timestamp=NOW,
            )
            assert price.cost(usage) == pytest.approx(float(theirs.total_price), rel=1e-9, abs=1e-12), (provider.id, model.id)
            compared += 1
    assert compared > 1500


# What the vendors' price pages say (read 2026-11-25), in dollars per million tokens: input, cached input, output.
@pytest.mark.parametrize(
    ("seller", "model", "rates"),
    [
        ("openai", "gpt-4o", (2.5, 1.25, 10)),
        ("openai", "gpt-5-mini-2025-08-07", (0.25, 0.025, 2)),
        ("anthropic", "claude-sonnet-4-6", (3, 0.3, 15)),
        ("gemini", "gemini-2.5-flash", (0.3, 0.03, 2.5)),
        ("vertex", "gemini-2.5-flash", (0.3, 0.03, 2.5)),
        ("bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0", (3, 0.3, 15)),
        ("openrouter", "openai/gpt-4o", (2.5, 1.25, 10)),
    ],
)
def test_prices_as_published(seller: str, model: str, rates: tuple[float, float, float]) -> None:
    listed = find_model(Seller(name=seller), model, at=NOW)
    assert listed is not None
    price = listed.price()
    assert price is not None
    assert (price.input, price.cached, price.output) == rates
    assert price.source.startswith("genai-prices ")
    assert price.as_of == "2026-11-25"


def test_a_long_prompt_costs_more_from_its_first_token() -> None:
    listed = find_model(Seller(name="gemini"), "gemini-2.5-pro", at=NOW)
    assert listed is not None
    usual, long = listed.price(200_000), listed.price(200_001)
    assert usual is not None
    assert long is not None
    assert (usual.input, usual.output) == (1.25, 10)
    assert (long.input, long.output) == (2.5, 15)
    assert long.cost(counted(200_001, 0)) == pytest.approx(float(Decimal("0.5000025")))


def test_a_price_that_ends_is_another_one_afterwards() -> None:
    changing = [
        (seller, model.id)
        for seller in providers
        for model in seller.models
        if (before := model.get_prices(datetime(2025, 1, 1, tzinfo=UTC)).__dict__.get("input_mtok"))
        and (now := model.get_prices(NOW).__dict__.get("input_mtok"))
        and before != now
    ]
    assert changing
    provider, model = changing[0]
    early = find_model(Seller(name=provider.id), model, at=datetime(2025, 1, 1, tzinfo=UTC))
    late = find_model(Seller(name=provider.id), model, at=NOW)
    assert early is not None
    assert late is not None
    assert early.price() != late.price()


@pytest.mark.parametrize(
    ("seller", "model"),
    [
        (Seller(name="openai"), "no-such-model"),
        (Seller(name="openai"), ""),
        (Seller(name="nobody"), "gpt-4o"),
        (Seller(endpoint="http://127.0.0.1:8080/v1"), "gpt-4o"),
        (Seller(endpoint=""), "gpt-4o"),
    ],
)
def test_what_the_list_does_not_have_is_unknown(seller: Seller, model: str) -> None:
    assert find_model(seller, model) is None


def test_an_endpoint_says_who_sells() -> None:
    listed = find_model(Seller(endpoint="https://api.groq.com/openai/v1"), "llama-3.1-8b-instant", at=NOW)
    assert listed is not None
    assert listed.price() is not None


def test_the_seller_that_is_named_goes_before_one_that_looks_like_it() -> None:
    assert find_model(Seller(name="azure-openai"), "gpt-4o", at=NOW) == find_model(Seller(name="azure"), "gpt-4o", at=NOW)


def test_no_price_is_not_free() -> None:
    assert ListedModel().price() is None
    assert Price(input=0, output=0).cost(counted(5, 5)) == 0


def test_counts_that_do_not_add_up_never_cost_less_than_nothing() -> None:
    odd = Usage(prompt_tokens=5, completion_tokens=1, total_tokens=6, cached_tokens=50, cache_write_tokens=50, reasoning_tokens=50)
    assert Price(input=1, output=1, cached=0.5, cache_write=2, reasoning=3).cost(odd) == pytest.approx((5 * 0.5 + 3) / 1_000_000)


def test_importing_parley_reads_no_price_list() -> None:
    code = "import sys, parley; parley.Client; print({'genai_prices', 'pydantic'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"


def test_without_the_extra_nothing_has_a_price() -> None:
    code = (
        "import sys; sys.modules['genai_prices.data_snapshot'] = None\n"
        "from parley.registry import price_list\n"
        "from parley.registry.price_list import Seller\n"
        "print(price_list.load(), price_list.is_settled(), price_list.find_model(Seller(name='openai'), 'gpt-4o'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True", "None"]
