from __future__ import annotations

from typing import Annotated, Any, Literal

from parley.contract.config import Config, Setting
from parley.contract.options import Timeouts
from parley.registry.configuration import Configured, configure
from parley.registry.configuration_file import ProviderEntry
from parley.registry.environment import Environment


class AcmeConfig(Config):
    api_key: Annotated[str, Setting("Acme's key", aliases=("OLD_ACME_KEY",), secret=True, example="ak-…")]
    model: str = "acme-fast"
    endpoint: Annotated[str, Setting("base URL", normalize=lambda value: value if "://" in value else f"http://{value}")] = (
        "https://api.acme.example/v1"
    )
    mode: Literal["quick", "deep"] = "quick"


def _entry(**settings: Any) -> ProviderEntry:
    keys = settings.pop("keys", [])
    return ProviderEntry(path="parley.toml: providers[0]", name="acme", provider="acme", keys=keys, settings=settings)


def _configure(
    variables: dict[str, str] | None = None,
    *,
    dotenv: dict[str, str] | None = None,
    entry: ProviderEntry | None = None,
    own_name: bool = True,
    **arguments: Any,
) -> Configured:
    environment = Environment(variables or {}, dotenv)
    return configure("acme", AcmeConfig, environment=environment, arguments=arguments, entry=entry, own_name=own_name)


def test_argument_over_environment_over_file_over_default() -> None:
    entry = _entry(api_key="from-file", model="from-file", endpoint="https://file.example/v1", mode="deep")
    variables = {"ACME_API_KEY": "from-environment", "ACME_MODEL": "from-environment"}
    configured = _configure(variables, entry=entry, api_key="from-argument")
    assert isinstance(configured.config, AcmeConfig)
    config = configured.config
    assert (config.api_key, config.model) == ("from-argument", "from-environment")
    assert (config.endpoint, config.mode) == ("https://file.example/v1", "deep")
    assert configured.origins == {
        "api_key": "argument",
        "model": "environment variable ACME_MODEL",
        "endpoint": "parley.toml",
        "mode": "parley.toml",
    }
    assert _configure({"ACME_API_KEY": "k"}).config == AcmeConfig(api_key="k")


def test_dotenv_stands_between_the_environment_and_the_file() -> None:
    configured = _configure({}, dotenv={"ACME_API_KEY": "k", "ACME_MODEL": "m"}, entry=_entry(model="other"))
    assert configured.config == AcmeConfig(api_key="k", model="m")
    assert configured.origins["model"] == "ACME_MODEL in .env"


def test_an_alias_fills_the_field_but_not_that_of_a_second_instance() -> None:
    assert _configure({"OLD_ACME_KEY": "k"}).config == AcmeConfig(api_key="k")
    second = _configure({"OLD_ACME_KEY": "k"}, own_name=False)
    assert second.config is None
    assert [field.name for field in second.missing] == ["api_key"]


def test_an_empty_variable_is_not_set() -> None:
    assert _configure({"ACME_API_KEY": "k", "ACME_MODEL": ""}).config == AcmeConfig(api_key="k")
    assert not _configure({"ACME_API_KEY": " "}).touched


def test_every_problem_of_every_layer_is_told_at_once_and_no_value_is_shown() -> None:
    entry = _entry(endpoint="https://user:hunter2@acme.example", mdoel="x", headers={"X Y": "hunter2"})
    variables = {"ACME_API_KEY": "hunter2 \n", "ACME_TIMEOUTS": '{"idle": "hunter2"}', "ACME_MODE": "dep"}
    configured = _configure(variables, entry=entry, proxyy="hunter2")
    assert configured.config is None
    assert {problem.path for problem in configured.problems} == {
        "proxyy",
        "parley.toml: providers[0].mdoel",
        "ACME_API_KEY",
        "parley.toml: providers[0].endpoint",
        "parley.toml: providers[0].headers",
        "ACME_TIMEOUTS.idle",
        "ACME_MODE",
    }
    assert not configured.missing
    told = " ".join(problem.message for problem in configured.problems) + repr(configured)
    assert "hunter2" not in told
    assert 'Did you mean "model"?' in told
    assert 'Did you mean "deep"?' in told


def test_a_struct_field_is_read_from_json_in_the_environment_and_from_a_table_in_the_file() -> None:
    assert _configure({"ACME_API_KEY": "k", "ACME_TIMEOUTS": '{"idle": 5}'}).config == AcmeConfig(api_key="k", timeouts=Timeouts(idle=5))
    assert _configure({"ACME_API_KEY": "k"}, entry=_entry(timeouts={"idle": 5})).config == AcmeConfig(
        api_key="k", timeouts=Timeouts(idle=5)
    )


def test_a_reference_is_resolved_and_its_origin_told() -> None:
    configured = _configure({"TEAM_KEY": "k", "TRACE": "t"}, entry=_entry(api_key="env:TEAM_KEY", headers={"X-Trace": "env:TRACE"}))
    assert configured.config == AcmeConfig(api_key="k", headers={"X-Trace": "t"})
    assert configured.origins["api_key"] == "environment variable TEAM_KEY (named in parley.toml)"
    assert configured.literal_secrets == []


def test_a_reference_to_nothing_is_told_once_with_what_was_meant() -> None:
    configured = _configure({"TEAM_KEYS": "k"}, entry=_entry(api_key="env:TEAM_KEY"))
    assert configured.config is None
    assert not configured.problems
    assert not configured.missing
    [missing] = configured.missing_references
    assert missing.path == "parley.toml: providers[0].api_key"
    assert 'Did you mean "TEAM_KEYS"?' in missing.message


def test_a_malformed_reference_is_not_taken_for_a_key() -> None:
    configured = _configure(entry=_entry(api_key="env:MY-KEY"))
    assert [problem.path for problem in configured.problems] == ["parley.toml: providers[0].api_key"]
    assert not configured.literal_secrets


def test_of_several_keys_the_first_is_in_use_and_all_are_kept() -> None:
    configured = _configure({"A": "k1", "B": "k2"}, entry=_entry(keys=["env:A", "env:B"]))
    assert configured.config == AcmeConfig(api_key="k1")
    assert configured.keys == ["k1", "k2"]
    assert _configure({"ACME_API_KEY": "k"}).keys == ["k"]


def test_one_key_or_several_but_not_both() -> None:
    configured = _configure({"A": "k1"}, entry=_entry(keys=["env:A"], api_key="env:A"))
    assert [problem.path for problem in configured.problems] == ["parley.toml: providers[0].keys"]


def test_literal_secrets_are_found() -> None:
    entry = _entry(keys=["sk-1", "env:B"], headers={"X-Team": "plain", "X-Auth": "s"}, proxy="http://proxy.local:1")
    configured = _configure({"B": "k"}, entry=entry)
    assert configured.literal_secrets == ["parley.toml: providers[0].keys[0]", "parley.toml: providers[0].headers.X-Auth"]
    assert _configure(entry=_entry(api_key="k", proxy="http://u:p@proxy.local:1")).literal_secrets == [
        "parley.toml: providers[0].api_key",
        "parley.toml: providers[0].proxy",
    ]


def test_a_persons_spelling_is_normalised_and_a_last_slash_dropped() -> None:
    configured = _configure({"ACME_API_KEY": "k", "ACME_ENDPOINT": "localhost:8080/v1/"})
    assert configured.config is not None
    assert configured.config.endpoint == "http://localhost:8080/v1"
