from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parley.contract.capabilities import Capabilities, Model
from parley.contract.provider import Provider
from parley.provider import OpenAIChat
from parley.registry.definition import Definition, PlainConfig, UnusableProviderError, define
from parley.registry.discovery import file_candidates

Write = Callable[[str], Definition]


@pytest.fixture
def defined(tmp_path: Path) -> Write:
    def write(text: str) -> Definition:
        (tmp_path / "acme.py").write_text(text, encoding="utf-8")
        [candidate] = file_candidates([tmp_path])
        return define(candidate)

    return write


# What an author writes, word for word from the contract's example.
DIALECT = '''"""Acme. Wire: https://docs.acme.example/chat (read 2026-11-20)."""
from parley.provider import Capabilities, Config, Dialect, Limits, Model, OpenAIChat

class AcmeConfig(Config):                    # ACME_API_KEY, ACME_MODEL, ACME_ENDPOINT
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"

provider = Dialect(
    name="acme", label="Acme", description="Fast European models", config=AcmeConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens"), capabilities=Capabilities(tools=True, images=False),    # not named = unknown
    models=[Model("acme-fast", label="Acme Fast", description="Fast and efficient", context_tokens=128_000)],
    limits=Limits(requests_per_minute=1000), docs_url="https://docs.acme.example")
'''


def test_a_dialect_as_the_contract_shows_it(defined: Write) -> None:
    definition = defined(DIALECT)
    assert (definition.name, definition.label, definition.limits.requests_per_minute) == ("acme", "Acme", 1000)
    assert definition.capabilities == Capabilities(tools=True, images=False).over(OpenAIChat().capabilities)
    assert isinstance(definition.wire, OpenAIChat)
    config = definition.config_type(api_key="k")
    assert (config.model, config.endpoint) == ("acme-fast", "https://api.acme.example/v1")
    provider = definition.create(config, {"name": "acme-two", "models": [Model("m")]})
    assert (provider.name, [model.id for model in provider.models]) == ("acme-two", ["m"])


def test_a_provider_class_is_found_without_being_assigned(defined: Write) -> None:
    definition = defined(
        """
from parley.provider import Config, Provider
class AcmeConfig(Config):
    api_key: str = ""
    region: str = "eu"
class Acme(Provider):
    name = "acme"
    config_type = AcmeConfig
    async def generate(self, request):
        return self.config.region
"""
    )
    provider = definition.create(definition.config_type(region="us"), {})
    assert isinstance(provider, Provider)
    assert provider.config is not None
    assert definition.config_type.__name__ == "AcmeConfig"


def test_an_instance_is_used_as_it_is_and_copied_for_another_name(defined: Write) -> None:
    definition = defined(
        """
from parley.provider import Provider
class Acme(Provider):
    name = "acme"
provider = Acme()
"""
    )
    original = definition.create(PlainConfig(), {})
    renamed = definition.create(PlainConfig(), {"name": "acme-two"})
    assert definition.create(PlainConfig(), {}) is original
    assert (original.name, renamed.name) == ("acme", "acme-two")


@pytest.mark.parametrize("head", ["def __init__(self, config):", "def __init__(self, config=None):", "def __init__(self):"])
def test_a_free_class_is_called_with_its_config_or_with_nothing(defined: Write, head: str) -> None:
    definition = defined(
        f"""
class Acme:
    {head}
        self.name = "acme"
        self.key = config.api_key if "config" in locals() else "none"
    async def generate_response(self, *, messages, system_prompt=None, options=None):
        return {{"text": "hi"}}
"""
    )
    provider: Any = definition.create(definition.config_type(api_key="k"), {})
    assert provider.key == ("k" if "config" in head else "none")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError"),
        ("from parley.provider import NotYetInvented", "is it written for a later Parley than"),
        ("import parley.not_yet", "is it written for a later Parley than"),
        ("raise SystemExit(1)", "SystemExit"),
        ("def broken(:", "SyntaxError"),
        ("raise KeyError('sk-hunter2hunter2')", "KeyError"),
        ("x = 1", "no provider"),
        ("provider = 3", "int"),
        ("from parley.provider import Provider\nclass Acme(Provider):\n    name = 'other'", "other"),
        ("from parley.provider import Provider\nclass Acme(Provider):\n    name = ''", "no name"),
        ("from parley.provider import Provider\nclass Acme(Provider):\n    name = 'acme'\n    contract_version = 2", "contract version 2"),
        (
            "from parley.provider import Provider\nclass A(Provider):\n    name = 'acme'\nclass B(Provider):\n    name = 'acme'",
            "several providers (A, B)",
        ),
        ("from parley.provider import Dialect\nprovider = Dialect(name='acme', config=int, wire=None)", "config"),
        ("def __getattr__(name): raise ValueError('odd')", "ValueError"),
    ],
)
def test_what_cannot_be_used_is_told_and_raises_nothing_else(defined: Write, text: str, words: str) -> None:
    with pytest.raises(UnusableProviderError) as caught:
        defined(text)
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_of_nul_bytes_is_told(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_bytes(b"\0\0")
    [candidate] = file_candidates([tmp_path])
    with pytest.raises(UnusableProviderError):
        define(candidate)


def test_a_class_without_a_name_goes_by_that_of_its_file(defined: Write) -> None:
    definition = defined("class Acme:\n    def generate_response(self, messages):\n        return 'x'\n")
    assert definition.create(PlainConfig(), {}).name == "acme"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("from parley.provider import Config\n\nwhatever()\n", "(acme.py, line 3)"),
        ("def helper():\n    return 1 / 0\n\n\nprovider = helper()\n", "(acme.py, line 2)"),
        ("from parley.provider import Config, Dialect\n\nprovider = Dialect(name='acme', config=Config, wire=None)\n", "(acme.py, line 3)"),
        ("import os\nprovider = (\n", "(acme.py, line 2)"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_with_its_line(defined: Write, text: str, place: str) -> None:
    with pytest.raises(UnusableProviderError, match=re.escape(place)):
        defined(text)
