from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parley.cli.main import application
from parley.testing.replay import Answer, ReplayServer
from parley.testing.samples import sample_of

ACME = '''"""Acme."""
from parley.provider import Capabilities, Config, Dialect, Limits, Model, OpenAIChat


class AcmeConfig(Config):
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"


provider = Dialect(
    name="acme", label="Acme", description="Fast European models", config=AcmeConfig,
    wire=OpenAIChat(max_tokens_field="max_tokens"), capabilities=Capabilities(tools=True, images=False),
    models=[Model("acme-fast", label="Acme Fast", description="Fast and efficient", context_tokens=128_000)],
    limits=Limits(requests_per_minute=1000), docs_url="https://docs.acme.example")
'''
BARE = """
class Bare:
    def __init__(self):
        self.name = "bare"

    async def stream_response(self, *, messages, system_prompt=None, options=None, on_token=None, on_done=None, on_error=None):
        for token in ("Hello", " ", "there"):
            on_token(token)
        reply = {"text": "Hello there", "usage": {"promptTokens": 1, "completionTokens": 3, "totalTokens": 4}, "id": "x", "model": "m"}
        on_done(reply)
        return reply

    async def generate_response(self, *, messages, system_prompt=None, options=None):
        return {"text": "Hello there", "usage": {"promptTokens": 1, "completionTokens": 3, "totalTokens": 4}, "id": "x", "model": "m"}

    async def test_connection(self):
        return {"success": True, "provider": "bare"}
"""


def parley(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(application(), list(arguments), input=stdin)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "parley_providers"
    place.mkdir()
    return place


@pytest.fixture
def acme(folder: Path) -> Path:
    file = folder / "acme.py"
    file.write_text(ACME)
    return file


def test_a_dialect_passes_and_every_point_is_shown(acme: Path) -> None:
    result = parley("provider", "check", "acme")
    assert result.exit_code == 0, result.output
    for section in (
        "interface", "configuration", "registration", "environment variables", "panel entry", "unit tests", "contract", "streaming",
        "error handling", "limits", "documentation",
    ):  # fmt: skip
        assert f"\n{section}\n" in result.stdout, section
    assert "ACME_API_KEY (secret, required), ACME_MODEL, ACME_ENDPOINT" in result.stdout
    assert f"found as acme: {acme}" in result.stdout
    assert "requests per minute: 1000" in result.stdout
    assert "✗" not in result.stdout


def test_advice_decides_only_when_strict(acme: Path) -> None:
    assert "○" in parley("provider", "check", str(acme)).stdout, "it has no test"
    assert parley("provider", "check", "acme", "--strict").exit_code == 1
    (acme.parent / "test_acme.py").write_text("class TestAcme(ProviderContract):\n    provider = 'acme'\n")
    result = parley("provider", "check", "acme", "--strict")
    assert result.exit_code == 0, result.stdout


def test_a_bare_class_of_the_first_guide_passes(folder: Path) -> None:
    (folder / "bare.py").write_text(BARE)
    result = parley("provider", "check", "bare")
    assert result.exit_code == 0, result.stdout
    assert "○" in result.stdout
    assert "– " in result.stdout, "what cannot be seen is not said to hold"


def test_what_many_rules_lack_is_said_once_and_with_the_command(folder: Path) -> None:
    assert parley("provider", "new", "mars", "--kind", "wire", "--endpoint", "https://api.mars.example/v1").exit_code == 0
    result = parley("provider", "check", "mars")
    assert result.exit_code == 0, result.stdout
    assert result.stdout.count("`parley provider record mars` makes them") == 1
    assert "\n– Any split of the bytes\n" in "\n".join(line.rstrip() for line in result.stdout.splitlines())
    assert result.stdout.splitlines()[-1].startswith("– mars: ")
    assert "declares nothing" not in result.stdout, "its wire does"


def test_findings_as_json(acme: Path) -> None:
    document = json.loads(parley("provider", "check", "acme", "--json").stdout)
    assert (document["provider"], document["passed"], document["origin"]) == ("acme", True, str(acme))
    assert document["counts"]["failed"] == 0
    assert {finding["verdict"] for finding in document["findings"]} <= {"passed", "advice", "not_run"}
    assert all(finding["rule"] and finding["section"] and finding["evidence"] for finding in document["findings"])


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("tools=True, ", "tools=True, stop=False, ", ""),
        ('endpoint: str = "https://', 'endpoint: str = "ftp://', "the default endpoint"),
        ('    model: str = "acme-fast"\n', '    model: str = "acme-fast"\n    access_token: str = ""\n', "access_token holds a secret"),
        ("images=False", "images=False, count_tokens=True", "count_tokens is declared, but nothing on the wire openai_chat does it"),
    ],
)
def test_what_is_wrong_fails_with_the_remedy(acme: Path, before: str, after: str, words: str) -> None:
    acme.write_text(ACME.replace(before, after))
    result = parley("provider", "check", "acme")
    assert (result.exit_code, words in result.stdout) == (1 if words else 0, True), result.stdout
    assert ("→" in result.stdout) or not words


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("acmee", 'no provider is called "acmee". Did you mean "acme"?'),
        ("missing.py", "there is no file missing.py"),
        ("nowhere:provider", "ModuleNotFoundError"),
        ("json:loads", "it must be a Dialect, a Provider, or a class"),
    ],
)
def test_what_cannot_be_checked_is_told_in_words(acme: Path, given: str, words: str) -> None:
    result = parley("provider", "check", given)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_file_that_breaks_on_import_is_told_with_its_fault(acme: Path) -> None:
    acme.write_text("import nowhere_at_all\n")
    result = parley("provider", "check", "acme")
    assert result.exit_code == 2
    assert "nowhere_at_all" in result.stderr


def test_a_file_elsewhere_and_a_taken_name_are_told(acme: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "beta.py"
    elsewhere.write_text(ACME.replace('name="acme"', 'name="beta"'))
    assert "lies where Parley does not look" in parley("provider", "check", str(elsewhere)).stdout
    taken = tmp_path / "groq.py"
    taken.write_text(ACME.replace('name="acme"', 'name="groq"'))
    result = parley("provider", "check", str(taken))
    assert result.exit_code == 1
    assert 'the name "groq" is taken by built in' in result.stdout


MODELS = Answer(headers={"content-type": "application/json"}, body=b'{"data": [{"id": "acme-fast"}]}')


@pytest.fixture
def configured(acme: Path, provider_server: object, monkeypatch: pytest.MonkeyPatch) -> ReplayServer:
    """Acme's service, which lists its model once, and then says hello or calls a tool in turn."""
    sample = sample_of("openai_chat")
    assert sample is not None
    answers = [MODELS, MODELS, sample.complete(), sample.streamed(), sample.tool_called(), sample.tool_called(), sample.complete()]
    server = provider_server(*answers)  # type: ignore[operator]
    monkeypatch.setenv("ACME_API_KEY", "k-acme-0123456789")
    monkeypatch.setenv("ACME_ENDPOINT", server.url)
    return server


def test_live_asks_the_service_and_says_what_works(configured: ReplayServer) -> None:
    result = parley("provider", "check", "acme", "--live", "--yes")
    assert result.exit_code == 0, result.stdout
    assert "1 on offer, among them all 1 that are declared" in result.stdout
    assert "stream: model-1, 11 + 7 tokens, reported, stop" in result.stdout
    assert "tools works" in result.stdout
    assert "add temperature=True" in result.stdout, "an under-claim is advice"
    assert "k-acme-0123456789" not in result.output


def test_an_over_claim_fails_live(configured: ReplayServer) -> None:
    sample = sample_of("openai_chat")
    assert sample is not None
    configured.answer_with(
        MODELS, MODELS, sample.complete(), sample.streamed(), sample.error(400, "tools are not supported"), sample.complete()
    )
    result = parley("provider", "check", "acme", "--live", "--yes")
    assert result.exit_code == 1
    assert "tools is declared, and gives" in result.stdout


def test_live_asks_first(configured: ReplayServer) -> None:
    result = parley("provider", "check", "acme", "--live", stdin="n\n")
    assert "with your key" in result.stdout
    assert configured.requests == []
    assert parley("provider", "check", "acme", "--live", "--json").exit_code == 2


def test_live_without_a_key_is_told(acme: Path) -> None:
    result = parley("provider", "check", "acme", "--live", "--yes")
    assert result.exit_code == 1
    assert "ACME_API_KEY" in result.stdout
