from __future__ import annotations

from pathlib import Path

import pytest

from parley.contract.errors import MissingCredentialError, UnknownModelError, UnknownProviderError, UnsupportedFeatureError
from parley.dispatch.resolution import resolve_embedding_model, resolve_model
from parley.registry.loading import Registry

TWO = """
[[providers]]
name = "acme"
provider = "openai-compatible"
endpoint = "http://127.0.0.1:1/v1"
models = [{id = "shared"}, {id = "gpt-5-mini"}, {id = "vendor/model"}]
[[providers]]
name = "beta"
provider = "openai-compatible"
endpoint = "http://127.0.0.1:2/v1"
models = [{id = "shared"}]
"""
ROUTE = '[[routes]]\nname = "fast"\ntargets = [{model = "acme/shared"}]\n'


def _registry(directory: Path, toml: str = "", **variables: str) -> Registry:
    (directory / "parley.toml").write_text(toml, encoding="utf-8")
    return Registry.from_environment(environ=variables, directory=directory)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-5-mini", ("openai", "gpt-5-mini")),
        ("openai/a-model-no-list-knows", ("openai", "a-model-no-list-knows")),
        ("openrouter/openai/gpt-5.2", ("openrouter", "openai/gpt-5.2")),
        ("openai", ("openai", "gpt-5-mini")),
        ("gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("claude-haiku-4-5", ("anthropic", "claude-haiku-4-5")),
        ("vendor/model", ("acme", "vendor/model")),
        ("shared", ("acme", "shared")),
        ("", ("openai", "gpt-5-mini")),
    ],
)
def test_what_a_name_means(tmp_path: Path, name: str, found: tuple[str, str]) -> None:
    assert resolve_model(_registry(tmp_path, TWO, OPENAI_API_KEY="k"), name) == found


def test_adding_a_provider_never_redirects_a_model(tmp_path: Path) -> None:
    assert resolve_model(_registry(tmp_path, OPENAI_API_KEY="k"), "gpt-5-mini") == ("openai", "gpt-5-mini")
    assert resolve_model(_registry(tmp_path, TWO, OPENAI_API_KEY="k"), "gpt-5-mini") == ("openai", "gpt-5-mini")


def test_the_operators_order_counts_for_built_in_providers_that_it_lists(tmp_path: Path) -> None:
    toml = TWO + '[[providers]]\nname = "openai"\napi_key = "k"\n'
    assert resolve_model(_registry(tmp_path, toml), "gpt-5-mini") == ("acme", "gpt-5-mini")


def test_a_configured_provider_goes_before_one_that_is_not(tmp_path: Path) -> None:
    registry = _registry(tmp_path, TWO)
    assert resolve_model(registry, "gpt-5-mini") == ("acme", "gpt-5-mini")
    name, _ = resolve_model(registry, "gpt-4o-mini")
    with pytest.raises(MissingCredentialError, match="OPENAI_API_KEY"):
        registry.get(name)


def test_a_routes_name_is_that_route_and_takes_no_model(tmp_path: Path) -> None:
    registry = _registry(tmp_path, TWO + ROUTE)
    registry.check()
    assert resolve_model(registry, "fast") == ("fast", "")
    with pytest.raises(UnknownModelError, match='ask for "fast" alone'):
        resolve_model(registry, "fast/shared")


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("opnai/gpt-5", UnknownProviderError, 'Did you mean "openai"?'),
        ("gpt-5-mni", UnknownModelError, 'Did you mean "gpt-5-mini"?'),
        ("fats", UnknownModelError, 'Did you mean "fast"?'),
        ("openai/", UnknownModelError, "names a provider and no model"),
        ("zzz/qqq", UnknownModelError, "provider/model"),
    ],
)
def test_an_unknown_name_is_told_with_what_was_meant(tmp_path: Path, name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        resolve_model(_registry(tmp_path, TWO + ROUTE), name)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai", ("openai", "")),
        ("openai/text-embedding-3-small", ("openai", "text-embedding-3-small")),
        ("openrouter/openai/text-embedding-3-small", ("openrouter", "openai/text-embedding-3-small")),
        ("text-embedding-3-large", ("openai", "text-embedding-3-large")),
        ("gemini-embedding-001", ("gemini", "gemini-embedding-001")),
        ("mistral-embed", ("mistral", "mistral-embed")),
        ("shared", ("acme", "shared")),
        ("", ("acme", "")),
    ],
)
def test_a_name_where_vectors_are_wanted(tmp_path: Path, name: str, found: tuple[str, str]) -> None:
    registry = _registry(tmp_path, 'default = "acme/shared"' + TWO)
    assert resolve_embedding_model(registry, name) == found


def test_where_no_list_knows_it_a_provider_is_asked_for(tmp_path: Path) -> None:
    registry = _registry(tmp_path, TWO + ROUTE)
    with pytest.raises(UnknownModelError, match="provider/model"):
        resolve_embedding_model(registry, "some-embedding-model")
    with pytest.raises(UnsupportedFeatureError, match="route"):
        resolve_embedding_model(registry, "fast")
