from __future__ import annotations

from pathlib import Path

import pytest

from parley.contract.errors import ConfigurationError, FieldProblem
from parley.registry.configuration_file import ConfigurationFile, ModelEntry, OperatorPrice, Route, RouteTarget, read_configuration_file


def _read(directory: Path, text: str) -> tuple[ConfigurationFile, list[FieldProblem]]:
    path = directory / "parley.toml"
    path.write_text(text, encoding="utf-8")
    problems: list[FieldProblem] = []
    return read_configuration_file(path, problems=problems), problems


def test_the_whole_form(tmp_path: Path) -> None:
    file, problems = _read(
        tmp_path,
        """
        default = "acme/m1"
        [[providers]]
        name = "acme"
        provider = "openai-compatible"
        endpoint = "https://api.acme.example/v1"
        keys = ["env:A", "env:B"]
        models = [{id = "m1", label = "One", context_tokens = 8000, price = {input = 0.5, output = 1}}]
        timeouts = {first_token = 60}
        [[routes]]
        name = "fast"
        strategy = "weighted"
        stream_guard = "hold"
        targets = [{model = "acme/m1", weight = 3}, {model = "openai/gpt-5-mini"}]
        """,
    )
    assert problems == []
    assert file.default == "acme/m1"
    [acme] = file.providers
    assert (acme.name, acme.provider, acme.keys) == ("acme", "openai-compatible", ["env:A", "env:B"])
    assert acme.models == [ModelEntry(id="m1", label="One", context_tokens=8000, price=OperatorPrice(input=0.5, output=1))]
    assert acme.settings == {"endpoint": "https://api.acme.example/v1", "timeouts": {"first_token": 60}}
    targets = [RouteTarget(model="acme/m1", weight=3), RouteTarget(model="openai/gpt-5-mini")]
    assert file.routes == [Route(name="fast", strategy="weighted", stream_guard="hold", targets=targets)]


def test_every_problem_is_told_with_its_place(tmp_path: Path) -> None:
    _, problems = _read(
        tmp_path,
        """
        defualt = "x"
        [[providers]]
        name = "Acme!"
        [[providers]]
        provider = "openai"
        [[providers]]
        name = "b"
        keys = "one"
        models = [{label = "no id"}]
        [[routes]]
        name = "fast"
        strategy = "wieghted"
        targets = [{modle = "x"}]
        """,
    )
    assert [problem.path for problem in problems] == [
        "parley.toml: defualt",
        "parley.toml: providers[0].name",
        "parley.toml: providers[1].name",
        "parley.toml: providers[2] (b).keys",
        "parley.toml: providers[2] (b).models[0].id",
        "parley.toml: routes[0] (fast).strategy",
        "parley.toml: routes[0] (fast).targets[0].modle",
        "parley.toml: routes[0] (fast).targets[0].model",
    ]
    assert 'Did you mean "default"?' in problems[0].message
    assert 'Did you mean "weighted"?' in problems[5].message


@pytest.mark.parametrize("text", ["providers = 3", 'providers = ["acme"]', "[providers]\nname='a'", "routes = 1"])
def test_lists_that_are_none_are_told(tmp_path: Path, text: str) -> None:
    _, problems = _read(tmp_path, text)
    assert len(problems) == 1


@pytest.mark.parametrize("text", ["default = ", "= 1", "[[providers]", "a" * 10_000])
def test_what_is_no_toml_is_refused_with_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"parley\.toml is not valid TOML"):
        _read(tmp_path, text)


def test_no_secret_is_in_the_repr(tmp_path: Path) -> None:
    file, _ = _read(tmp_path, '[[providers]]\nname = "openai"\napi_key = "sk-hunter2"\nkeys = ["hunter3"]')
    assert "hunter" not in repr(file)
