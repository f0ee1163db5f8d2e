from __future__ import annotations

import enum
import importlib
import itertools
from typing import Any, Literal

import msgspec
import pytest

import parley
from parley.contract.capabilities import Capabilities
from parley.contract.config import config_fields
from parley.contract.options import Options
from parley.contract.provider import Provider
from parley.guard.guarded import GuardedProvider, guard
from parley.provider import OpenAIChat
from parley.registry.discovery import built_in_candidates
from parley.testing.made_up import made_up_fields, sample_for
from parley.testing.payload_diff import PayloadDiff, changed_paths, payload_diffs, probes, sample_value
from parley.testing.samples import sample_of

DIALECTS = [candidate.name for candidate in built_in_candidates() if candidate.name != "demo"]
ANSWER = sample_of("openai_chat").complete()  # pyright: ignore[reportOptionalMemberAccess]


def dialect(name: str) -> parley.Dialect:
    return importlib.import_module(f"parley.providers.{name.replace('-', '_')}").provider


def models_of(name: str) -> list[str]:
    default = next(field.default for field in config_fields(dialect(name).config) if field.name == "model")
    return [model.id for model in dialect(name).models] or [default or "model-1"]


def apis_of(name: str) -> list[str]:
    return ["", *dialect(name).apis]


@pytest.mark.parametrize(
    ("name", "api", "model"), [(name, api, model) for name in DIALECTS for api in apis_of(name) for model in models_of(name)]
)
async def test_of_no_model_of_a_provider_that_ships_is_too_much_claimed_or_anything_lost_in_silence(
    name: str, api: str, model: str
) -> None:
    declared = dialect(name)
    sample = sample_for(declared.apis.get(api, declared.wire), model)
    assert sample is not None
    more = dict(made_up_fields(declared.config, key="k-test")) | ({"api": api} if api else {})
    config = {"api_key": "k-test", "model": model, **more}
    diffs = await payload_diffs(lambda url: parley.load_provider(name, endpoint=url, **config), sample.complete())
    assert [diff.problem for diff in diffs if diff.problem] == []


async def test_an_option_is_found_where_it_is_written_streamed_and_complete() -> None:
    for stream in (False, True):
        answer = sample_of("openai_chat").streamed() if stream else ANSWER  # pyright: ignore[reportOptionalMemberAccess]
        diffs = await payload_diffs(lambda url: parley.load_provider("mistral", api_key="k-test", endpoint=url), answer, stream=stream)
        found = {diff.option: diff for diff in diffs}
        assert (found["seed"].outcome, found["seed"].paths) == ("sent", ["body.random_seed"])
        assert (found["images"].outcome, found["images"].paths) == ("sent", ["body.messages[0].content"])
        assert (found["top_k"].outcome, found["top_k"].declared) == ("warned", False)
        assert "top_k" in found["top_k"].told
        assert found["extra.safe_prompt"].paths == ["body.safe_prompt"]


async def test_what_is_refused_never_arrives() -> None:
    diffs = await payload_diffs(lambda url: parley.load_provider("deepseek", api_key="k-test", endpoint=url), ANSWER)
    found = {diff.option: diff for diff in diffs}
    assert (found["images"].outcome, found["images"].declared, found["images"].problem) == ("refused", False, None)
    assert "deepseek" in found["images"].told


class Forgetful(OpenAIChat, frozen=True):
    """Loses the seed and the detail of images without a word, and says so of top_p."""

    def encode(self, request: Any, *, target: Any, stream: bool) -> Any:
        kept = msgspec.structs.replace(request.options, seed=None, top_p=None)
        encoded = super().encode(msgspec.structs.replace(request, options=kept), target=target, stream=stream)
        warnings = [parley.ResponseWarning(code="x", message="top p was left out")] if request.options.top_p else []
        return msgspec.structs.replace(encoded, body=encoded.body.replace(b'"detail":"low"', b""), warnings=warnings)


class NoisyConfig(parley.Config):
    api_key: str = ""
    model: str = "m"
    endpoint: str = "http://127.0.0.1:1"


def guarded(capabilities: Capabilities, url: str) -> GuardedProvider:
    declared = parley.Dialect(name="sloppy", config=NoisyConfig, wire=Forgetful(), capabilities=capabilities)
    return guard(declared.create(NoisyConfig(endpoint=url)))


async def test_a_silent_loss_and_too_bold_a_claim_are_told() -> None:
    claims = Capabilities(seed=True, top_p=True, temperature=True, stop=False, top_k=False)
    found = {diff.option: diff for diff in await payload_diffs(lambda url: guarded(claims, url), ANSWER)}
    assert (found["seed"].outcome, found["top_p"].outcome) == ("silent", "warned")
    assert "declared as supported" in (found["seed"].problem or "")
    assert "declared as supported" in (found["top_p"].problem or "")
    assert found["temperature"].problem is None
    assert found["stop"].outcome == "refused"
    unknown = {diff.option: diff for diff in await payload_diffs(lambda url: guarded(Capabilities(), url), ANSWER)}
    assert "not known to be missing" in (unknown["seed"].problem or "")
    assert unknown["top_p"].problem is None


def test_a_no_that_is_sent_all_the_same_is_a_problem() -> None:
    diff = PayloadDiff(option="stop", declared=False, outcome="sent", paths=["body.stop"])
    assert diff.problem == "stop is declared as not supported, but it is sent (body.stop)"


class Elsewhere(Provider):
    """Asks some SDK, which goes its own way."""

    name = "elsewhere"
    capabilities = Capabilities(stop=False)

    async def generate(self, request: parley.ChatRequest) -> str:
        return "an answer"


async def test_what_goes_elsewhere_is_not_observed_and_never_taken_for_sent() -> None:
    found = {diff.option: diff for diff in await payload_diffs(lambda _: guard(Elsewhere()), ANSWER)}
    assert found["stop"].outcome == "refused"
    assert {diff.outcome for diff in found.values()} == {"refused", "not observed"}


async def test_what_differs_from_call_to_call_is_taken_for_noise() -> None:
    class Noisy(Forgetful, frozen=True):
        def encode(self, request: Any, *, target: Any, stream: bool) -> Any:
            encoded = super().encode(request, target=target, stream=stream)
            return msgspec.structs.replace(encoded, headers={**encoded.headers, "x-nonce": str(next(nonces))})

    nonces = itertools.count()
    declared = parley.Dialect(name="noisy", config=NoisyConfig, wire=Noisy())
    diffs = await payload_diffs(lambda url: guard(declared.create(NoisyConfig(endpoint=url))), ANSWER)
    found = {diff.option: diff for diff in diffs}
    assert found["seed"].outcome == "silent"
    assert found["temperature"].paths == ["body.temperature"]


async def test_a_provider_that_does_not_answer_at_all_has_failed_not_passed() -> None:
    class Broken(Elsewhere):
        async def generate(self, request: parley.ChatRequest) -> str:
            raise parley.InvalidRequestError("no model was named")

    found = {diff.option: diff for diff in await payload_diffs(lambda _: guard(Broken()), ANSWER)}
    assert found["temperature"].outcome == "failed"
    assert "no model was named" in (found["temperature"].problem or "")


def test_every_option_is_probed_but_the_one_that_stays_with_us() -> None:
    asked = {probe.option.partition("=")[0].partition(".")[0] for probe in probes([parley.ExtraOption(name="own")])}
    assert asked >= set(Options.__struct_fields__) - {"timeout"}


def test_paths_name_the_deepest_place_that_differs() -> None:
    before = {"a": {"b": [1, {"c": 2}]}, "same": 1, "gone": None}
    after = {"a": {"b": [1, {"c": True}]}, "same": 1, "new": "x"}
    assert changed_paths(before, after) == ["a.b[1].c", "gone", "new"]
    assert changed_paths([1, 2], [1]) == [""]
    assert changed_paths(1, 1.0) == [""]


class Speed(enum.Enum):
    FAST = "fast"


class Nested(msgspec.Struct):
    needed: int
    free: str = ""


@pytest.mark.parametrize(
    "kind",
    [str, bool, int, float, Any, Literal["a", "b"], list[str], tuple[int, str], dict[str, Any], Speed, Nested, str | None],
)
def test_a_sample_is_of_the_type_that_was_declared(kind: Any) -> None:
    msgspec.convert(sample_value(kind), kind)
