from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from parley.provider import Config, OpenAIChat, Provider
from parley.registry.definition import UnusableProviderError
from parley.testing import subject_of
from parley.testing.locating import locate

from . import mars
from .examining import YourProvider

FILE = """
from parley.provider import Provider


class Acme(Provider):
    name = "acme"

    async def generate(self, request):
        return "Hi"
"""


class Named(Provider):
    name = "named"

    async def generate(self, request):
        return "Hi"


def test_everything_that_names_a_provider_finds_it(tmp_path: Path) -> None:
    (tmp_path / "acme.py").write_text(FILE)
    module = ModuleType("a_module")
    module.provider = mars.dialect()  # type: ignore[attr-defined]
    assert locate(mars.dialect()).name == "mars"
    assert locate(Named).name == locate(Named()).name == "named"
    assert locate(module).name == "mars"
    assert locate("parley.providers.groq:provider").name == "groq"
    assert locate("parley.providers.demo:DemoProvider").name == "demo"
    assert locate(tmp_path / "acme.py").name == locate(str(tmp_path / "acme.py")).name == "acme"
    assert locate("groq").name == "groq"


def test_a_class_may_name_itself_in_its_constructor() -> None:
    assert locate(YourProvider).name == "your-provider"
    assert subject_of(YourProvider).author.name == "your-provider"


def test_the_operators_own_files_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "acme.py").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    assert locate("acme").name == "acme"


def test_a_name_of_the_operators_own_is_that_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = '[[providers]]\nname = "second-groq"\nprovider = "groq"\n'
    (tmp_path / "parley.toml").write_text(entry)
    monkeypatch.chdir(tmp_path)
    subject = subject_of("second-groq")
    assert (subject.name, subject.author.name, subject.author.dialect.name) == ("second-groq", "second-groq", "second-groq")
    monkeypatch.setenv("PARLEY_PROVIDERS", "mine")
    assert subject_of("mine").author.name == "mine"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("grok", r'no provider is called "grok"\. Did you mean'),
        ("no_such.py", r"there is no file no_such\.py"),
        ("parley.providers.groq:missing", "AttributeError"),
        ("no.such.module:provider", "ModuleNotFoundError"),
        (7, "it must be a Dialect, a Provider, or a class with stream_response"),
    ],
)
def test_what_names_none_is_told_in_words(given: object, words: str) -> None:
    with pytest.raises(UnusableProviderError, match=words):
        locate(given)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nowhere\n", "it cannot be imported: ModuleNotFoundError"),
        ("raise ValueError('at import')\n", "ValueError: at import"),
        ("x = = 1\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "ends the program while it is imported"),
        ("x = 1\n", "it offers no provider"),
        (FILE.replace('"acme"', '"other"'), "its name 'other' differs from 'acme'"),
        (FILE.replace('name = "acme"', 'name = "acme"\n    contract_version = 99'), "contract version 99"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "acme.py").write_text(source)
    with pytest.raises(UnusableProviderError, match=words):
        locate(tmp_path / "acme.py")


def test_a_file_with_a_name_that_is_none_says_why(tmp_path: Path) -> None:
    (tmp_path / "my-acme.py").write_text(FILE)
    with pytest.raises(UnusableProviderError, match=r"call it my_acme\.py"):
        locate(tmp_path / "my-acme.py")
    assert not [name for name in sys.modules if name.startswith("parley_provider_my")]


class Falls:
    name = "falls"

    def __init__(self) -> None:
        raise RuntimeError("no SDK here")

    async def generate_response(self, messages):
        return "Hi"


def test_what_cannot_be_made_or_filled_in_says_why() -> None:
    with pytest.raises(UnusableProviderError, match="it cannot be made: RuntimeError: no SDK here"):
        subject_of(Falls)
    with pytest.raises(UnusableProviderError, match='no wire that ships is called "telegraph"'):
        subject_of(Named, wire="telegraph")


class Picky(Config):
    endpoint: str = "https://api.picky.example/v1"
    region: str
    retries: int
    token: str = "x"


def test_required_fields_of_a_configuration_are_filled_in() -> None:
    subject = subject_of(mars.dialect(OpenAIChat(), name="picky", config=Picky))
    assert isinstance(subject.author.config.retries, int)
    assert subject.author.config.region
