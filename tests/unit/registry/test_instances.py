from __future__ import annotations

from pathlib import Path

from parley.contract.errors import FieldProblem
from parley.registry.configuration_file import ConfigurationFile, read_configuration_file
from parley.registry.environment import Environment
from parley.registry.instances import Index, build_index, provider_directories


def _index(directory: Path, toml: str = "", **variables: str) -> Index:
    environment = Environment(variables)
    problems: list[FieldProblem] = []
    path = directory / "parley.toml"
    path.write_text(toml, encoding="utf-8")
    file = read_configuration_file(path, problems=problems) if toml else ConfigurationFile()
    index = build_index(environment, file, provider_directories(environment, directory, problems))
    assert problems == []
    return index


def test_what_is_added_is_asked_last(tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "plugin.py").touch()
    toml = '[[providers]]\nname = "zeta"\nprovider = "openai"\n[[providers]]\nname = "alpha"\nprovider = "openai"\n'
    names = list(_index(tmp_path, toml, PARLEY_PROVIDERS="named").instances)
    assert names[0] == "alibaba"
    assert names[-4:] == ["zeta", "alpha", "named", "plugin"]


def test_a_built_in_provider_that_the_operator_lists_stands_in_the_operators_order(tmp_path: Path) -> None:
    toml = '[[providers]]\nname = "acme"\nprovider = "openai-compatible"\n[[providers]]\nname = "anthropic"\n'
    index = _index(tmp_path, toml)
    names = list(index.instances)
    assert names[-2:] == ["acme", "anthropic"]
    assert index.instances["anthropic"].own_name
    assert not index.instances["acme"].own_name


def test_no_secret_or_module_is_read_to_make_the_index(tmp_path: Path) -> None:
    (tmp_path / "parley_providers").mkdir()
    (tmp_path / "parley_providers" / "broken.py").write_text("raise RuntimeError", encoding="utf-8")
    assert "broken" in _index(tmp_path).instances
