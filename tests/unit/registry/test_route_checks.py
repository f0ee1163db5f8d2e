"""Routes that cannot be: each is told with its field, before anything is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley import Client
from parley.contract.errors import ConfigurationError

WELL = '{model = "openai/gpt-5-mini"}'


@pytest.mark.parametrize(
    ("routes", "path", "words"),
    [
        ([("fast", '{model = "opnai/gpt-5"}')], "(fast).targets[0].model", 'Did you mean "openai"?'),
        ([("fast", '{model = "gpt-5"}')], "(fast).targets[0].model", "is not provider/model"),
        ([("fast", '{model = "fast"}')], "(fast).targets[0].model", '"fast" is a route'),
        ([("fast", '{model = "slow/x"}'), ("slow", '{model = "fast"}')], "(fast).targets[0].model", '"slow" is a route'),
        ([("fast", f"{WELL}, {WELL}")], "(fast).targets[1].model", "given twice"),
        ([("fast", "")], "(fast).targets", "is empty"),
        ([("fast", WELL), ("fast", WELL)], "routes[1] (fast).name", "given twice"),
        ([("", WELL)], ".name", "must start with a letter"),
        ([("openai", WELL)], "(openai).name", "the name of a provider"),
        ([("fast", '{model = "openai/m", weight = 0}')], "(fast).targets[0].weight", "above 0"),
        ([("fast", '{model = "openai/m", weight = -1}')], "(fast).targets[0].weight", "above 0"),
        ([("fast", '{model = "openai/m", weight = nan}')], "(fast).targets[0].weight", "above 0"),
        ([("fast", '{model = "openai/m", weight = inf}')], "(fast).targets[0].weight", "above 0"),
    ],
)
def test_a_route_that_cannot_be_is_refused_with_its_field(tmp_path: Path, routes: list[tuple[str, str]], path: str, words: str) -> None:
    toml = "".join(f'[[routes]]\nname = "{name}"\ntargets = [{targets}]\n' for name, targets in routes)
    (tmp_path / "parley.toml").write_text(toml, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Client.from_config(environ={"OPENAI_API_KEY": "k"}, directory=tmp_path)
    assert any(problem.path.endswith(path) and words in problem.message for problem in caught.value.fields), caught.value.message


def test_a_target_whose_provider_has_no_key_yet_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "parley.toml").write_text(f'[[routes]]\nname = "fast"\ntargets = [{WELL}, {{model = "demo/demo"}}]\n', encoding="utf-8")
    client = Client.from_config(environ={}, directory=tmp_path)
    assert [provider.name for provider, _ in client.destination("fast").providers] == ["demo"]
