from __future__ import annotations

from pathlib import Path

import pytest

from parley.registry.loading import Registry
from parley.registry.proof import Evidence, Proof, ProviderProof, SeenError, codec_hash
from parley.registry.provider_page import index_page, provider_page

ACME = """
from parley.provider import Capabilities, Config, Dialect, Limits, Model, OpenAIChat

class AcmeConfig(Config):
    model: str = "acme-fast"
    endpoint: str = "https://api.acme.example/v1"

provider = Dialect(
    name="acme", label="Acme | Co\\n# Ltd", description="Fast European models", config=AcmeConfig, wire=OpenAIChat(),
    capabilities=Capabilities(tools=True, images=False, structured_output="prompt"),
    models=[Model("acme-fast", "Fast", "quick | cheap", 128_000), Model("acme-old", capabilities=Capabilities(tools=False))],
    limits=Limits(requests_per_minute=1000), docs_url="https://docs.acme.example")
"""
LOCAL = """
import parley

class Own(parley.Provider):
    name = "own"
    capabilities = parley.Capabilities(usage=False)
    async def generate(self, request):
        return "x"
"""
NOTHING = Proof(version=1, providers={})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    folder = tmp_path / "parley_providers"
    folder.mkdir()
    (folder / "acme.py").write_text(ACME)
    (folder / "own.py").write_text(LOCAL)
    return Registry.from_environment(environ={}, directory=tmp_path)


def page_of(registry: Registry, name: str = "acme", proof: Proof = NOTHING) -> str:
    return provider_page(registry.describe(name), wire=registry.wire(name), proof=proof)


def row(page: str, feature: str) -> list[str]:
    (line,) = [line for line in page.splitlines() if f"| {feature} |" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_plugins_page_is_made_of_its_declaration(registry: Registry) -> None:
    page = page_of(registry)
    assert "It is ready once `ACME_API_KEY` is set" in page
    assert "| `ACME_ENDPOINT` | `https://api.acme.example/v1` |" in page
    assert "| `acme-fast` (default) | Fast | quick \\| cheap | 128,000 tokens |" in page
    assert "1,000 requests per minute" in page
    assert "<https://docs.acme.example>" in page
    assert "parley_providers/acme.py" in page
    assert "check `ACME_API_KEY`" in page
    assert "pytest -m contract" not in page, "these tests are Parley's own"


def test_no_text_of_an_author_begins_a_heading_of_its_own(registry: Registry) -> None:
    assert page_of(registry).splitlines()[0] == "# Acme | Co # Ltd"
    assert "# Ltd" not in page_of(registry).splitlines()
    assert "[Acme \\| Co # Ltd](acme.md)" in index_page([registry.describe("acme")], NOTHING)


def test_features_are_yes_no_or_not_known(registry: Registry) -> None:
    page = page_of(registry)
    assert row(page, "Tool calls") == ["✅", "Tool calls", "claimed", "not by `acme-old`"]
    assert row(page, "Images")[0] == "❌"
    assert row(page, "Seed") == ["❓", "Seed", "", ""]
    assert row(page, "Answers that fit a JSON Schema")[3] == "asked for in words"
    assert row(page, "Images by their URL")[0] == "❌", "there can be none where there are no images"


def test_a_proof_is_shown_with_its_recording_and_told_when_it_is_stale(registry: Registry) -> None:
    cells = {
        "tools": Evidence(grade="vendor-proven", verdict="read", recording="acme/tools/a.json"),
        "seed": Evidence(grade="vendor-proven", verdict="accepted", recording="acme/tools/b.json"),
        "stop": Evidence(grade="wire-proven", verdict="accepted", recording="other/x.json"),
        "top_k": Evidence(grade="not claimed", verdict="left out"),
        "files": Evidence(grade="not claimed", verdict="refused"),
    }
    current = codec_hash(registry.wire("acme"))

    def proof(codec: str) -> Proof:
        errors = [SeenError(status=429, provider_code="slow_down", error="RateLimitError", recording="acme/error/c.json")]
        return Proof(version=1, providers={"acme": ProviderProof(wire="openai_chat", codec=codec, capabilities=cells, errors=errors)})

    page = page_of(registry, proof=proof(current))
    assert row(page, "Tool calls")[2] == "vendor-proven: `acme/tools/a.json`"
    assert row(page, "Seed")[0] == "✅", "not declared, but shown"
    assert row(page, "Stop sequences")[:3] == ["❓", "Stop sequences", "wire-proven: `other/x.json`"]
    assert row(page, "Top K") == ["❌", "Top K", "", "left out, with a warning"]
    assert row(page, "Files")[3] == "refused before anything is sent"
    assert "| 429 | `slow_down` | `RateLimitError` |" in page
    stale = page_of(registry, proof=proof("0" * 64))
    assert row(stale, "Tool calls")[2] == "vendor-proven, stale: `acme/tools/a.json`"


def test_who_calls_nobody_is_told_no_tale_of_keys_and_statuses(registry: Registry) -> None:
    page = page_of(registry, "own")
    assert "**Authentication.**" not in page
    assert "It calls nobody" in page
    assert "This provider reports none: they are estimated" in page
