"""The pages of the providers that ship, and `.env.example`: a person who follows them is not led astray."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parley.config import describe
from parley.registry.discovery import built_in_candidates
from parley.registry.environment import parse_dotenv
from parley.registry.loading import Registry

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "providers"
NAMES = [candidate.name for candidate in built_in_candidates()]


@pytest.mark.parametrize("name", NAMES)
def test_a_provider_has_a_page_with_all_its_variables_and_models(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text()
    description = Registry.from_environment(environ={}, directory="/nonexistent").describe(name)
    for field in description.fields:
        assert all(f"`{variable}`" in page for variable in field.variables)
    for model in description.models:
        assert f"`{model.id}`" in page
    headings = re.findall(r"^## (.*)$", page, re.MULTILINE)
    assert headings == ["Configuration", "Models", "Features", "Limits", "Error codes", "Troubleshooting", "Testing it"]


def test_the_index_leads_to_every_page() -> None:
    linked = re.findall(r"\]\((.*?)\.md\)", (PAGES / "README.md").read_text())
    assert sorted(linked) == sorted(NAMES)


def test_the_example_of_an_env_file_sets_nothing_as_it_stands(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    assert set(parse_dotenv(text).values()) == {""}
    (tmp_path / ".env").write_text(text)
    registry = Registry.from_environment(environ={}, directory=tmp_path)
    registry.check()
    assert registry.origins() == {}
    assert registry.default == "demo"


def test_the_example_of_an_env_file_becomes_a_working_one_by_filling_in(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text()
    (tmp_path / ".env").write_text(text.replace("GROQ_API_KEY=", "GROQ_API_KEY=gsk_x1", 1).replace("# GROQ_MODEL=", "GROQ_MODEL=", 1))
    registry = Registry.from_environment(environ={}, directory=tmp_path)
    registry.check()
    assert (registry.describe("groq").status, registry.default) == ("ready", "groq")


def test_the_example_of_an_env_file_names_every_variable_of_the_server_and_of_the_providers() -> None:
    text = (ROOT / ".env.example").read_text()
    assigned = set(re.findall(r"^(?:# +)?([A-Z_]+)=", text, re.MULTILINE))
    assert {known.variable for known in describe()} <= assigned
    for name in set(NAMES) - {"demo"}:
        assert f"{name.replace('-', '_').upper()}_ENDPOINT" in assigned
