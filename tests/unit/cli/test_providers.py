"""`parley providers`: the state of each, and what to do; never a value of a setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parley.cli.main import application

KEY = "sk-ant-0123456789abcdef"


def listed() -> str:
    result = CliRunner().invoke(application(), ["providers"])
    assert result.exit_code == 0
    return result.stdout


def line_of(name: str) -> str:
    return next(line for line in listed().splitlines() if line.startswith(f"{name} "))


def test_unconfigured_providers_name_the_variable() -> None:
    assert "unconfigured" in line_of("anthropic")
    assert "set ANTHROPIC_API_KEY" in line_of("anthropic")
    assert "ready" in line_of("demo")


def test_a_configured_provider_says_where_its_key_is_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert "environment variable ANTHROPIC_API_KEY" in line_of("anthropic")
    assert KEY not in listed()
    Path(".env").write_text("GROQ_API_KEY=gsk_0123456789\n")
    assert "GROQ_API_KEY in .env" in line_of("groq")


def test_a_broken_plugin_is_shown_with_its_reason() -> None:
    Path("parley_providers").mkdir()
    Path("parley_providers/broken.py").write_text("raise RuntimeError('not today')\n")
    assert "quarantined" in line_of("broken")
    assert "not today" in line_of("broken")


def test_json_lists_fields_and_no_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    output = CliRunner().invoke(application(), ["providers", "--json"]).stdout
    assert KEY not in output
    anthropic = next(each for each in json.loads(output) if each["name"] == "anthropic")
    assert (anthropic["status"], anthropic["key_origin"]) == ("ready", "environment variable ANTHROPIC_API_KEY")
    assert next(field for field in anthropic["fields"] if field["name"] == "api_key")["variables"][0] == "ANTHROPIC_API_KEY"


def test_a_local_server_is_listed_with_what_is_not_known_of_it() -> None:
    assert "`parley provider test ollama`; no model set: OLLAMA_MODEL" in line_of("ollama")
    assert "no model set" not in line_of("demo")


def test_into_a_file_no_line_ends_with_spaces() -> None:
    assert all(line == line.rstrip() for line in listed().splitlines())
    assert listed().splitlines()[0].split()[:2] == ["name", "status"]


def test_what_is_wrong_with_the_configuration_is_told_below(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_PROVIDER_PATH", "/nowhere/at/all")
    result = CliRunner().invoke(application(), ["providers"])
    assert "! PARLEY_PROVIDER_PATH: names /nowhere/at/all, which is no folder" in result.stderr
